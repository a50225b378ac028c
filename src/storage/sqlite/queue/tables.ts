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
import type { Connection } from '../connection.ts'
import { type Session, using } from '../session.ts'
import { addMessageToTotals } from '../totals.ts'
import { createFreshMessages } from './fresh.ts'
import { createQueues, type KnownLane, type KnownQueue } from './queues.ts'
import { messageChecksum, messageOfRow, reportsText } from './rows.ts'
import type { MessageRow } from './statements.ts'
import type { QueueStep } from './steps.ts'
import { createUndo } from './undo.ts'
import { writeRow } from './writeRow.ts'

export interface SqliteQueueTables extends QueueTables {
  /** Of a row of messages. Throws `CorruptData` if it is not what was written. */
  messageOf(row: MessageRow): Message
  /** Each message has its row. */
  writeRows(): void
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
  const undo = createUndo()
  const queues = createQueues(session, undo)
  const fresh = createFreshMessages(undo)

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

  /** Nothing is fresh any more, so that it can be looked for among the rows. */
  function writeRows(): void {
    if (fresh.isEmpty()) return
    // Half of them is as bad as anything else that was half done.
    const { hasWritten } = session
    session.hasWritten = true
    try {
      using(session, connection => {
        for (const { message, checksum } of fresh.takeAll())
          writeRow(connection, queues.findLane(message)!, message, checksum)
      })
    } catch (error) {
      session.isBehind = true
      throw error
    }
    session.hasWritten = hasWritten
  }

  function among<Result>(work: (connection: Connection) => Result): Result {
    writeRows()
    return using(session, work)
  }

  /** It is as `message` says; else nothing is done, and false returned. */
  function removeKnown(message: Message): boolean {
    const lane = queues.findLane(message)
    if (lane === undefined) return false
    const one = fresh.get(message.number)
    if (one !== undefined) {
      if (one.message !== message && one.checksum !== checksumOf(lane, message)) return false
      note(['remove', message.number])
      fresh.remove(one)
      count(lane, message, one.checksum, -1)
      return true
    }
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
    get: number =>
      fresh.get(number)?.message ?? readIfThere(using(session, ({ ask }) => ask.message.get(number))),
    byReceipt: receipt =>
      fresh.byReceipt(receipt) ??
      readIfThere(using(session, ({ ask }) => ask.messageByReceipt.get(storable(receipt)))),
    ready(lane, after, limit, most) {
      const id = queues.findLane(lane)?.id
      if (id === undefined || limit <= 0) return []
      const rows = among(({ ask }) => {
        const portion = createPortion(limit, most)
        if (after === undefined) return portion.add(ask.readyMessages.iterate(id, limit))
        portion.add(ask.readyOfRank.iterate(id, -after.priority, after.number, limit))
        return portion.add(ask.readyAfterRank.iterate(id, -after.priority, limit))
      })
      return rows.map(read)
    },
    due(lane, nowMs, after, limit, most) {
      const id = queues.findLane(lane)?.id
      if (id === undefined) return []
      const { dueAtMs, number } = after ?? { dueAtMs: 0, number: 0 }
      const rows = among(({ ask }) =>
        createPortion(limit, most).add(ask.dueMessages.iterate(id, nowMs, dueAtMs, number, limit)),
      )
      return rows.map(read)
    },
    nextDueMs(lane, afterMs) {
      const id = queues.findLane(lane)?.id
      return id === undefined ? undefined : among(({ ask }) => ask.nextDue.get(id, afterMs)?.at ?? undefined)
    },
    oldest(lane, after, limit) {
      const id = queues.findLane(lane)?.id
      if (id === undefined) return []
      return among(({ ask }) => {
        const found: number[] = []
        let rank = ask.nextRank.get(id, Number.MIN_SAFE_INTEGER)?.rank ?? null
        for (; rank !== null; rank = ask.nextRank.get(id, rank)?.rank ?? null) {
          for (const { number } of ask.numbersOfRank.iterate(id, rank, after, limit)) found.push(number)
        }
        return found.sort((one, other) => one - other).slice(0, limit)
      })
    },
    hasGroup(queue, group) {
      if (fresh.oldestOfGroup(queue, group) !== undefined) return true
      const id = queues.find(queue)?.id
      return id !== undefined && using(session, ({ ask }) => ask.hasGroup.get(id, storable(group))) !== null
    },
    oldestOfGroup(queue, group) {
      const id = queues.find(queue)?.id
      if (id === undefined) return undefined
      const one = fresh.oldestOfGroup(queue, group)
      const other = readIfThere(using(session, ({ ask }) => ask.oldestOfGroup.get(id, storable(group))))
      if (one === undefined || other === undefined) return one ?? other
      return one.number < other.number ? one : other
    },
    grouped(queue, after, limit) {
      const id = queues.find(queue)?.id
      if (id === undefined) return []
      const rows = among(({ ask }) => {
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
    deadPlaces(queue, limit) {
      const id = queues.find(queue)?.id
      return id === undefined ? [] : using(session, ({ ask }) => ask.deadPlaces.all(id, limit))
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
      const checksum = checksumOf(lane, message)
      count(lane, message, checksum, 1)
      if (message.deadAtMs !== undefined)
        using(session, connection => writeRow(connection, lane, message, checksum))
      else {
        fresh.put({ message, checksum })
        if (fresh.areMany()) writeRows()
      }
      return known === undefined
    },
    change(before, message) {
      note(['change', message])
      const lane = queues.findLane(message) ?? queues.addLane(message)
      const reports = reportsText(message)
      const checksum = messageChecksum(lane, message, reports)
      count(lane, before, checksumOf(lane, before), -1)
      count(lane, message, checksum, 1)
      const one = fresh.get(before.number)
      if (one !== undefined && message.deadAtMs === undefined) {
        fresh.put({ message, checksum })
        return
      }
      if (one !== undefined) {
        fresh.remove(one)
        using(session, connection => writeRow(connection, lane, message, checksum))
        return
      }
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
      writeRows()
      note(['rename', queue, lane])
      queues.rename(queues.find(queue)!, lane)
    },
    dropQueue(queue) {
      note(['dropQueue', queue])
      queues.drop(queues.find(queue)!)
    },
    idleQueues(count) {
      if (queues.size() <= limits.queueNamesKept) return []
      return queues
        .next(count)
        .filter(queue => saysNothing(queueRowOf(queue)!) && !hasDedupe(queue))
        .map(({ name }) => name)
    },
    idleLanes(name, count) {
      const queue = queues.find(name)!
      if (queue.lanes.length <= limits.queueNamesKept) return []
      // What is dead, or behind others, has to be looked through.
      if (queue.counts.behind + queue.counts.dead > limits.messagesLooked) return []
      return queues
        .nextLanes(queue, count)
        .filter(({ id }) => among(({ ask }) => ask.messageOfLane.get(id, queue.id)) === null)
        .map(({ functionId, namespace }) => ({ queue: name, functionId, namespace }))
    },
    dropLane(lane) {
      note(['dropLane', lane])
      queues.dropLane(queues.findLane(lane)!)
    },
    writeRows,
    beforeSettling() {
      writeRows()
      queues.keepCounts()
    },
    committed: undo.forget,
    mark: undo.mark,
    undoTo: undo.to,
    forgetAll() {
      queues.forgetAll()
      fresh.forgetAll()
      undo.forget()
    },
  }
}

/** Rows until there are enough of them, or they have more characters than `most`. What is behind them is not read. */
function createPortion(limit: number, most = Number.POSITIVE_INFINITY) {
  const rows: MessageRow[] = []
  let characters = 0
  return {
    /** Returns all so far. */
    add(more: Iterable<MessageRow>): MessageRow[] {
      if (rows.length >= limit || characters > most) return rows
      for (const row of more) {
        rows.push(row)
        characters += row.data.length + (row.metadata?.length ?? 0)
        if (rows.length >= limit || characters > most) break
      }
      return rows
    },
  }
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
