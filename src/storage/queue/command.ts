/** What can be asked of the queues of a partition. A command is data; there is one file for what each does. */
import type { JsonText } from '../../protocol/jsonText.ts'
import type { MessageState } from './list.ts'
import type { FailureReport, Message } from './message.ts'
import type { QueueBounds } from './tables.ts'

/** Publishes a message. Answers with its receipt. Throws a `StorageError` `queue_full`, `VALUE_TOO_LARGE`. */
export interface EnqueueCommand {
  readonly command: 'enqueue'
  readonly queue: string
  /** A message with this receipt that is there already is this one. Default: one is made. */
  readonly receipt?: string | undefined
  readonly functionId?: string | undefined
  readonly namespace?: string | undefined
  readonly data: JsonText
  readonly metadata?: JsonText | undefined
  readonly group?: string | undefined
  /** Default 0. */
  readonly priority?: number | undefined
  /** Wall clock, milliseconds; absent or past: at once. */
  readonly dueAtMs?: number | undefined
  /** Within this many milliseconds, a second message of this key is the first one. */
  readonly dedupe?: { readonly key: string; readonly windowMs: number } | undefined
  readonly traceparent?: string | undefined
  readonly baggage?: string | undefined
}

/** A message is done. Answers whether it was there. */
export interface FinishCommand {
  readonly command: 'finish'
  readonly number: number
  /** As whoever has it knows it: if it is still so, it need not be read. */
  readonly message?: Message | undefined
}

/** An attempt has failed. Answers whether the message was there. */
export interface FailCommand {
  readonly command: 'fail'
  readonly number: number
  readonly report: FailureReport
  /** Tried again then (wall clock, milliseconds), or at once, or never: it is dead. */
  readonly next: number | 'now' | 'never'
}

/** Dead messages are tried again, with no failures: one of them, or the oldest. Answers how many. */
export interface RedriveCommand {
  readonly command: 'redrive'
  readonly queue: string
  /** Absent: as many as `limit` says. */
  readonly receipt?: string | undefined
  readonly limit: number
}

/** A dead message is removed. Answers how many. */
export interface DiscardCommand {
  readonly command: 'discard'
  readonly queue: string
  readonly receipt: string
}

/** A message that is not dead is removed. Answers how many. */
export interface CancelCommand {
  readonly command: 'cancel'
  /** One of them. */
  readonly receipt?: string | undefined
  readonly number?: number | undefined
}

/**
 * Messages of a queue are removed, those with leases too: at most `limit`, and only of one state if one is named (a message that gets into it because of that goes, too). Ask
 * again, with the cursor of the answer, until it counts none and has no cursor. Throws a `RangeError` for a cursor that is none of its own.
 */
export interface PurgeCommand {
  readonly command: 'purge'
  readonly queue: string
  readonly state?: MessageState | undefined
  readonly limit: number
  readonly cursor?: string | undefined
}

/** Says what a queue has beside its messages, which is made if it is not there. Answers whether something has changed. */
export interface ConfigureCommand {
  readonly command: 'configure'
  readonly queue: string
  /** Kept as it is, for whoever hands messages out. */
  readonly settings?: JsonText | undefined
  readonly bounds?: QueueBounds | undefined
}

/** Whether a queue hands out messages; kept, not obeyed here. Answers whether something has changed. */
export interface PauseCommand {
  readonly command: 'pause' | 'resume'
  readonly queue: string
}

/**
 * The queue `to` takes the place of the queue `from`: messages that name no function are of the lane of `functionId` and `namespace` then. If `to` has
 * messages of its own, at most `limit` are moved. Answers how many are in their place now; ask again until it counts none. A queue without
 * messages stays as it is.
 */
export interface AdoptCommand {
  readonly command: 'adopt'
  readonly from: string
  readonly to: string
  readonly functionId?: string | undefined
  readonly namespace?: string | undefined
  readonly limit: number
}

/** Forgets a queue that has no messages. Answers whether it was there and empty. */
export interface DropCommand {
  readonly command: 'drop'
  readonly queue: string
}

export type QueueCommand =
  | EnqueueCommand
  | FinishCommand
  | FailCommand
  | RedriveCommand
  | DiscardCommand
  | CancelCommand
  | PurgeCommand
  | ConfigureCommand
  | PauseCommand
  | AdoptCommand
  | DropCommand

export interface QueueAnswer {
  /** Messages that were published, done, failed, redriven, removed, adopted; or 1: the queue was changed. */
  readonly count: number
  /** Of `purge`: there may be more. */
  readonly cursor?: string
  /** Of `enqueue`. */
  readonly receipt?: string
  /** Of `enqueue`: it is that of a message that was published before, with the same key. */
  readonly isDuplicate?: boolean
  /** Of `enqueue`: so many of the oldest were dropped, because the queue is lossy. Absent: none. */
  readonly dropped?: number
}
