/**
 * What can be asked of a partition. A command is data; `apply/` says what each one does, one file per command. Values
 * are JSON text and stay it: what was set is read back byte for byte.
 */
import type { JsonText } from '../protocol/jsonText.ts'
import type { QueueAnswer, QueueCommand } from './queue/command.ts'
import type { UpdateOperation } from './update/operation.ts'

/** Which worker's things: state values, stream items, or what schedules have done. */
export type Space = 'state' | 'stream' | 'cron'

/** A scope of the state (`group` is `''` then), or a group of a stream. Names are any strings. */
export interface Collection {
  readonly space: Space
  readonly name: string
  readonly group: string
}

interface Write {
  readonly collection: Collection
  readonly key: string
  /** The version the entry must have, 0: it must not exist. Absent: any. */
  readonly ifVersion: number | undefined
}

/** Sets a value. Answers with the value before. */
export interface PutCommand extends Write {
  readonly command: 'put'
  readonly value: JsonText
  /** Wall clock, milliseconds. Absent: it stays until it is removed. */
  readonly expiresAtMs: number | undefined
  /** Followers and the feed do not hear what was there before: its worker reads it when it starts, and nobody follows. */
  readonly isQuiet?: boolean
}

/** Removes a value. Answers with the value before. */
export interface RemoveCommand extends Write {
  readonly command: 'remove'
  /** Removing what is not there is a change, too (`state::delete` fires, `stream::delete` does not). */
  readonly tellsMissing: boolean
}

/** Changes a value by operations, in order. Answers with the values before and after, and operations that failed. */
export interface UpdateCommand extends Write {
  readonly command: 'update'
  readonly operations: readonly UpdateOperation[]
  /** Absent: as before. */
  readonly expiresAtMs: number | undefined
  /** Bytes the new value may have. */
  readonly maxValueBytes: number | undefined
}

/** An event that stores no value (`stream::send`): only a change. */
export interface TellCommand {
  readonly command: 'tell'
  readonly collection: Collection
  readonly key: string | undefined
  readonly type: string
  readonly data: JsonText
}

/** A message that leaves when the transaction is on disk. At most once: it is not sent again after a crash. */
export interface PublishCommand {
  readonly command: 'publish'
  readonly topic: string
  readonly data: JsonText
}

export type Command = PutCommand | RemoveCommand | UpdateCommand | TellCommand | PublishCommand | QueueCommand

/** An operation of an update that failed; the others were applied. */
export interface OperationError {
  readonly op_index: number
  readonly code: string
  readonly message: string
  readonly doc_url: string
}

/** What a command says when it is done. */
export interface Answer {
  /** Absent: there was none. */
  readonly oldValue: JsonText | undefined
  /** Absent: there is none. */
  readonly newValue: JsonText | undefined
  /** Of the entry now; 0 when there is none. */
  readonly version: number
  readonly errors: readonly OperationError[]
  /** Of commands of queues, which have no value. */
  readonly queue?: QueueAnswer
}
