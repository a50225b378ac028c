/** Queues in SQLite. What is read is compared with its checksum; what is written changes the totals. */
import { keptStateOf, type Message } from '../../queue/message.ts'
import { NO_COUNTS, type QueueCounts, type QueueRow, type QueueTables } from '../../queue/tables.ts'
import { CorruptData } from '../../storageError.ts'
import { storable, unstorable } from '../../text.ts'
import { textChecksum } from '../checksums.ts'
import { type Session, using, writing } from '../session.ts'
import { addMessageToTotals } from '../totals.ts'
import { createQueues, type KnownQueue } from './queues.ts'
import { messageOfRow, rowOf } from './rows.ts'
import type { MessageRow } from './statements.ts'

export interface SqliteQueueTables extends QueueTables {
  /** Of a row of messages. Throws `CorruptData` if it is not what was written. */
  messageOf(row: MessageRow): Message
  /** Writes what is written once for many transactions. */
  beforeSettling(): void
  /** What was done stays. */
  committed(): void
  /** A place to which `undoTo` goes back, once the database and the totals have. 0: the beginning of the transaction. */
  mark(): number
  undoTo(mark: number): void
  /** The database is another one. */
  forgetAll(): void
}

export function createSqliteQueueTables(session: Session): SqliteQueueTables {
  const queues = createQueues(session)

  const read = (row: MessageRow): Message => messageOfRow(row, queues.laneOfId)
  const readIfThere = (row: MessageRow | null): Message | undefined => (row === null ? undefined : read(row))

  /** Counts it and returns its row. */
  function entered(message: Message, by: 1 | -1): MessageRow {
    const lane = queues.findOrAddLane(message)
    const row = rowOf(lane, message)
    queues.count(lane.queue, keptStateOf(message), Buffer.byteLength(message.data), by)
    addMessageToTotals(session.totals, message.number, row.checksum, by)
    return row
  }

  return {
    messageOf: read,
    get: number => readIfThere(using(session, ({ ask }) => ask.message.get(number))),
    byReceipt: receipt =>
      readIfThere(using(session, ({ ask }) => ask.messageByReceipt.get(storable(receipt)))),
    ready(lane, after, limit) {
      const id = queues.findLane(lane)?.id
      if (id === undefined || limit <= 0) return []
      const rows = using(session, ({ ask }) => {
        if (after === undefined) return ask.readyMessages.all(id, limit)
        const same = ask.readyOfRank.all(id, -after.priority, after.number, limit)
        if (same.length >= limit) return same
        return [...same, ...ask.readyAfterRank.all(id, -after.priority, limit - same.length)]
      })
      return rows.map(read)
    },
    due(lane, nowMs, after, limit) {
      const id = queues.findLane(lane)?.id
      if (id === undefined) return []
      const { dueAtMs, number } = after ?? { dueAtMs: 0, number: 0 }
      return using(session, ({ ask }) => ask.dueMessages.all(id, nowMs, dueAtMs, number, limit)).map(read)
    },
    nextDueMs(lane, afterMs) {
      const id = queues.findLane(lane)?.id
      return id === undefined
        ? undefined
        : using(session, ({ ask }) => ask.nextDue.get(id, afterMs)?.at ?? undefined)
    },
    hasGroup(queue, group) {
      const id = queues.find(queue)?.id
      return id !== undefined && using(session, ({ ask }) => ask.hasGroup.get(id, storable(group))) !== null
    },
    oldestOfGroup(queue, group) {
      const id = queues.find(queue)?.id
      if (id === undefined) return undefined
      return readIfThere(using(session, ({ ask }) => ask.oldestOfGroup.get(id, storable(group))))
    },
    grouped(queue, after, limit) {
      const id = queues.find(queue)?.id
      if (id === undefined) return []
      const rows = using(session, ({ ask }) => {
        if (after === undefined) return ask.groupedFirst.all(id, limit)
        const group = storable(after.group)
        const same = ask.groupAfter.all(id, group, after.number, limit)
        if (same.length >= limit) return same
        return [...same, ...ask.groupedFrom.all(id, group, limit - same.length)]
      })
      return rows.map(read)
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
    counts: queue => countsOf(queues.find(queue)),
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
    queue: name => queueRowOf(queues.find(name)),
    queues: (after, limit) => queues.list(after, limit).map(queue => queueRowOf(queue)!),
    lanes(name) {
      const lanes = queues.find(name)?.lanes ?? []
      return lanes.map(({ functionId, namespace }) => ({ queue: name, functionId, namespace }))
    },
    nextNumber: () => ++session.totals.messages.lastNumber,
    add(message) {
      const row = entered(message, 1)
      writing(session, ({ ask }) =>
        ask.addMessage.run(
          row.number,
          row.queue,
          row.lane,
          row.rank,
          row.is_head,
          row.failures,
          row.published_at_ms,
          row.checksum,
          row.due_at_ms,
          row.dead_at_ms,
          row.kept_until_ms,
          row.receipt,
          row.group,
          row.traceparent,
          row.baggage,
          row.metadata,
          row.reports,
          row.data,
        ),
      )
    },
    change(before, message) {
      entered(before, -1)
      const row = entered(message, 1)
      writing(session, ({ ask }) =>
        ask.changeMessage.run(
          row.number,
          row.due_at_ms,
          row.dead_at_ms,
          row.is_head,
          row.failures,
          row.checksum,
          row.reports,
          row.kept_until_ms,
        ),
      )
    },
    remove(message) {
      entered(message, -1)
      writing(session, ({ ask }) => ask.removeMessage.run(message.number))
    },
    keepDedupe({ queue, key, receipt, untilMs }) {
      const { id } = queues.find(queue)!
      const [storedKey, storedReceipt] = [storable(key), storable(receipt)]
      const checksum = textChecksum(id, storedKey, storedReceipt, untilMs)
      writing(session, ({ ask }) => ask.keepDedupe.run(id, storedKey, storedReceipt, untilMs, checksum))
    },
    forgetDedupes: (nowMs, limit) => writing(session, ({ ask }) => ask.forgetDedupes.run(nowMs, limit).changes),
    keepQueue: queues.keep,
    rename: (queue, lane) => queues.rename(queues.find(queue)!, lane),
    dropQueue: queue => queues.drop(queues.find(queue)!),
    beforeSettling: queues.keepCounts,
    committed: queues.committed,
    mark: queues.mark,
    undoTo: queues.undoTo,
    forgetAll: queues.forgetAll,
  }
}

function countsOf(queue: KnownQueue | undefined): QueueCounts {
  if (queue === undefined) return NO_COUNTS
  const { counts } = queue
  return { ...counts, waiting: counts.ready + counts.timed + counts.behind }
}

function queueRowOf(queue: KnownQueue | undefined): QueueRow | undefined {
  if (queue === undefined) return undefined
  const { name, isPaused, settings, bounds } = queue
  return { name, isPaused, settings, bounds, counts: countsOf(queue) }
}
