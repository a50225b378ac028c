/** Queues in SQLite. What is read is compared with its checksum. */
import type { Message } from '../../queue/message.ts'
import type { QueueTables } from '../../queue/tables.ts'
import { CorruptData } from '../../storageError.ts'
import { storable, unstorable } from '../../text.ts'
import { textChecksum } from '../checksums.ts'
import { type Session, using } from '../session.ts'
import { createNumbers } from './numbers.ts'
import { createQueues } from './queues.ts'
import { messageOfRow, rowOf } from './rows.ts'
import type { MessageRow } from './statements.ts'

export interface SqliteQueueTables extends QueueTables {
  /** What the transaction writes beside the messages themselves. */
  beforeCommit(): void
  /** What was done stays. */
  committed(): void
  /** A place to which `undoTo` goes back, once the database has. 0: the beginning of the transaction. */
  mark(): number
  undoTo(mark: number): void
  /** The database is another one. */
  forgetAll(): void
}

export function createSqliteQueueTables(session: Session): SqliteQueueTables {
  const queues = createQueues(session)
  const numbers = createNumbers(session)

  const read = (row: MessageRow): Message => messageOfRow(row, queues.named)
  const readIfThere = (row: MessageRow | null): Message | undefined => (row === null ? undefined : read(row))

  function count({ queue, deadAtMs }: Message, by: 1 | -1): number {
    const known = queues.findOrAdd(queue)
    if (deadAtMs === undefined) queues.count(known, by, 0)
    else queues.count(known, 0, by)
    return known.id
  }

  return {
    get: number => readIfThere(using(session, ({ ask }) => ask.message.get(number))),
    byReceipt: receipt =>
      readIfThere(using(session, ({ ask }) => ask.messageByReceipt.get(storable(receipt)))),
    ready(queue, after, limit) {
      const id = queues.find(queue)?.id
      if (id === undefined || limit <= 0) return []
      const rows = using(session, ({ ask }) => {
        if (after === undefined) return ask.readyMessages.all(id, limit)
        const same = ask.readyOfRank.all(id, -after.priority, after.number, limit)
        if (same.length >= limit) return same
        return [...same, ...ask.readyAfterRank.all(id, -after.priority, limit - same.length)]
      })
      return rows.map(read)
    },
    due(queue, nowMs, after, limit) {
      const id = queues.find(queue)?.id
      if (id === undefined) return []
      const { dueAtMs, number } = after ?? { dueAtMs: 0, number: 0 }
      return using(session, ({ ask }) => ask.dueMessages.all(id, nowMs, dueAtMs, number, limit)).map(read)
    },
    nextDueMs(queue, afterMs) {
      const id = queues.find(queue)?.id
      return id === undefined
        ? undefined
        : using(session, ({ ask }) => ask.nextDue.get(id, afterMs)?.at ?? undefined)
    },
    oldestOfGroup(queue, group) {
      const id = queues.find(queue)?.id
      if (id === undefined) return undefined
      return readIfThere(using(session, ({ ask }) => ask.oldestOfGroup.get(id, storable(group))))
    },
    dead(queue, after, limit) {
      const id = queues.find(queue)?.id
      if (id === undefined) return []
      const { deadAtMs, number } = after ?? { deadAtMs: Number.MAX_SAFE_INTEGER, number: 0 }
      return using(session, ({ ask }) => ask.deadMessages.all(id, deadAtMs, number, limit)).map(read)
    },
    oldestDead(queue, limit) {
      const id = queues.find(queue)?.id
      return id === undefined ? [] : using(session, ({ ask }) => ask.oldestDead.all(id, limit)).map(read)
    },
    counts: queues.countsOf,
    dedupe(queue, key) {
      const id = queues.find(queue)?.id
      if (id === undefined) return undefined
      const row = using(session, ({ ask }) => ask.dedupe.get(id, storable(key)))
      if (row === null) return undefined
      if (textChecksum(id, storable(key), row.receipt, row.until_ms) !== row.checksum) {
        throw new CorruptData(
          `The dedupe key ${JSON.stringify(key)} of queue ${JSON.stringify(queue)} is not what was written. Restore a backup.`,
        )
      }
      return { queue, key, receipt: unstorable(row.receipt), untilMs: row.until_ms }
    },
    nextNumber: numbers.next,
    add(message) {
      const row = rowOf(count(message, 1), message)
      using(session, ({ ask }) =>
        ask.addMessage.run(
          row.number,
          row.queue,
          row.rank,
          row.due_at_ms,
          row.dead_at_ms,
          row.is_head,
          row.failures,
          row.published_at_ms,
          row.checksum,
          row.receipt,
          row.group,
          row.function_id,
          row.namespace,
          row.traceparent,
          row.baggage,
          row.reports,
          row.data,
        ),
      )
    },
    change(before, message) {
      count(before, -1)
      const row = rowOf(count(message, 1), message)
      using(session, ({ ask }) =>
        ask.changeMessage.run(
          row.number,
          row.due_at_ms,
          row.dead_at_ms,
          row.is_head,
          row.failures,
          row.checksum,
          row.reports,
        ),
      )
    },
    remove(message) {
      count(message, -1)
      using(session, ({ ask }) => ask.removeMessage.run(message.number))
    },
    keepDedupe({ queue, key, receipt, untilMs }) {
      const { id } = queues.findOrAdd(queue)
      const [storedKey, storedReceipt] = [storable(key), storable(receipt)]
      const checksum = textChecksum(id, storedKey, storedReceipt, untilMs)
      using(session, ({ ask }) => ask.keepDedupe.run(id, storedKey, storedReceipt, untilMs, checksum))
    },
    forgetDedupes: (nowMs, limit) => using(session, ({ ask }) => ask.forgetDedupes.run(nowMs, limit).changes),
    beforeCommit() {
      queues.keepCounts()
      numbers.keep()
    },
    committed: queues.keep,
    mark: queues.mark,
    undoTo: queues.undoTo,
    forgetAll() {
      queues.forgetAll()
      numbers.forget()
    },
  }
}
