/** The part of a scrub that looks at messages. */
import { keptStateOf, type Message } from '../../queue/message.ts'
import { CorruptData } from '../../storageError.ts'
import type { Connection } from '../connection.ts'
import { type Session, using } from '../session.ts'
import type { MessageRow } from './statements.ts'
import type { SqliteQueueTables } from './tables.ts'

/** Looks at the next portion. True when it was the last one; the next call begins anew. Throws `CorruptData`. */
export function scrubMessages(session: Session, queues: SqliteQueueTables, portion: number): boolean {
  queues.writeRows()
  return using(session, ({ ask }) => {
    const totals = session.totals.messages
    const rows = ask.messagesAfter.all(totals.scrubbedTo, portion)
    for (const row of rows) {
      checkIndexes(ask, row, queues.messageOf(row))
      totals.scrubbedTo = row.number
      totals.scrubbedMessages++
      totals.scrubbedDigest = (totals.scrubbedDigest + row.checksum) >>> 0
    }
    if (rows.length === portion) return false
    const { scrubbedMessages, scrubbedDigest } = totals
    totals.scrubbedTo = 0
    totals.scrubbedMessages = 0
    totals.scrubbedDigest = 0
    if (scrubbedMessages === totals.messages && scrubbedDigest === totals.digest) return true
    throw new CorruptData(
      scrubbedMessages === totals.messages
        ? 'The messages of the queues are not those that were written: their sum is wrong. Restore a backup.'
        : `There are ${scrubbedMessages} messages in the queues, but ${totals.messages} were written. Restore a backup.`,
    )
  })
}

function checkIndexes(ask: Connection['ask'], row: MessageRow, message: Message): void {
  const { number, queue, lane } = row
  const state = keptStateOf(message)
  const leads = [
    state !== 'ready' || ask.readyLeadsTo.get(lane, row.rank, number) !== null,
    state !== 'timed' || ask.dueLeadsTo.get(lane, row.due_at_ms, number) !== null,
    state !== 'dead' || ask.deadLeadsTo.get(queue, row.dead_at_ms, number) !== null,
    row.group === null || state === 'dead' || ask.groupLeadsTo.get(queue, row.group, number) !== null,
    row.receipt === null || ask.receiptLeadsTo.get(row.receipt, number) !== null,
    row.kept_until_ms === null || ask.keptLeadsTo.get(row.kept_until_ms, number) !== null,
  ]
  if (leads.every(Boolean)) return
  throw new CorruptData(
    `An index does not lead to message ${number} of queue ${JSON.stringify(message.queue)}. Restore a backup.`,
  )
}
