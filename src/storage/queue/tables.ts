/**
 * What the queues of a partition keep, as their commands see it. Like `../tables.ts`: synchronous, in the transaction that is
 * open, with one conformance suite over all ways to keep it.
 */
import type { JsonText } from '../../protocol/jsonText.ts'
import type { Lane, Message, Place } from './message.ts'

/** A publisher has used this key; until a time the same key is the same message. */
export interface Dedupe {
  readonly queue: string
  readonly key: string
  /** Of the message that was published with it. */
  readonly receipt: string
  /** Wall clock, milliseconds. */
  readonly untilMs: number
}

/** Place in the list of messages that have a time. */
export interface DuePlace {
  readonly dueAtMs: number
  readonly number: number
}

/** No message is due later. */
export const MAX_DUE = Number.MAX_SAFE_INTEGER

/** A time that can be kept: in whole milliseconds, and not beyond the last one. */
export const storableMs = (ms: number): number => Math.min(Math.ceil(ms), MAX_DUE)

/** Place in the list of dead messages. */
export interface DeadPlace {
  readonly deadAtMs: number
  readonly number: number
}

/** Place in the list of messages that have a group. */
export interface GroupPlace {
  readonly group: string
  readonly number: number
}

/** What a queue may hold. Absent: as much as there is room for. */
export interface QueueBounds {
  /** Messages that are not dead, and bytes of their data. */
  readonly messages?: number | undefined
  readonly bytes?: number | undefined
  /** Beyond that the oldest are dropped, and nobody is refused. */
  readonly isLossy?: boolean | undefined
  /** Dead messages: how many, the latest; and how long, in milliseconds, for those that die from now on. */
  readonly dead?: number | undefined
  readonly deadMs?: number | undefined
}

/** How many messages a queue has, each counted once (`keptStateOf`). */
export interface QueueCounts {
  /** Not dead: those of the next three together. */
  readonly waiting: number
  readonly ready: number
  readonly timed: number
  readonly behind: number
  readonly dead: number
  /** Of the data of those that are not dead. */
  readonly bytes: number
}

export const NO_BOUNDS: QueueBounds = {}
export const NO_COUNTS: QueueCounts = { waiting: 0, ready: 0, timed: 0, behind: 0, dead: 0, bytes: 0 }

export interface QueueRow {
  readonly name: string
  readonly isPaused: boolean
  /** Not looked into here. */
  readonly settings: JsonText | undefined
  readonly bounds: QueueBounds
  readonly counts: QueueCounts
}

/** Throws a `CorruptData` if what it finds is not what was written. */
export interface ReadQueueTables {
  get(number: number): Message | undefined
  /** That was published with this receipt. */
  byReceipt(receipt: string): Message | undefined
  /**
   * Messages of a lane that may be leased and have no time, by priority and number; after a place. The one with which they have more
   * than `most` characters together (`lengthOf`) is the last.
   */
  ready(lane: Lane, after: Place | undefined, limit: number, most?: number): Message[]
  /** Messages of a lane that may be leased from a time on that has come, earliest first; after a place. `most`: as above. */
  due(lane: Lane, nowMs: number, after: DuePlace | undefined, limit: number, most?: number): Message[]
  /** The earliest time behind `afterMs` that a message of a lane waits for. */
  nextDueMs(lane: Lane, afterMs: number): number | undefined
  /**
   * Numbers of messages of a lane that may be leased and have no time, whatever their priority; those higher than `after`, the lowest first. For whoever sees to it
   * that low priorities have their turn, too. None of them is read.
   */
  oldest(lane: Lane, after: number, limit: number): number[]
  /** One of a group is there that is not dead. */
  hasGroup(queue: string, group: string): boolean
  /** The oldest of a group that is not dead. */
  oldestOfGroup(queue: string, group: string): Message | undefined
  /** Messages of a queue that have a group and are not dead, heads too: group by group; after a place. */
  grouped(queue: string, after: GroupPlace | undefined, limit: number): Message[]
  /** Dead messages of a queue, latest first; after a place. */
  dead(queue: string, after: DeadPlace | undefined, limit: number): Message[]
  /** Where they are in that list, without reading them; the first ones. */
  deadPlaces(queue: string, limit: number): DeadPlace[]
  /** Those that died first. */
  oldestDead(queue: string, limit: number): Message[]
  /** Of a queue that nobody knows: nothing. */
  counts(queue: string): QueueCounts
  dedupe(queue: string, key: string): Dedupe | undefined
  queue(name: string): QueueRow | undefined
  /** Of a queue that nobody knows: none. */
  bounds(queue: string): QueueBounds
  /** In the order of their names, after one. */
  queues(after: string | undefined, limit: number): QueueRow[]
  /** Those of a queue that have ever had a message, the oldest first. */
  lanes(queue: string): Lane[]
  /** When the next dedupe key or dead message is to be forgotten. Wall clock, milliseconds. */
  nextExpiryMs(): number | undefined
}

export interface QueueTables extends ReadQueueTables {
  /** Of the next message: higher than all before, and it never comes twice; some may be left out. */
  nextNumber(): number
  /** Its number is from `nextNumber`. True: the lane of it was not there before. */
  add(message: Message): boolean
  /** Its time, failures, place in its group, whether it is dead. The rest of it never changes. */
  change(before: Message, message: Message): void
  remove(message: Message): void
  /** Only if it is in the tables as it is here; returns whether. Cheaper than to read it before. */
  removeKnown(message: Message): boolean
  /** Its queue is there. */
  keepDedupe(dedupe: Dedupe): void
  /** Those whose time has passed; returns how many. */
  forgetDedupes(nowMs: number, limit: number): number
  /** Dead messages that are not kept any longer; returns how many. */
  forgetDead(nowMs: number, limit: number): number
  /** What a queue has beside its messages; it is made if it is not there. */
  keepQueue(queue: Omit<QueueRow, 'counts'>): void
  /** The queue has another name from now on, one that no queue has; its messages without a function are of this lane. */
  rename(queue: string, lane: Lane): void
  /** It has no messages. */
  dropQueue(queue: string): void
  /**
   * If there are more than are kept without messages: of the next `count` queues, those that hold nothing and say nothing. Each call goes on where the one
   * before has ended.
   */
  idleQueues(count: number): string[]
  /** The same of the lanes of a queue: those that hold nothing, as far as that can be seen soon. */
  idleLanes(queue: string, count: number): Lane[]
  /** It has no messages. */
  dropLane(lane: Lane): void
}

/** There is nothing in it, and nothing is to be known of it when a message comes. Keys of publishers are not looked at. */
export const saysNothing = ({ isPaused, settings, bounds, counts }: QueueRow): boolean =>
  !isPaused &&
  settings === undefined &&
  counts.waiting + counts.dead === 0 &&
  Object.values(bounds).every(bound => bound === undefined)
