/** Queues in memory: what they hold ends with the process. */
import { limits } from '../../protocol/limits.ts'
import { createSortedList, type SortedList } from '../memory/sortedList.ts'
import { compareText } from '../text.ts'
import { first, upTo } from './beginning.ts'
import {
  canBeLeased,
  comparePlaces,
  type KeptState,
  keptStateOf,
  type Lane,
  laneId,
  type Message,
  type Place,
} from './message.ts'
import {
  type DeadPlace,
  type Dedupe,
  type DuePlace,
  NO_BOUNDS,
  NO_COUNTS,
  type QueueCounts,
  type QueueRow,
  type QueueTables,
  saysNothing,
} from './tables.ts'

type Messages = SortedList<Message>

const byNumber = (one: Message, other: Message): number => one.number - other.number
const byDue = (one: DuePlace, other: DuePlace): number =>
  one.dueAtMs - other.dueAtMs || one.number - other.number
const duePlace = ({ dueAtMs, number }: Message): DuePlace => ({ dueAtMs: dueAtMs!, number })
const byUntil = (one: Dedupe, other: Dedupe): number =>
  one.untilMs - other.untilMs || compareText(dedupeId(one.queue, one.key), dedupeId(other.queue, other.key))
const byKept = (one: Message, other: Message): number =>
  one.keptUntilMs! - other.keptUntilMs! || one.number - other.number
const byDeath = (one: DeadPlace, other: DeadPlace): number =>
  other.deadAtMs - one.deadAtMs || other.number - one.number
const deadPlace = ({ deadAtMs, number }: Message): DeadPlace => ({ deadAtMs: deadAtMs!, number })

interface KeptLane {
  readonly lane: Lane
  readonly ready: Messages
  readonly timed: Messages
}

interface Kept {
  row: Omit<QueueRow, 'counts'>
  readonly lanes: Map<string, KeptLane>
  readonly latestDead: Messages
  readonly oldestDead: Messages
  readonly groups: Map<string, Messages>
  readonly counts: Record<KeptState | 'bytes', number>
}

/** `undoBy` is given what takes each step back, to be called in reverse order. */
export function createMemoryQueueTables(undoBy: (step: () => void) => void): QueueTables {
  const messages = new Map<number, Message>()
  const receipts = new Map<string, Message>()
  const queues = new Map<string, Kept>()
  const dedupes = new Map<string, Dedupe>()
  const dedupesByTime = createSortedList<Dedupe>(byUntil)
  const keptDead = createSortedList<Message>(byKept)
  let lastNumber = 0
  let queueWalk = queues.keys()
  const laneWalks = new WeakMap<Kept, MapIterator<KeptLane>>()

  function known(queue: string): Kept {
    const found = queues.get(queue)
    if (found !== undefined) return found
    const kept: Kept = {
      row: { name: queue, isPaused: false, settings: undefined, bounds: NO_BOUNDS },
      lanes: new Map(),
      latestDead: createSortedList((one, other) => byDeath(deadPlace(one), deadPlace(other))),
      oldestDead: createSortedList((one, other) => byDeath(deadPlace(other), deadPlace(one))),
      groups: new Map(),
      counts: { ready: 0, timed: 0, behind: 0, dead: 0, bytes: 0 },
    }
    queues.set(queue, kept)
    undoBy(() => queues.delete(queue))
    return kept
  }

  function knownLane(kept: Kept, message: Message): KeptLane {
    const id = laneId(message)
    const found = kept.lanes.get(id)
    if (found !== undefined) return found
    const { queue, functionId, namespace } = message
    const lane: KeptLane = {
      lane: { queue, functionId, namespace },
      ready: createSortedList<Message>(comparePlaces),
      timed: createSortedList((one, other) => byDue(duePlace(one), duePlace(other))),
    }
    kept.lanes.set(id, lane)
    undoBy(() => kept.lanes.delete(id))
    return lane
  }

  const laneOf = (lane: Lane): KeptLane | undefined => queues.get(lane.queue)?.lanes.get(laneId(lane))

  function count({ counts }: Kept, message: Message, by: 1 | -1): void {
    const state = keptStateOf(message)
    counts[state] += by
    if (state !== 'dead') counts.bytes += by * Buffer.byteLength(message.data)
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
    count(kept, message, 1)
    const { ready, timed } = knownLane(kept, message)
    if (message.deadAtMs !== undefined) {
      kept.latestDead.add(message)
      if (message.keptUntilMs !== undefined) keptDead.add(message)
      kept.oldestDead.add(message)
      return
    }
    if (message.group !== undefined) groupOf(kept, message.group).add(message)
    if (canBeLeased(message)) (message.dueAtMs === undefined ? ready : timed).add(message)
  }

  function take(message: Message, kept = known(message.queue)): void {
    messages.delete(message.number)
    if (message.receipt !== undefined) receipts.delete(message.receipt)
    count(kept, message, -1)
    const { ready, timed } = knownLane(kept, message)
    if (message.deadAtMs !== undefined) {
      kept.latestDead.remove(message)
      if (message.keptUntilMs !== undefined) keptDead.remove(message)
      kept.oldestDead.remove(message)
      return
    }
    if (message.group !== undefined) {
      const group = groupOf(kept, message.group)
      group.remove(message)
      if (group.first() === undefined) kept.groups.delete(message.group)
    }
    if (canBeLeased(message)) (message.dueAtMs === undefined ? ready : timed).remove(message)
  }

  function replaceDedupe(id: string, before: Dedupe | undefined, after: Dedupe | undefined): void {
    if (before !== undefined) dedupesByTime.remove(before)
    if (after !== undefined) dedupesByTime.add(after)
    if (after === undefined) dedupes.delete(id)
    else dedupes.set(id, after)
  }

  function setDedupe(id: string, dedupe: Dedupe | undefined): void {
    const before = dedupes.get(id)
    replaceDedupe(id, before, dedupe)
    undoBy(() => replaceDedupe(id, dedupe, before))
  }

  function remove({ number }: Message): void {
    const kept = messages.get(number)!
    take(kept)
    undoBy(() => insert(kept))
  }

  const dedupesOf = (name: string): Dedupe[] => [...dedupes.values()].filter(({ queue }) => queue === name)

  return {
    get: number => messages.get(number),
    byReceipt: receipt => receipts.get(receipt),
    ready(lane, after, limit, most) {
      const list = laneOf(lane)?.ready
      if (list === undefined) return []
      const found = list.from(message => after !== undefined && comparePlaces(message, after) <= 0)
      return first(limit, upTo(most, found))
    },
    due(lane, nowMs, after, limit, most) {
      const list = laneOf(lane)?.timed
      if (list === undefined) return []
      const isBefore = (message: Message): boolean =>
        after !== undefined && byDue(duePlace(message), after) <= 0
      return first(limit, upTo(most, list.from(isBefore)), ({ dueAtMs }) => dueAtMs! <= nowMs)
    },
    nextDueMs(lane, afterMs) {
      const list = laneOf(lane)?.timed
      return list === undefined
        ? undefined
        : first(
            1,
            list.from(({ dueAtMs }) => dueAtMs! <= afterMs),
          )[0]?.dueAtMs
    },
    oldest(lane, after, limit) {
      const list = laneOf(lane)?.ready
      if (list === undefined) return []
      const behind = (place: Place) => list.from(message => comparePlaces(message, place) <= 0)
      const found: Message[] = []
      // The first of each priority.
      for (let next = list.first(); next !== undefined; ) {
        const { priority } = next
        const isSame = (message: Message): boolean => message.priority === priority
        found.push(...first(limit, behind({ priority, number: after }), isSame))
        next = first(1, behind({ priority, number: Number.MAX_SAFE_INTEGER }))[0]
      }
      return found
        .sort(byNumber)
        .slice(0, limit)
        .map(({ number }) => number)
    },
    hasGroup: (queue, group) => queues.get(queue)?.groups.has(group) === true,
    oldestOfGroup: (queue, group) => queues.get(queue)?.groups.get(group)?.first(),
    grouped(queue, after, limit) {
      const { groups = new Map<string, Messages>() } = queues.get(queue) ?? {}
      const found: Message[] = []
      for (const group of [...groups.keys()].sort(compareText)) {
        const place = after === undefined ? 1 : compareText(group, after.group)
        if (place < 0) continue
        const isBefore = ({ number }: Message): boolean => place === 0 && number <= after!.number
        found.push(...first(limit - found.length, groups.get(group)!.from(isBefore)))
      }
      return found
    },
    dead(queue, after, limit) {
      const list = queues.get(queue)?.latestDead
      if (list === undefined) return []
      return first(
        limit,
        list.from(message => after !== undefined && byDeath(deadPlace(message), after) <= 0),
      )
    },
    deadPlaces(queue, limit) {
      const list = queues.get(queue)?.latestDead
      if (list === undefined) return []
      return first(
        limit,
        list.from(() => false),
      ).map(deadPlace)
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
    counts: queue => countsOf(queues.get(queue)),
    bounds: queue => queues.get(queue)?.row.bounds ?? NO_BOUNDS,
    queue: name => rowOf(queues.get(name)),
    queues(after, limit) {
      const names = [...queues.keys()].filter(name => after === undefined || compareText(name, after) > 0)
      return names
        .sort(compareText)
        .slice(0, limit)
        .map(name => rowOf(queues.get(name))!)
    },
    lanes: queue => [...(queues.get(queue)?.lanes.values() ?? [])].map(({ lane }) => lane),
    dedupe: (queue, key) => dedupes.get(dedupeId(queue, key)),
    nextExpiryMs() {
      const times = [dedupesByTime.first()?.untilMs, keptDead.first()?.keptUntilMs]
      return times.filter(ms => ms !== undefined).sort((one, other) => one - other)[0]
    },
    nextNumber: () => ++lastNumber,
    add(message) {
      const isMade = laneOf(message) === undefined
      insert(message)
      undoBy(() => take(message))
      return isMade
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
    remove,
    removeKnown(message) {
      const kept = messages.get(message.number)
      // A message is replaced when it changes.
      if (kept !== message && !Bun.deepEquals(kept, message)) return false
      remove(message)
      return true
    },
    keepDedupe: dedupe => setDedupe(dedupeId(dedupe.queue, dedupe.key), dedupe),
    forgetDedupes(nowMs, limit) {
      const over: Dedupe[] = []
      for (const dedupe of dedupesByTime.from(() => false)) {
        if (over.length >= limit || dedupe.untilMs > nowMs) break
        over.push(dedupe)
      }
      for (const { queue, key } of over) setDedupe(dedupeId(queue, key), undefined)
      return over.length
    },
    forgetDead(nowMs, limit) {
      const over = first(
        limit,
        keptDead.from(() => false),
        ({ keptUntilMs }) => keptUntilMs! <= nowMs,
      )
      for (const message of over) remove(message)
      return over.length
    },
    keepQueue(row) {
      const kept = known(row.name)
      const before = kept.row
      kept.row = row
      undoBy(() => {
        kept.row = before
      })
    },
    rename(queue, lane) {
      const from = queues.get(queue)!
      const { functionId, namespace } = lane
      const moved = [...messages.values()].filter(message => message.queue === queue)
      queues.delete(queue)
      for (const dedupe of dedupesOf(queue)) {
        setDedupe(dedupeId(queue, dedupe.key), undefined)
        setDedupe(dedupeId(lane.queue, dedupe.key), { ...dedupe, queue: lane.queue })
      }
      const to = known(lane.queue)
      to.row = { ...from.row, name: lane.queue }
      for (const message of moved) {
        const isNamed = message.functionId !== undefined
        take(message, from)
        insert({ ...message, queue: lane.queue, ...(isNamed ? {} : { functionId, namespace }) })
      }
      undoBy(() => {
        for (const { number } of moved) take(messages.get(number)!)
        queues.delete(lane.queue)
        queues.set(queue, from)
        for (const message of moved) insert(message)
      })
    },
    dropQueue(name) {
      const kept = queues.get(name)!
      queues.delete(name)
      for (const { key } of dedupesOf(name)) setDedupe(dedupeId(name, key), undefined)
      undoBy(() => queues.set(name, kept))
    },
    idleQueues(count) {
      if (queues.size <= limits.queueNamesKept) return []
      const names = [...queueWalk.take(count)]
      if (names.length < count) queueWalk = queues.keys()
      return names.filter(name => saysNothing(rowOf(queues.get(name))!) && dedupesOf(name).length === 0)
    },
    idleLanes(name, count) {
      const kept = queues.get(name)!
      if (kept.lanes.size <= limits.queueNamesKept) return []
      const walk = laneWalks.get(kept) ?? kept.lanes.values()
      const looked = [...walk.take(count)]
      if (looked.length === count) laneWalks.set(kept, walk)
      else laneWalks.delete(kept)
      if (kept.counts.behind + kept.counts.dead > limits.messagesLooked) return []
      const hidden = [...all(kept.latestDead), ...[...kept.groups.values()].flatMap(all)].map(laneId)
      return looked
        .filter(({ ready, timed }) => ready.first() === undefined && timed.first() === undefined)
        .filter(({ lane }) => !hidden.includes(laneId(lane)))
        .map(({ lane }) => lane)
    },
    dropLane(lane) {
      const { lanes } = queues.get(lane.queue)!
      const before = [...lanes]
      lanes.delete(laneId(lane))
      undoBy(() => {
        lanes.clear()
        for (const [id, one] of before) lanes.set(id, one)
      })
    },
  }
}

const all = (list: Messages): Message[] => [...list.from(() => false)]

function countsOf(kept: Kept | undefined): QueueCounts {
  if (kept === undefined) return NO_COUNTS
  const { counts } = kept
  return { ...counts, waiting: counts.ready + counts.timed + counts.behind }
}

const rowOf = (kept: Kept | undefined): QueueRow | undefined =>
  kept === undefined ? undefined : { ...kept.row, counts: countsOf(kept) }

const dedupeId = (queue: string, key: string): string => `${queue.length}:${queue}${key}`
