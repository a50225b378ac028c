/**
 * What a command did, in order. The directory only returns changes; whoever runs it sends the frames, closes the
 * connections and writes the log lines that follow from them.
 */
import { countIn, type Tally } from '../../log/notices.ts'
import type { ErrorBody } from '../../protocol/frames.ts'
import type { Place } from '../routes.ts'
import type { BindingRecord } from './records.ts'

export type WorkerEvent = 'worker_connected' | 'worker_metadata_updated' | 'worker_disconnected'

export type Change =
  /** The provider is to bind (again). */
  | { readonly change: 'bind'; readonly providerId: string; readonly binding: BindingRecord }
  /** The provider is to forget a binding. */
  | { readonly change: 'unbind'; readonly providerId: string; readonly binding: BindingRecord }
  /** The claim of a function id was refused (or its holder was displaced). */
  | {
      readonly change: 'functionRejected'
      readonly workerId: string
      readonly namespace: string
      readonly functionId: string
      readonly ownerId: string
    }
  /** The claim of a worker name was refused; the connection is over. */
  | {
      readonly change: 'workerRejected'
      readonly workerId: string
      readonly namespace: string
      readonly name: string
      readonly ownerId: string
    }
  /** A worker name is held, maybe by a worker that is no more; the announce is to be made again. */
  | { readonly change: 'nameDoubted'; readonly workerId: string }
  /** The thread of a worker is to look whether that one still lives; then `asker` announces itself again. */
  | { readonly change: 'look'; readonly workerId: string; readonly asker: string }
  | { readonly change: 'looked'; readonly asker: string }
  /** A connection is over: its worker has come back over another one. */
  | { readonly change: 'evicted'; readonly workerId: string; readonly place: Place }
  /** A binding did not come about; its requester is told. */
  | {
      readonly change: 'triggerRefused'
      readonly workerId: string
      readonly id: string
      readonly triggerType: string
      readonly functionId: string
      readonly error: ErrorBody
    }
  /** The provider of an ownerless binding answered. */
  | { readonly change: 'ownerlessAnswered'; readonly id: string; readonly error: ErrorBody | undefined }
  /** A function id is answered by someone else now; `workerId` absent: by nobody. */
  | {
      readonly change: 'functionChanged'
      readonly namespace: string
      readonly functionId: string
      readonly workerId: string | undefined
    }
  | { readonly change: 'workerChanged'; readonly event: WorkerEvent; readonly workerId: string }
  | {
      readonly change: 'note'
      readonly level: 'debug' | 'info' | 'warn'
      readonly message: string
      readonly fields: Readonly<Record<string, unknown>>
    }

export function note(
  level: 'debug' | 'info' | 'warn',
  message: string,
  fields: Readonly<Record<string, unknown>>,
): Change {
  return { change: 'note', level, message, fields }
}

/**
 * A warning that whoever owns the tally can cause again and again: `spared` lines for the first ones, then few.
 * `fields` get the count.
 */
export function warnIn(
  tally: Tally,
  kind: string,
  message: string,
  fields: Readonly<Record<string, unknown>>,
  spared = 1,
): Change[] {
  const { count, isToldOf } = countIn(tally, kind, spared)
  return isToldOf ? [note('warn', message, count === 1 ? fields : { ...fields, count })] : []
}

/** Appends without spreading: a change of provider can concern a hundred thousand bindings. */
export function append(changes: Change[], more: readonly Change[]): void {
  for (const change of more) changes.push(change)
}
