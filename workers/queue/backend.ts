/**
 * What the queue worker needs of whatever keeps its messages. The durable partition is one way (`adapters/partition.ts`); a
 * database or a broker elsewhere would be another, which is why everything here may take time.
 * `tests/workers/queue/conformance/` says each sentence of it as a test, and every way has to pass them.
 *
 *     publish ──▶ take ──▶ finish                       the message is gone
 *                   │ ├──▶ fail      attempt + 1        later again, or dead after the last one
 *                   │ ├──▶ lose      attempt + 1        at once again, or dead: its holder is gone
 *                   │ └──▶ giveBack                     as it was: it was not begun
 *                   └ its time is over: as `fail`, and its holder is told
 *
 * Refusals are thrown as `StorageError`: `VALUE_TOO_LARGE`, `queue_full`, `STORAGE_UNAVAILABLE`, ….
 */
import type { JsonText } from '../../src/protocol/jsonText.ts'
import type { MessageState } from '../../src/storage/queue/list.ts'
import type { FailureReport, Lane, Message } from '../../src/storage/queue/message.ts'
import type { QueueBounds, QueueCounts, QueueRow } from '../../src/storage/queue/tables.ts'
import type { Lease, Parking, Reason, TakeRequest } from './core/lease.ts'
import type { Rates } from './core/meter.ts'
import type { KeptResult } from './keptResult.ts'

export interface Publish extends Lane {
  readonly data: JsonText
  /** Delivered beside the data. */
  readonly metadata?: JsonText | undefined
  /** Given by the publisher; a message with this receipt that is there already is this one. Absent: one is made. */
  readonly receipt?: string | undefined
  /** It takes the place of the message with its receipt, whatever became of that one. */
  readonly replaces?: boolean | undefined
  readonly group?: string | undefined
  /** Higher ones first. Default 0. */
  readonly priority?: number | undefined
  /** Wall clock, milliseconds: not before then. */
  readonly dueAtMs?: number | undefined
  readonly dedupe?: { readonly key: string; readonly windowMs: number } | undefined
  readonly traceparent?: string | undefined
  readonly baggage?: string | undefined
}

export interface Published {
  readonly receipt: string
  /** It is that of a message that was published before, with the same key or receipt. */
  readonly isDuplicate: boolean
}

export interface Failure {
  readonly report: FailureReport
  /** Instead of the back-off. */
  readonly delayMs?: number | undefined
}

/** What became of a message. `over`: the lease was, so that nothing has happened. */
export type Outcome = 'done' | 'again' | 'dead' | 'over'

export interface Found {
  readonly message: Message
  readonly reason: Reason
  readonly lease: Lease | undefined
}

export interface FoundPage {
  readonly found: readonly Found[]
  /** Absent: this is the last page. */
  readonly cursor: string | undefined
}

/** What is said of lanes is of the first of them, so many (`queueLanesLooked`). */
export interface QueueState extends QueueCounts {
  readonly leased: number
  readonly isPaused: boolean
  /** When the oldest message was published of those that wait for no time; absent: there is none. */
  readonly oldestAtMs: number | undefined
  readonly rates: Rates
  /** Messages that are ready, in lanes that hand out nothing. `undefined`: not counted, because other lanes do. */
  readonly parked: number | undefined
  /** Lanes with such messages; not more than a bound. */
  readonly parkedLanes: readonly ParkedLane[]
}

export interface ParkedLane {
  readonly lane: Lane
  readonly reason: Parking
}

/** What the configuration says of queues. */
export interface BackendSettings {
  /** Messages of a queue that are with handlers at once, at most. */
  readonly concurrencyOf: (queue: string) => number
  /** Milliseconds for which the results of a queue are kept. */
  readonly resultMsOf: (queue: string) => number
}

export interface QueueFollower {
  /** These lanes may have something to hand out. */
  ready(lanes: Iterable<Lane>): void
  /** The time of a lease is over. It has ended as a failed attempt. */
  expired(lease: Lease): void
  /** A message is dead, or gone: done, cancelled, purged. Of one that waited behind another of its group nothing is told. */
  gone?(message: Message): void
  /** These lanes have no messages. What is remembered of them may be forgotten: who is told of it unparks them. */
  idle?(lanes: readonly Lane[]): void
}

export interface QueueBackend {
  readonly adapter: 'sqlite' | 'memory'
  /** All of them or none; resolves when they are kept. */
  publish(messages: readonly Publish[]): Promise<readonly Published[]>
  /** Leases as many as there are and may be had. The attempt of each has begun. */
  take(request: TakeRequest): readonly Lease[] | Promise<readonly Lease[]>
  /**
   * Resolves when it is written; `over`: the token is not that of a lease, or not any more. Of a message whose result is kept
   * (`keptResult.ts`), `result` is written with it; nothing is `null`. `soon`: nobody is told that it is done. If the power is
   * lost within `syncSoonMs`, and only then, the message may come again, as if its handler had not returned.
   */
  finish(token: string, result?: JsonText, level?: 'disk' | 'soon'): Promise<Outcome>
  fail(token: string, failure: Failure): Promise<Outcome>
  /** The holder is gone in the middle of it. */
  lose(token: string, report: FailureReport): Promise<Outcome>
  /** False: the lease is over. */
  giveBack(token: string): boolean | Promise<boolean>
  /** From now on. Returns until when (wall clock, milliseconds); `undefined`: the lease is over. */
  extend(token: string, leaseMs: number): number | undefined | Promise<number | undefined>
  lease(token: string): Lease | undefined
  /** All leases of a holder are lost. */
  leave(holder: string, report: FailureReport): void
  /** Nothing of a queue is handed out while it is parked; of a lane it is only the reason. Not kept: see `pause`. */
  park(of: string | Lane, parking: Parking): void
  unpark(of: string | Lane, parking: Parking): void

  state(queue: string): QueueState | Promise<QueueState>
  /** Dead messages of these queues together, the latest first, behind `offset` of them. At most `limit`, and fewer if their data is large, but one at least. */
  dead(
    queues: readonly string[],
    offset: number,
    limit: number,
  ): readonly Message[] | Promise<readonly Message[]>
  /** What a message that is done has ended with, as long as that is kept. */
  result(receipt: string): KeptResult | undefined | Promise<KeptResult | undefined>
  /** By its receipt, in one step, whatever its state. */
  find(receipt: string): Found | undefined | Promise<Found | undefined>
  /** Dead messages are tried again, with no failures. Resolves with how many. */
  redrive(queue: string, which: { readonly receipt: string } | { readonly limit: number }): Promise<number>
  /** A dead message is removed. */
  discard(queue: string, receipt: string): Promise<number>

  /** Everything that is kept as a queue, in the order of the names, after one. */
  queues(after: string | undefined, limit: number): readonly QueueRow[] | Promise<readonly QueueRow[]>
  /** Lanes of a queue that have or had messages. */
  lanes(queue: string): readonly Lane[] | Promise<readonly Lane[]>
  /** Keeps what is to be known of a queue when the engine starts anew; makes the queue if there is none. */
  configure(queue: string, settings: JsonText | undefined, bounds: QueueBounds): Promise<void>
  /** Forgets a queue that has no messages. Resolves with whether it was there and empty. */
  drop(queue: string): Promise<boolean>
  /** A queue that is paused hands out nothing, also after a restart, until it is resumed. */
  pause(queue: string, isPaused: boolean): Promise<void>
  /** Messages that wait in the queue `from` are those of a lane from now on. Resolves with how many. */
  adopt(from: string, lane: Lane): Promise<number>
  /** A message that is not dead is removed; its lease is over. Resolves with how many. */
  cancel(receipt: string): Promise<number>
  /** Removes the messages of a queue, or those of one state. Resolves with how many. */
  purge(queue: string, state: MessageState | undefined): Promise<number>
  /** Messages of one state, oldest first, dead ones latest first; `cursor`: of the page before. Throws a `RangeError` for a cursor that is none of its own. */
  list(
    queue: string,
    state: MessageState,
    cursor: string | undefined,
    limit: number,
  ): FoundPage | Promise<FoundPage>

  follow(follower: QueueFollower): void
  /** Nothing is told any more. */
  stop(): void
}
