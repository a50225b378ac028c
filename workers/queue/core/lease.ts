import type { Message } from '../../../src/storage/queue/message.ts'
import type { RetryPolicy } from './verdict.ts'

/** The right to handle a message, until a time. It is in memory only: whoever holds one when the engine ends has lost it. */
export interface Lease {
  /** Never comes twice, not even after a restart. Who ends a lease shows it. */
  readonly token: string
  readonly message: Message
  /** From 1. */
  readonly attempt: number
  /** A connection, or whoever takes leases. */
  readonly holder: string
  /** Wall clock, milliseconds. */
  readonly untilMs: number
  /** What becomes of the message when this attempt fails. */
  readonly retry: RetryPolicy
  /** It has one of the places that the queue's concurrency gives. */
  readonly hasPlace: boolean
}

/** Why a message is not handled now. */
export type Reason =
  | 'leased'
  /** Its end is being written. */
  | 'ending'
  | 'predecessor'
  | 'backing_off'
  | 'scheduled'
  | 'paused'
  | 'no_worker'
  | 'rate'
  | 'no_capacity'
  | 'dead'
  /** Nothing is in the way: it is the next, or one of those behind it. */
  | 'ready'

/** Why a whole queue, or a lane of it, hands out nothing, the first that applies. */
export type Parking = 'paused' | 'no_worker' | 'rate' | 'no_capacity'
export const PARKINGS: readonly Parking[] = ['paused', 'no_worker', 'rate', 'no_capacity']
