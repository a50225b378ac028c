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
  /** What the publisher says beside it; delivered with the message. */
  readonly metadata: JsonText | undefined
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
  /** Of a dead one: removed then, if its queue keeps dead messages for a time. */
  readonly keptUntilMs: number | undefined
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

/**
 * Messages of a queue for one function, or for whoever takes them. What may be leased is asked for by lane, so that a function
 * that is away hides nobody else; groups are in order over all lanes of a queue. A message is in the lane that it names.
 */
export type Lane = Pick<Message, 'queue' | 'functionId' | 'namespace'>

/** For maps: no two lanes have the same. */
export function laneId({ queue, functionId, namespace }: Lane): string {
  const ofFunction = functionId === undefined ? '' : `f${functionId.length}:${functionId}`
  const ofNamespace = namespace === undefined ? '' : `n${namespace.length}:${namespace}`
  return `${queue.length}:${queue}${ofFunction}${ofNamespace}`
}

/** Characters of what its publisher has said: what it costs to have it in memory. */
export const lengthOf = ({ data, metadata }: Pick<Message, 'data' | 'metadata'>): number =>
  data.length + (metadata?.length ?? 0)

/** Where a message stands among the ready ones of its lane. */
export type Place = Pick<Message, 'priority' | 'number'>

/** Negative: `one` goes first. */
export const comparePlaces = (one: Place, other: Place): number =>
  other.priority - one.priority || one.number - other.number

/** What a lease may be given for, now or when it is due. */
export const canBeLeased = ({ isHead, deadAtMs }: Message): boolean => isHead && deadAtMs === undefined

/** What counts a message, by what is written of it: time passes without that. */
export type KeptState = 'ready' | 'timed' | 'behind' | 'dead'

/** `timed`: it has a time, come or not. `behind`: another one of its group is before it, whether it has a time or not. */
export function keptStateOf({ deadAtMs, isHead, dueAtMs }: Message): KeptState {
  if (deadAtMs !== undefined) return 'dead'
  if (!isHead) return 'behind'
  return dueAtMs === undefined ? 'ready' : 'timed'
}

/** For those who hand messages out: told when the transaction is committed. */
export type MessageChange =
  /** `placed`: it may be leased, from its time on if it has one. `gone`: it may not be any more (done, dead, discarded). */
  | { readonly event: 'placed' | 'gone'; readonly message: Message }
  /** It could be leased where it was (`before`), and is in another queue now, where it may be behind others of its group. */
  | { readonly event: 'moved'; readonly message: Message; readonly before: Message }

/** What was done to a queue as a whole. */
export type QueueChange =
  | { readonly event: 'configured' | 'paused' | 'resumed' | 'dropped'; readonly queue: string }
  /** Its messages are those of the queue of `to` now, and those that named no function are of that lane. */
  | { readonly event: 'adopted'; readonly queue: string; readonly to: Lane; readonly isPaused: boolean }
  /** A commit of which the disk did not say that it has it was made after all: read anew what there is, of all queues. */
  | { readonly event: 'unheard' }
