/**
 * Events of one trigger whose calls are answered, in their order:
 *
 *     push ──▶ waiting ──a place is free──▶ condition asked ──▶ its turn ──▶ handler called ──▶ over
 *                                                  └── false, failed ─────────────────────────┘
 *
 * Conditions of several events may be asked at once; handlers are called in the order of the events all the same.
 */
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import type { ErrorBody } from '../protocol/frames.ts'
import type { JsonText } from '../protocol/jsonText.ts'
import type { Cause } from './depth.ts'

export interface QueueParts {
  readonly client: Pick<BuiltInClient, 'call'>
  readonly functionId: string
  readonly namespace: string | undefined
  readonly conditionFunctionId: string | undefined
  /** Events that are in work at once. */
  readonly concurrency: number
  /** Milliseconds, for the condition and for the handler; looked at when each of them is called. */
  readonly timeoutMs: number
  readonly maxMessages: number
  readonly maxBytes: number
  readonly outcome: Outcome
}

/** How an event ended, for who has delivered it. */
export type Ending =
  | { readonly kind: 'delivered'; readonly result: JsonText | undefined }
  | { readonly kind: 'skipped' }
  | { readonly kind: 'failed'; readonly of: 'condition' | 'handler'; readonly error: ErrorBody }
  | { readonly kind: 'dropped'; readonly why: string }
  /** Given up by who has delivered it; its handler may still be at work. */
  | { readonly kind: 'cancelled' }

/** Told once of each event. */
export interface Outcome {
  delivered(): void
  skipped(): void
  failed(error: ErrorBody, of: 'condition' | 'handler'): void
  cancelled(): void
}

/** Who wants to hear of an event, and may give it up. */
export interface Interest {
  /** Told once how it ended. */
  readonly over?: ((ending: Ending) => void) | undefined
  /** When it aborts, the event is given up, and so is its call. */
  readonly signal?: AbortSignal | undefined
}

export interface DeliveryQueue {
  /** False: there is no room, the event is dropped. */
  push(data: JsonText, metadata: JsonText | undefined, cause: Cause, interest?: Interest): boolean
  /** Events that are not over. */
  size(): number
  bytes(): number
  /** Lets go of everything that is not in its handler yet; returns how many events that were. */
  clear(): number
}

interface Entry {
  readonly data: JsonText
  readonly metadata: JsonText | undefined
  readonly cause: Cause
  readonly over: ((ending: Ending) => void) | undefined
  decided: 'run' | 'skip' | undefined
  isOver: boolean
  /** Of the call under way: of the condition, then of the handler. */
  cancelCall: (() => void) | undefined
}

/** Entries that have left are given up together. */
const LET_GO = 256

export function createDeliveryQueue(parts: QueueParts): DeliveryQueue {
  const { client, functionId, namespace, conditionFunctionId, concurrency, outcome } = parts
  /** In the order of the events; those before `turn` have been decided and called. */
  let entries: Entry[] = []
  let turn = 0
  /** Those before it have begun. */
  let begun = 0
  let inWork = 0
  let size = 0
  let bytes = 0

  function begin(entry: Entry): void {
    inWork++
    if (conditionFunctionId === undefined || entry.decided === 'skip') {
      entry.decided ??= 'run'
      return
    }
    const { data, cause } = entry
    entry.cancelCall = client.call(
      {
        functionId: conditionFunctionId,
        data,
        namespace,
        metadata: undefined,
        timeoutMs: parts.timeoutMs,
        ...cause,
      },
      (error, result) => {
        if (entry.isOver) return
        entry.cancelCall = undefined
        entry.decided = error === undefined && result !== 'false' ? 'run' : 'skip'
        if (error !== undefined) {
          outcome.failed(error, 'condition')
          entry.over?.({ kind: 'failed', of: 'condition', error })
        } else if (result === 'false') {
          outcome.skipped()
          entry.over?.({ kind: 'skipped' })
        }
        proceed()
      },
    )
  }

  function run(entry: Entry): void {
    const { data, metadata, cause } = entry
    entry.cancelCall = client.call(
      { functionId, data, namespace, metadata, timeoutMs: parts.timeoutMs, ...cause },
      (error, result) => {
        if (error === undefined) outcome.delivered()
        else outcome.failed(error, 'handler')
        end(entry)
        entry.over?.(
          error === undefined ? { kind: 'delivered', result } : { kind: 'failed', of: 'handler', error },
        )
        proceed()
      },
    )
  }

  function giveUp(entry: Entry): void {
    if (entry.isOver || entry.decided === 'skip') return
    entry.cancelCall?.()
    outcome.cancelled()
    if (entry.decided === 'run') end(entry)
    else entry.decided = 'skip'
    entry.over?.({ kind: 'cancelled' })
    proceed()
  }

  function end(entry: Entry): void {
    entry.isOver = true
    inWork--
    size--
    bytes -= entry.data.length
  }

  function proceed(): void {
    for (;;) {
      const next = entries[turn]
      if (turn < begun && next?.decided !== undefined) {
        turn++
        // Given up while it waited for its turn.
        if (next.isOver) continue
        if (next.decided === 'run') run(next)
        else end(next)
      } else if (begun < entries.length && inWork < concurrency) {
        begin(entries[begun++]!)
      } else {
        break
      }
    }
    if (turn < LET_GO && turn < entries.length) return
    entries = entries.slice(turn)
    begun -= turn
    turn = 0
  }

  return {
    push(data, metadata, cause, { over, signal } = {}) {
      if (size >= parts.maxMessages || (size > 0 && bytes + data.length > parts.maxBytes)) return false
      size++
      bytes += data.length
      const entry: Entry = {
        data,
        metadata,
        cause,
        over,
        decided: undefined,
        isOver: false,
        cancelCall: undefined,
      }
      signal?.addEventListener('abort', () => giveUp(entry))
      entries.push(entry)
      proceed()
      return true
    },
    size: () => size,
    bytes: () => bytes,
    clear() {
      const left = entries.slice(turn)
      const dropped = left.filter(({ isOver, decided }) => !isOver && decided !== 'skip')
      for (const [index, entry] of left.entries()) {
        if (entry.isOver) continue
        entry.isOver = true
        size--
        bytes -= entry.data.length
        if (turn + index < begun) inWork--
      }
      entries = []
      turn = 0
      begun = 0
      for (const entry of dropped) entry.over?.({ kind: 'dropped', why: 'the trigger is gone' })
      return dropped.length
    },
  }
}
