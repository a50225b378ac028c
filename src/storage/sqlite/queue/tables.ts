/** Queues in SQLite. What is read is compared with its checksum; what is written changes the totals. */
import { limits } from '../../../protocol/limits.ts'
import { keptStateOf, type Message } from '../../queue/message.ts'
import {
  NO_BOUNDS,
  NO_COUNTS,
  type QueueCounts,
  type QueueRow,
  type QueueTables,
  saysNothing,
} from '../../queue/tables.ts'
import { CorruptData } from '../../storageError.ts'
import { storable, unstorable } from '../../text.ts'
import { textChecksum } from '../checksums.ts'
import { type Session, using } from '../session.ts'
import { addMessageToTotals } from '../totals.ts'
import { createQueues, type KnownLane, type KnownQueue } from './queues.ts'
import { messageChecksum, messageOfRow, reportsText, stored } from './rows.ts'
import type { MessageRow } from './statements.ts'
import type { QueueStep } from './steps.ts'

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

  /** For the log. */
  function note(step: QueueStep): void {
    session.hasWritten = true
    session.steps.push(step)
  }

  const read = (row: MessageRow): Message => messageOfRow(row, queues.laneOfId)
  const readIfThere = (row: MessageRow | null): Message | undefined => (row === null ? undefined : read(row))

  /** It is there now, or not any more (`by` -1). */
  function count({ queue }: KnownLane, message: Message, checksum: number, by: 1 | -1): void {
    queues.count(queue, keptStateOf(message), Buffer.byteLength(message.data), by)
    addMessageToTotals(session.totals, message.number, checksum, by)
  }

  const checksumOf = (lane: KnownLane, message: Message): number =>
    messageChecksum(lane, message, reportsText(message))

  /** It is as `message` says; else nothing is done, and false returned. */
  function removeKnown(message: Message): boolean {
    const lane = queues.findLane(message)
    if (lane === undefined) return false
    const checksum = checksumOf(lane, message)
    const { changes } = using(session, ({ ask }) => ask.removeMessage.run(message.number, checksum))
    if (changes === 0) return false
    note(['remove', message.number])
    count(lane, message, checksum, -1)
    return true
  }

  const hasDedupe = ({ id }: KnownQueue): boolean =>
    using(session, ({ ask }) => ask.hasDedupe.get(id)) !== null

  function remove(message: Message): void {
    if (!removeKnown(message)) throw new Error('a message that is not there was to be removed')
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
    oldest(lane, after, limit) {
      const id = queues.findLane(lane)?.id
      if (id === undefined) return []
      return using(session, ({ ask }) => {
        const found: MessageRow[] = []
        let rank = ask.nextRank.get(id, Number.MIN_SAFE_INTEGER)?.rank ?? null
        for (; rank !== null; rank = ask.nextRank.get(id, rank)?.rank ?? null) {
          found.push(...ask.readyOfRank.all(id, rank, after, limit))
        }
        return found
          .sort((one, other) => one.number - other.number)
          .slice(0, limit)
          .map(read)
      })
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
    bounds: name => queues.find(name)?.bounds ?? NO_BOUNDS,
    queues: (after, limit) => queues.list(after, limit).map(queue => queueRowOf(queue)!),
    lanes(name) {
      const lanes = queues.find(name)?.lanes ?? []
      return lanes.map(({ functionId, namespace }) => ({ queue: name, functionId, namespace }))
    },
    nextExpiryMs: () =>
      using(session, ({ ask }) => earlier(ask.nextDedupe.get()?.at, ask.nextKept.get()?.at)),
    nextNumber: () => ++session.totals.messages.lastNumber,
    add(message) {
      note(['add', message])
      const known = queues.findLane(message)
      const lane = known ?? queues.addLane(message)
      const reports = reportsText(message)
      const checksum = messageChecksum(lane, message, reports)
      count(lane, message, checksum, 1)
      const { ask } = session.connection
      if (isPlain(message)) {
        const rank = 0 - message.priority
        using(session, () =>
          ask.addPlainMessage.run(
            message.number,
            lane.queue.id,
            lane.id,
            rank,
            message.publishedAtMs,
            checksum,
            stored(message.receipt),
            stored(message.traceparent),
            stored(message.baggage),
            message.data,
          ),
        )
        return known === undefined
      }
      using(session, () =>
        ask.addMessage.run(
          message.number,
          lane.queue.id,
          lane.id,
          0 - message.priority,
          message.isHead ? 1 : 0,
          message.failures,
          message.publishedAtMs,
          checksum,
          message.dueAtMs ?? null,
          message.deadAtMs ?? null,
          message.keptUntilMs ?? null,
          stored(message.receipt),
          stored(message.group),
          stored(message.traceparent),
          stored(message.baggage),
          message.metadata ?? null,
          reports,
          message.data,
        ),
      )
      return known === undefined
    },
    change(before, message) {
      note(['change', message])
      const lane = queues.findLane(message) ?? queues.addLane(message)
      const reports = reportsText(message)
      const checksum = messageChecksum(lane, message, reports)
      count(lane, before, checksumOf(lane, before), -1)
      count(lane, message, checksum, 1)
      const { number, failures, isHead, dueAtMs = null, deadAtMs = null, keptUntilMs = null } = message
      // SQLite writes every index anew that has to do with a column that is named, whether it changes or not.
      const isSameLife = deadAtMs === (before.deadAtMs ?? null)
      using(session, ({ ask }) => {
        if (isSameLife && isHead === before.isHead) {
          ask.retryMessage.run(number, dueAtMs, failures, reports, checksum)
        } else if (isSameLife && dueAtMs === (before.dueAtMs ?? null) && failures === before.failures) {
          ask.promoteMessage.run(number, isHead ? 1 : 0, checksum)
        } else {
          ask.changeMessage.run(
            number,
            dueAtMs,
            deadAtMs,
            isHead ? 1 : 0,
            failures,
            checksum,
            reports,
            keptUntilMs,
          )
        }
      })
    },
    removeKnown,
    remove,
    keepDedupe({ queue, key, receipt, untilMs }) {
      const { id } = queues.find(queue)!
      const [storedKey, storedReceipt] = [storable(key), storable(receipt)]
      const checksum = textChecksum(id, storedKey, storedReceipt, untilMs)
      note(['keepDedupe', { queue, key, receipt, untilMs }])
      using(session, ({ ask }) => ask.keepDedupe.run(id, storedKey, storedReceipt, untilMs, checksum))
    },
    forgetDedupes(nowMs, limit) {
      const { changes } = using(session, ({ ask }) => ask.forgetDedupes.run(nowMs, limit))
      if (changes > 0) note(['forgetDedupes', nowMs, limit])
      return changes
    },
    forgetDead(nowMs, limit) {
      const over = using(session, ({ ask }) => ask.keptBefore.all(nowMs, limit)).map(read)
      for (const message of over) remove(message)
      return over.length
    },
    keepQueue(queue) {
      const { name, isPaused, settings, bounds } = queue
      note(['keepQueue', { name, isPaused, settings, bounds }])
      queues.keep(queue)
    },
    rename(queue, lane) {
      note(['rename', queue, lane])
      queues.rename(queues.find(queue)!, lane)
    },
    dropQueue(queue) {
      note(['dropQueue', queue])
      queues.drop(queues.find(queue)!)
    },
    isCrowded: name => Math.max(queues.size(), queues.find(name)?.lanes.length ?? 0) > limits.queueNamesKept,
    idleQueues: count =>
      queues
        .next(count)
        .filter(queue => saysNothing(queueRowOf(queue)!) && !hasDedupe(queue))
        .map(({ name }) => name),
    idleLanes(name, count) {
      const queue = queues.find(name)!
      // What is dead, or behind others, has to be looked through.
      if (queue.counts.behind + queue.counts.dead > limits.messagesLooked) return []
      return queues
        .nextLanes(queue, count)
        .filter(({ id }) => using(session, ({ ask }) => ask.messageOfLane.get(id, queue.id)) === null)
        .map(({ functionId, namespace }) => ({ queue: name, functionId, namespace }))
    },
    dropLane(lane) {
      note(['dropLane', lane])
      queues.dropLane(queues.findLane(lane)!)
    },
    beforeSettling: queues.keepCounts,
    committed: queues.committed,
    mark: queues.mark,
    undoTo: queues.undoTo,
    forgetAll: queues.forgetAll,
  }
}

/** Nothing has happened to it, and nothing was said with it but what is said with every call. */
function isPlain(message: Message): boolean {
  if (message.group !== undefined || message.metadata !== undefined) return false
  if (message.dueAtMs !== undefined || message.deadAtMs !== undefined) return false
  return message.failures === 0 && message.reports.length === 0
}

function earlier(one: number | null | undefined, other: number | null | undefined): number | undefined {
  if (one == null || other == null) return one ?? other ?? undefined
  return Math.min(one, other)
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
