/** What publishers and consumers of the kill loop for queues say to each other, and what consumers write down. */

/** Who is called: the lanes of the loop, by the names of their functions. */
export const handlers = {
  /** A durable topic, in no order. */
  mail: 'fault::mail',
  /** The same topic, in order within groups. */
  ledger: 'fault::ledger',
  /** A named queue. */
  plain: 'fault::plain',
  /** A named queue that is in order within groups. */
  ordered: 'fault::ordered',
  /** A named queue that is paused. */
  held: 'fault::held',
} as const
export type Handler = keyof typeof handlers

export const TOPIC = 'orders'
export const MAX_ATTEMPTS = 4
export const LEASE_MS = 1000

/** What a handler does with a job. `poison`: it throws each time; the others, but for `quick` and `slow`, only at first. */
export type Mood = 'quick' | 'slow' | 'throws' | 'hangs' | 'poison'

export interface Job {
  readonly id: number
  readonly group: string
  readonly mood: Mood
  /** Wall clock, milliseconds: it must not begin before. */
  readonly notBefore?: number
}

/** A line of the journal that all consumers append to: it survives their end, and its order is that of what happened. */
export interface Line {
  readonly did: 'begin' | 'end' | 'throw'
  readonly handler: Handler
  readonly id: number
  readonly group: string
  readonly attempt: number
  readonly message: string
  readonly lease: string
  /** Wall clock, milliseconds. */
  readonly at: number
}
