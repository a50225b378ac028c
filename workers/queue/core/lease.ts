import type { Lane, Message } from '../../../src/storage/queue/message.ts'
import type { PerKey } from './keys.ts'
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
  /** Of its message, where so many of a key may be under way. */
  readonly key?: string | undefined
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
  /** Its queue is not in the settings any more. */
  | 'not_configured'
  | 'no_worker'
  | 'rate'
  | 'no_capacity'
  /** As many of its key are under way as may be. */
  | 'key'
  | 'dead'
  /** Nothing is in the way: it is the next, or one of those behind it. */
  | 'ready'

/** Why a whole queue, or a lane of it, hands out nothing, the first that applies. */
export type Parking = 'paused' | 'not_configured' | 'no_worker' | 'rate' | 'no_capacity'
export const PARKINGS: readonly Parking[] = ['paused', 'not_configured', 'no_worker', 'rate', 'no_capacity']

export interface TakeRequest {
  readonly lane: Lane
  /** Who will have them: `leave` ends all leases of a holder. */
  readonly holder: string
  readonly max: number
  readonly leaseMs: number
  readonly retry: RetryPolicy
  /** They need a place each, of those that the queue's concurrency gives. */
  readonly hasPlace: boolean
  /** So many of a key are leased at once, over all lanes of the queue. Absent: keys do not matter. */
  readonly perKey?: PerKey | undefined
}
