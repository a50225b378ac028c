/** Queues in memory: what they hold ends with the process. */
import { createSortedList, type SortedList } from '../memory/sortedList.ts'
import { canBeLeased, comparePlaces, type Message } from './message.ts'
import type { DeadPlace, Dedupe, DuePlace, QueueTables } from './tables.ts'

type Messages = SortedList<Message>

const byNumber = (one: Message, other: Message): number => one.number - other.number
const byDue = (one: DuePlace, other: DuePlace): number =>
  one.dueAtMs - other.dueAtMs || one.number - other.number
const duePlace = ({ dueAtMs, number }: Message): DuePlace => ({ dueAtMs: dueAtMs!, number })
const byDeath = (one: DeadPlace, other: DeadPlace): number =>
  other.deadAtMs - one.deadAtMs || other.number - one.number
const deadPlace = ({ deadAtMs, number }: Message): DeadPlace => ({ deadAtMs: deadAtMs!, number })

/** A queue; a group has the queue's name in its id. */
interface Kept {
  readonly ready: Messages
  readonly timed: Messages
  readonly latestDead: Messages
  readonly oldestDead: Messages
  readonly groups: Map<string, Messages>
  waiting: number
  died: number
}

/** `undoBy` is given what takes each step back, to be called in reverse order. */
export function createMemoryQueueTables(undoBy: (step: () => void) => void): QueueTables {
  const messages = new Map<number, Message>()
  const receipts = new Map<string, Message>()
  const queues = new Map<string, Kept>()
  const dedupes = new Map<string, Dedupe>()
  let lastNumber = 0

  function known(queue: string): Kept {
    const found = queues.get(queue)
    if (found !== undefined) return found
    const kept: Kept = {
      ready: createSortedList<Message>(comparePlaces),
      timed: createSortedList((one, other) => byDue(duePlace(one), duePlace(other))),
      latestDead: createSortedList((one, other) => byDeath(deadPlace(one), deadPlace(other))),
      oldestDead: createSortedList((one, other) => byDeath(deadPlace(other), deadPlace(one))),
      groups: new Map(),
      waiting: 0,
      died: 0,
    }
    queues.set(queue, kept)
    return kept
  }

  function groupOf({ groups }: Kept, group: string): Messages {
    let list = groups.get(group)
    if (list === undefined) {
      list = createSortedList(byNumber)
      groups.set(group, list)
    }
    return list
  }

  function insert(message: Message): void {
    const kept = known(message.queue)
    messages.set(message.number, message)
    if (message.receipt !== undefined) receipts.set(message.receipt, message)
    if (message.deadAtMs !== undefined) {
      kept.died++
      kept.latestDead.add(message)
      kept.oldestDead.add(message)
      return
    }
    kept.waiting++
    if (message.group !== undefined) groupOf(kept, message.group).add(message)
    if (canBeLeased(message)) (message.dueAtMs === undefined ? kept.ready : kept.timed).add(message)
  }

  function take(message: Message): void {
    const kept = known(message.queue)
    messages.delete(message.number)
    if (message.receipt !== undefined) receipts.delete(message.receipt)
    if (message.deadAtMs !== undefined) {
      kept.died--
      kept.latestDead.remove(message)
      kept.oldestDead.remove(message)
      return
    }
    kept.waiting--
    if (message.group !== undefined) {
      const group = groupOf(kept, message.group)
      group.remove(message)
      if (group.first() === undefined) kept.groups.delete(message.group)
    }
    if (canBeLeased(message)) (message.dueAtMs === undefined ? kept.ready : kept.timed).remove(message)
  }

  function setDedupe(id: string, dedupe: Dedupe | undefined): void {
    const before = dedupes.get(id)
    if (dedupe === undefined) dedupes.delete(id)
    else dedupes.set(id, dedupe)
    undoBy(() => {
      if (before === undefined) dedupes.delete(id)
      else dedupes.set(id, before)
    })
  }

  return {
    get: number => messages.get(number),
    byReceipt: receipt => receipts.get(receipt),
    ready(queue, after, limit) {
      const list = queues.get(queue)?.ready
      if (list === undefined) return []
      return first(
        limit,
        list.from(message => after !== undefined && comparePlaces(message, after) <= 0),
      )
    },
    due(queue, nowMs, after, limit) {
      const list = queues.get(queue)?.timed
      if (list === undefined) return []
      const isBefore = (message: Message): boolean =>
        after !== undefined && byDue(duePlace(message), after) <= 0
      return first(limit, list.from(isBefore), ({ dueAtMs }) => dueAtMs! <= nowMs)
    },
    nextDueMs(queue, afterMs) {
      const list = queues.get(queue)?.timed
      return list === undefined
        ? undefined
        : first(
            1,
            list.from(({ dueAtMs }) => dueAtMs! <= afterMs),
          )[0]?.dueAtMs
    },
    oldestOfGroup: (queue, group) => queues.get(queue)?.groups.get(group)?.first(),
    dead(queue, after, limit) {
      const list = queues.get(queue)?.latestDead
      if (list === undefined) return []
      return first(
        limit,
        list.from(message => after !== undefined && byDeath(deadPlace(message), after) <= 0),
      )
    },
    oldestDead(queue, limit) {
      const list = queues.get(queue)?.oldestDead
      return list === undefined
        ? []
        : first(
            limit,
            list.from(() => false),
          )
    },
    counts(queue) {
      const kept = queues.get(queue)
      return { waiting: kept?.waiting ?? 0, dead: kept?.died ?? 0 }
    },
    dedupe: (queue, key) => dedupes.get(dedupeId(queue, key)),
    nextNumber: () => ++lastNumber,
    add(message) {
      insert(message)
      undoBy(() => take(message))
    },
    change({ number }, message) {
      const before = messages.get(number)!
      take(before)
      insert(message)
      undoBy(() => {
        take(message)
        insert(before)
      })
    },
    remove({ number }) {
      const kept = messages.get(number)!
      take(kept)
      undoBy(() => insert(kept))
    },
    keepDedupe: dedupe => setDedupe(dedupeId(dedupe.queue, dedupe.key), dedupe),
    forgetDedupes(nowMs, limit) {
      const over = [...dedupes].filter(([, { untilMs }]) => untilMs <= nowMs).slice(0, limit)
      for (const [id] of over) setDedupe(id, undefined)
      return over.length
    },
  }
}

const dedupeId = (queue: string, key: string): string => `${queue.length}:${queue}${key}`

/** At most `limit` of them, until there is one that does not fit. */
function first(limit: number, found: Iterable<Message>, fits = (_: Message): boolean => true): Message[] {
  const taken: Message[] = []
  if (limit <= 0) return taken
  for (const message of found) {
    if (!fits(message)) break
    taken.push(message)
    if (taken.length >= limit) break
  }
  return taken
}
