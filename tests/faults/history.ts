/**
 * What was asked of a partition over one way, in order, and what it has said to that. What is there afterwards has to be
 * what a beginning of it leads to: of every transaction all or nothing, none without those before it, and at least all
 * that were answered.
 */
import { expect } from 'bun:test'
import { limits } from '../../src/protocol/limits.ts'
import { bootId } from '../../src/storage/folder/holder.ts'
import type { Transaction } from './load.ts'
import type { Dump, Reply } from './partitionHost.ts'
import { type Applied, createReference, type Held, type Reference, type Told } from './reference.ts'

type Outcome = Extract<Reply, { said: 'done' | 'refused' }>

export interface History {
  /** As it would be if everything that was sent were done. */
  readonly reference: Reference
  sent(transaction: Transaction): number
  /** Compares an answer with what it has to be. */
  done(id: number, outcome: Outcome): void
  told(changes: readonly Told[]): void
  inFlight(): number
  answered(): number
  /**
   * Compares with what is there after the end, and returns it as what the next history begins with. `onlySynced`: the power
   * went; what has not been waited for may be lost.
   */
  check(dump: Dump, onlySynced?: boolean): Reference
}

export interface HistoryOptions {
  /** From behind an engine: which write an entry was created by is not seen, events take another way than answers, and those of streams are not shown. */
  readonly isFar?: boolean
}

export function createHistory(start: Reference, { isFar = false }: HistoryOptions = {}): History {
  const reference = start.copy()
  const sent: { transaction: Transaction; applied: Applied; revision: number; isAnswered: boolean }[] = []
  const foretold: Told[] = []
  let toldCount = 0
  let answered = 0
  /** Those before it have to be there, whatever happens; and if it was not the power that went. */
  let synced = 0
  let written = 0

  function isSame(one: Held | undefined, other: Held | undefined): boolean {
    if (one === undefined || other === undefined) return one === other
    if (!isFar && one.createdAt !== other.createdAt) return false
    return one.value === other.value && one.version === other.version && one.expiresAtMs === other.expiresAtMs
  }

  /** All that is there was made by a beginning of what was sent; returns how much of it. */
  function extentOf(dump: Dump, least: number): { count: number; is: Reference } {
    const is = start.copy()
    const entries = new Map(dump.entries)
    const messages = new Map(dump.messages)
    let difference = ''
    for (let count = 0; count <= sent.length; count++) {
      if (count > 0) is.apply(sent[count - 1]!.transaction.commands)
      const hasGap = is.revision() + limits.revisionGap === dump.revision
      if (count < least || (is.revision() !== dump.revision && !hasGap)) continue
      const wrong = [...new Set([...entries.keys(), ...is.entries.keys()])].find(
        place => !isSame(entries.get(place), is.entries.get(place)),
      )
      const strange = [...new Set([...messages.keys(), ...is.messages.keys()])].find(
        receipt => messages.get(receipt) !== is.messages.get(receipt),
      )
      if (wrong === undefined && strange === undefined) return { count, is }
      if (wrong === undefined) {
        difference = `; after ${count} of them message ${strange} is ${messages.get(strange!)}, not ${is.messages.get(strange!)}`
        continue
      }
      difference = `; after ${count} of them ${wrong} is ${JSON.stringify(entries.get(wrong))}, not ${JSON.stringify(is.entries.get(wrong))}`
    }
    throw new Error(
      `revision ${dump.revision} is not what the first ${least} to ${sent.length} transactions lead to ` +
        `(revision ${sent[least - 1]?.revision ?? start.revision()} to ${reference.revision()})${difference}`,
    )
  }

  return {
    reference,
    inFlight: () => sent.length - answered,
    answered: () => answered,
    sent(transaction) {
      const applied = reference.apply(transaction.commands)
      if ('changes' in applied) foretold.push(...applied.changes)
      return sent.push({ transaction, applied, revision: reference.revision(), isAnswered: false }) - 1
    },
    done(id, outcome) {
      const of = sent[id]!
      if (of.isAnswered) throw new Error(`transaction ${id} was answered twice`)
      of.isAnswered = true
      answered++
      written = Math.max(written, id + 1)
      if ('refused' in of.applied) {
        expect(outcome).toEqual({ said: 'refused', id, code: of.applied.refused })
        return
      }
      const { answers } = of.applied
      expect(outcome).toEqual({
        said: 'done',
        id,
        revision: outcome.said === 'done' && outcome.revision === undefined ? undefined : of.revision,
        level: expect.any(String),
        answers: answers.map(({ oldValue, newValue, version }) => [
          oldValue ?? null,
          newValue ?? null,
          version,
        ]),
      })
      if (outcome.said === 'done' && outcome.level === 'disk') synced = Math.max(synced, id + 1)
      // Whoever is answered has been told of before.
      const changes = of.applied.changes.length
      if (changes > 0 && !isFar) expect(foretold[toldCount - 1]?.revision).toBeGreaterThanOrEqual(of.revision)
    },
    told(changes) {
      expect(changes).toEqual(foretold.slice(toldCount, toldCount + changes.length))
      toldCount += changes.length
    },
    check(dump, onlySynced = false) {
      const { count, is } = extentOf(dump, onlySynced ? synced : written)
      const lastTold = foretold[toldCount - 1]?.revision ?? 0
      if (!onlySynced) expect(is.revision()).toBeGreaterThanOrEqual(lastTold)
      // A gap says that resuming from before is not possible. A kill loses nothing, if the system says that it was one.
      if (dump.revision !== is.revision()) {
        expect(onlySynced || bootId() === undefined).toBe(true)
        expect(sent.some(({ transaction }) => transaction.level !== 'disk')).toBe(true)
        expect(dump.changes).toBeUndefined()
        return createReference(is.entries, dump.revision, is.messages)
      }
      const isShown = ({ place }: Told): boolean => !isFar || place.startsWith('["state"')
      const kept = foretold.filter(({ revision }) => revision <= dump.revision)
      expect(dump.changes).toEqual(kept.filter(isShown))
      return count === sent.length ? is : createReference(is.entries, dump.revision, is.messages)
    },
  }
}
