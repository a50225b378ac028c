/** What can be asked of the queues of a partition. A command is data; there is one file for what each does. */
import type { JsonText } from '../../protocol/jsonText.ts'
import type { FailureReport } from './message.ts'

/** Publishes a message. Answers with its receipt. */
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

export type QueueCommand = EnqueueCommand | FinishCommand | FailCommand | RedriveCommand | DiscardCommand

export interface QueueAnswer {
  /** Messages that were published, done, failed, redriven, discarded. */
  readonly count: number
  /** Of `enqueue`. */
  readonly receipt?: string
  /** Of `enqueue`: it is that of a message that was published before, with the same key. */
  readonly isDuplicate?: boolean
}
