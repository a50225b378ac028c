/**
 * What has really been committed, worked out from what was asked for and what has become of each commit. When entries are
 * removed because their time has passed is up to the partition; that it was right to is looked at here.
 */
import type { EntryChange } from '../../../src/storage/change.ts'
import type { Command } from '../../../src/storage/command.ts'
import { toldOf } from '../../faults/partitionHost.ts'
import { type Answered, createReference, type Reference, type Told } from '../../faults/reference.ts'

export type Verdict = { readonly answers: readonly Answered[] } | { readonly code: string }

export interface Truth {
  reference(): Reference
  /** All committed changes that a feed may tell of. */
  readonly log: readonly Told[]
  /** Committed, and the partition is not sure of it yet. */
  readonly unknown: readonly Told[]
  /** A turn was committed with these changes; returns what each of its callers is to hear. Throws what cannot be. */
  commit(works: readonly (readonly Command[])[], changes: readonly EntryChange[], nowMs: number): Verdict[]
  /** What is committed from now on is not known, until `learn`. */
  doubt(): void
  /** Returns what is known now. */
  learn(): readonly Told[]
  /** Nothing of it is left: it was in memory. */
  forget(): void
}

export function createTruth(): Truth {
  let reference = createReference()
  let log: Told[] = []
  let unknown: Told[] = []
  let isDoubtful = false

  return {
    reference: () => reference,
    get log() {
      return log
    },
    get unknown() {
      return unknown
    },
    commit(works, committed, nowMs) {
      let changes = committed.map(toldOf)
      const done: Told[] = []

      function take(count: number): void {
        done.push(...changes.slice(0, count))
        changes = changes.slice(count)
      }

      function takeExpired(): boolean {
        if (changes[0]?.reason !== 'expired') return false
        const held = reference.entries.get(changes[0].place)
        if (held?.expiresAtMs === undefined || held.expiresAtMs > nowMs) {
          throw new Error(`${changes[0].place} was removed before its time`)
        }
        const next = reference.copy()
        const [told] = next.expire(held.expiresAtMs, 1).filter(({ place }) => place === changes[0]!.place)
        if (told === undefined || !Bun.deepEquals(told, changes[0])) {
          throw new Error(
            `what expired was told as ${JSON.stringify(changes[0])}, not ${JSON.stringify(told)}`,
          )
        }
        reference = next
        take(1)
        return true
      }

      const verdicts = works.map((commands): Verdict => {
        for (;;) {
          const next = reference.copy()
          const applied = next.apply(commands, nowMs)
          if ('refused' in applied) return { code: applied.refused }
          if (Bun.deepEquals(applied.changes, changes.slice(0, applied.changes.length))) {
            reference = next
            take(applied.changes.length)
            return { answers: applied.answers }
          }
          if (!takeExpired()) {
            throw new Error(
              `committed was ${JSON.stringify(changes.slice(0, applied.changes.length))}, not ${JSON.stringify(applied.changes)}`,
            )
          }
        }
      })
      while (takeExpired());
      if (changes.length > 0) throw new Error(`nobody has asked for ${JSON.stringify(changes)}`)
      if (isDoubtful) unknown.push(...done)
      else log.push(...done)
      return verdicts
    },
    doubt() {
      isDoubtful = true
    },
    learn() {
      const learnt = unknown
      log.push(...learnt)
      unknown = []
      isDoubtful = false
      return learnt
    },
    forget() {
      reference = createReference()
      log = []
      unknown = []
      isDoubtful = false
    },
  }
}
