/** Does a turn again that the tables do not have: entries from what has changed, queues step by step. */
import type { EntryChange } from '../change.ts'
import { readChanges } from '../log/changesText.ts'
import type { FoundRecord } from '../log/record.ts'
import { CorruptData } from '../storageError.ts'
import { doAgain, type QueueStep } from './queue/steps.ts'
import type { SqliteQueueTables } from './queue/tables.ts'
import type { Session } from './session.ts'
import type { SqliteTables } from './tables.ts'
import { countTurn } from './totals.ts'

export interface ReplayTables extends SqliteTables {
  readonly queues: SqliteQueueTables
}

/** Throws `CorruptData` if the tables are not then what they were. */
export function replay(record: FoundRecord, tables: ReplayTables, session: Session): void {
  const { totals } = session
  const { changes, steps } = record
  if (changes !== '') for (const change of readChanges(changes)) doChange(change, tables)
  if (steps !== '') {
    for (const step of JSON.parse(steps) as QueueStep[]) {
      const { messages } = totals
      if (step[0] === 'add') messages.lastNumber = Math.max(messages.lastNumber, step[1].number)
      doAgain(step, tables.queues)
    }
  }
  totals.revision = record.revision
  if (record.isRelaxed) totals.isRelaxed = true
  countTurn(totals)
  tables.committed()
  tables.queues.committed()
  session.steps = []
  session.hasWritten = false
  const isSame =
    totals.turn === record.turn &&
    totals.digest === record.entriesDigest &&
    totals.messages.digest === record.messagesDigest
  if (isSame) return
  throw new CorruptData(
    `Transaction ${record.turn} of the log does not lead to what there was: the database under it is another one, or is damaged. Restore a backup.`,
  )
}

function doChange(change: EntryChange, tables: ReplayTables): void {
  const { key, event, revision, atMs, newValue, expiresAtMs } = change
  if (key === undefined || event === 'told') return
  if (event === 'deleted' || newValue === undefined) {
    tables.remove(change, key)
    return
  }
  const before = event === 'created' ? undefined : tables.get(change, key)
  tables.put(change, {
    key,
    value: newValue,
    version: revision,
    createdAt: before?.createdAt ?? revision,
    updatedAtMs: atMs,
    expiresAtMs,
  })
}
