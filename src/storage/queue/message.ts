/**
 * A message of a queue, as it is kept.
 *
 *     ready ──lease──▶ leased ──▶ done: it is not kept any more
 *       ▲                 │
 *       │ due             │ a failure
 *       ├── scheduled     ├──▶ backing off: due at a later time
 *       └── backing off   └──▶ dead: it failed for good
 *
 * A lease is not kept: whoever holds one may be gone, and then the message is as it was. What is kept is the message, its
 * failures, and its end. `docs/decisions/0018-queue.md` has the whole of it.
 */
import type { JsonText } from '../../protocol/jsonText.ts'

export interface Message {
  /** Grows with every message of the partition: messages are in this order. */
  readonly number: number
  readonly queue: string
  /** Given by the publisher. Absent: its receipt is made of its number (`receipt.ts`). */
  readonly receipt: string | undefined
  /** What is called with it. Absent: it waits for whoever takes it. */
  readonly functionId: string | undefined
  readonly namespace: string | undefined
  readonly data: JsonText
  /** Messages of one group are handled one after the other. */
  readonly group: string | undefined
  /** Higher ones first. */
  readonly priority: number
  readonly publishedAtMs: number
  /** Wall clock, milliseconds: not before then. It is scheduled if it has not failed, else it is backing off. */
  readonly dueAtMs: number | undefined
  /** Attempts that have failed. */
  readonly failures: number
  /** Of the latest failures, oldest first. */
  readonly reports: readonly FailureReport[]
  /** Nothing of its group is before it, so that it may be leased. True without a group; not of a dead one. */
  readonly isHead: boolean
  /** It failed for good, then. */
  readonly deadAtMs: number | undefined
  /** Context of the trace it was published in. */
  readonly traceparent: string | undefined
  readonly baggage: string | undefined
}

/** What became of one attempt. */
export interface FailureReport {
  /** Wall clock, milliseconds. */
  readonly atMs: number
  readonly code: string
  readonly message: string
  readonly stack?: string | undefined
  /** Who had it. */
  readonly worker?: string | undefined
}

/** Where a message stands among the ready ones of its queue. */
export type Place = Pick<Message, 'priority' | 'number'>

/** Negative: `one` goes first. */
export const comparePlaces = (one: Place, other: Place): number =>
  other.priority - one.priority || one.number - other.number

/** What a lease may be given for, now or when it is due. */
export const canBeLeased = ({ isHead, deadAtMs }: Message): boolean => isHead && deadAtMs === undefined

/** For those who hand messages out: told when the transaction is committed. */
export interface MessageChange {
  /** `placed`: it may be leased, from its time on if it has one. `gone`: it may not be any more (done, dead, discarded). */
  readonly event: 'placed' | 'gone'
  readonly message: Message
}
