/**
 * What the queues of a partition keep, as their commands see it. Like `../tables.ts`: synchronous, in the transaction that is
 * open, with one conformance suite over all ways to keep it.
 */
import type { Message, Place } from './message.ts'

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

/** Place in the list of dead messages. */
export interface DeadPlace {
  readonly deadAtMs: number
  readonly number: number
}

export interface QueueCounts {
  /** Not dead: ready, scheduled, leased, backing off, behind another of their group. */
  readonly waiting: number
  readonly dead: number
}

/** Throws a `CorruptData` if what it finds is not what was written. */
export interface ReadQueueTables {
  get(number: number): Message | undefined
  /** That was published with this receipt. */
  byReceipt(receipt: string): Message | undefined
  /** Messages of a queue that may be leased and have no time, by priority and number; after a place. */
  ready(queue: string, after: Place | undefined, limit: number): Message[]
  /** Messages of a queue that may be leased from a time on that has come, earliest first; after a place. */
  due(queue: string, nowMs: number, after: DuePlace | undefined, limit: number): Message[]
  /** The earliest time behind `afterMs` that a message of a queue waits for. */
  nextDueMs(queue: string, afterMs: number): number | undefined
  /** The oldest of a group that is not dead. */
  oldestOfGroup(queue: string, group: string): Message | undefined
  /** Dead messages of a queue, latest first; after a place. */
  dead(queue: string, after: DeadPlace | undefined, limit: number): Message[]
  /** Those that died first. */
  oldestDead(queue: string, limit: number): Message[]
  counts(queue: string): QueueCounts
  dedupe(queue: string, key: string): Dedupe | undefined
}

export interface QueueTables extends ReadQueueTables {
  /** Of the next message: higher than all before, and it never comes twice; some may be left out. */
  nextNumber(): number
  /** Its number is from `nextNumber`. */
  add(message: Message): void
  /** Its time, failures, place in its group, whether it is dead. The rest of it never changes. */
  change(before: Message, message: Message): void
  remove(message: Message): void
  keepDedupe(dedupe: Dedupe): void
  /** Those whose time has passed; returns how many. */
  forgetDedupes(nowMs: number, limit: number): number
}
