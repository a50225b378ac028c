/** The changes of past transactions, for those who resume: a row for each transaction, the oldest forgotten first. */
import { limits } from '../../protocol/limits.ts'
import type { EntryChange } from '../change.ts'
import { CorruptData } from '../storageError.ts'
import type { Portion } from '../store.ts'
import { readChanges, writeChanges } from './changesText.ts'
import { textChecksum } from './checksums.ts'
import type { ChangesRow, Connection } from './connection.ts'
import { type Session, using } from './session.ts'

export interface HistoryLimits {
  readonly changes: number
  /** Characters. */
  readonly bytes: number
  readonly ageMs: number
}

export interface History {
  /** In the transaction that is open. */
  add(changes: readonly EntryChange[]): void
  portion(revision: number): Portion
  /** The connection is another one, or a transaction was undone. */
  forget(): void
}

type ForgottenRow = Omit<ChangesRow, 'changes' | 'checksum'>

/** What is in a row, when it was not just written. Throws `CorruptData`. */
export function changesOf(row: ChangesRow): EntryChange[] {
  if (textChecksum(row.first_revision, row.last_revision, row.at_ms, row.changes) !== row.checksum) {
    throw new CorruptData(
      `The changes up to revision ${row.last_revision} are not what was written: their checksum is wrong. Read everything anew.`,
    )
  }
  return readChanges(row.changes)
}

export function createHistory(session: Session, most: HistoryLimits): History {
  /** The row that is forgotten next, if it is known. */
  let oldest: ForgottenRow | undefined

  function isTooMuch(row: ForgottenRow, nowMs: number): boolean {
    const { keptChanges, keptBytes } = session.totals
    return keptChanges > most.changes || keptBytes > most.bytes || row.at_ms < nowMs - most.ageMs
  }

  function forgetOldest({ ask }: Connection, nowMs: number): void {
    const { totals } = session
    for (let count = 0; count < limits.feedForgotten; count++) {
      oldest ??= ask.oldestChanges.get(totals.oldestChange) ?? undefined
      if (oldest === undefined || !isTooMuch(oldest, nowMs)) return
      ask.forgetChanges.run(oldest.last_revision)
      totals.oldestChange = oldest.last_revision
      totals.keptChanges -= oldest.last_revision - oldest.first_revision + 1
      totals.keptBytes -= oldest.length
      oldest = undefined
    }
  }

  return {
    add(changes) {
      const [first, last] = [changes[0]!, changes.at(-1)!]
      const text = writeChanges(changes)
      using(session, connection => {
        const checksum = textChecksum(first.revision, last.revision, last.atMs, text)
        connection.ask.addChanges.run(last.revision, first.revision, last.atMs, text.length, text, checksum)
        session.totals.keptChanges += last.revision - first.revision + 1
        session.totals.keptBytes += text.length
        forgetOldest(connection, last.atMs)
      })
    },
    portion(revision) {
      const changes: EntryChange[] = []
      let place = revision
      while (changes.length < limits.feedPortion) {
        const row = using(session, ({ ask }) => ask.changesAfter.get(place))
        // Somebody else's revisions in between: a row is missing.
        if (row !== null && row.first_revision > place + 1) throw missing(place)
        if (row === null && place < session.totals.revision) throw missing(place)
        if (row === null) break
        for (const change of changesOf(row)) if (change.revision > place) changes.push(change)
        place = row.last_revision
      }
      return { changes, revision: place }
    },
    forget() {
      oldest = undefined
    },
  }
}

const missing = (place: number): CorruptData =>
  new CorruptData(`The changes after revision ${place} are missing. Read everything anew.`)
