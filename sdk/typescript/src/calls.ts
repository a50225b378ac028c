/**
 * Calls a client has made and not heard of yet.
 *
 * A call made while there is no connection waits for one. When the connection is lost, calls that were written are
 * failed at once (whether they ran is not known); calls that never left are sent on the next connection. Once there
 * will be no other connection, calls fail without being sent.
 */
import type { Clock } from '../../../src/clock/clock.ts'
import { createDeadlines, type DeadlineNode } from '../../../src/clock/deadlines.ts'
import type { ErrorCode } from '../../../src/protocol/errors.ts'
import { FieldProblem } from '../../../src/protocol/fieldProblem.ts'
import type {
  CallId,
  ErrorBody,
  Frame,
  InvokeFrame,
  Payload,
  ResultFrame,
} from '../../../src/protocol/frames.ts'
import { fromJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import { ConnectionLostError, InvocationError, TimeoutError } from './errors.ts'
import { readPayload } from './payloads.ts'

/** Exactly one of the two is set; both `undefined`: the function returned nothing. */
export type PayloadReceiver = (error: ErrorBody | undefined, result: Payload | undefined) => void

interface Waiting extends DeadlineNode {
  /** Set until it is sent: from then on the frame is its receiver's, and its payload need not stay in memory. */
  unsent: InvokeFrame | undefined
  readonly id: CallId
  readonly functionId: string
  readonly timeoutMs: number
  readonly answer: PayloadReceiver
}

export interface CallTable {
  /** Sends a call; the answer comes once. Returns the function that gives the call up (false: it was over). */
  call(frame: InvokeFrame, timeoutMs: number, answer: PayloadReceiver): () => boolean
  /** The same, with values and error classes. */
  promise(
    frame: InvokeFrame,
    timeoutMs: number,
    resolve: (value: unknown) => void,
    reject: (error: InvocationError) => void,
  ): { cancel(): boolean }
  /** Sends a call nobody waits for. Returns false when there is no connection and there will be none. */
  tell(frame: InvokeFrame): boolean
  answered(frame: ResultFrame): void
  opened(): void
  /** `final`: there will be no other connection. */
  closed(final: boolean): void
  failAll(): void
}

/** Ends of calls that were made here. A function may pass on an error of the same code, from a call of its own. */
const madeHere = new WeakSet<ErrorBody>()

function ownEnd(code: ErrorCode, message: string): ErrorBody {
  const error = { code, message }
  madeHere.add(error)
  return error
}

function connectionLost(message: string): ErrorBody {
  return ownEnd('CONNECTION_LOST', message)
}

const LOST = connectionLost('the connection to the engine was lost before the answer came')
const CLOSED = connectionLost('the connection to the engine is closed; the call was not sent')

function settle(
  resolve: (value: unknown) => void,
  reject: (error: InvocationError) => void,
  result: Payload | undefined,
  functionId: string,
): void {
  try {
    resolve(result === undefined ? undefined : readPayload(result))
  } catch (error) {
    if (!(error instanceof FieldProblem)) throw error
    reject(new InvocationError('deserialization_error', error.detail, functionId))
  }
}

const TIMEOUT_RESOLUTION_MS = 20

/** The engine's own, for a call whose time has passed. */
const ENGINE_TIMEOUT: ErrorCode = 'invocation_timeout'

export function createCallTable(
  clock: Clock,
  engineKeepsDeadlines: boolean,
  send: (frame: Frame) => void,
): CallTable {
  const waiting = new Map<CallId, Waiting>()
  /** In order of their making. */
  let unsent = new Set<InvokeFrame>()
  let open = false
  let over = false
  const deadlines = createDeadlines<Waiting>(clock, TIMEOUT_RESOLUTION_MS, expired)

  function expired(call: Waiting): void {
    waiting.delete(call.id)
    if (call.unsent !== undefined) unsent.delete(call.unsent)
    if (open) send({ type: 'cancelinvocation', invocationId: call.id })
    call.answer(ownEnd('TIMEOUT', `no answer within ${call.timeoutMs} ms`), undefined)
  }

  function fail(call: Waiting, error: ErrorBody): void {
    waiting.delete(call.id)
    deadlines.clear(call)
    call.answer(error, undefined)
  }

  function sendOrKeep(frame: InvokeFrame): void {
    if (open) send(frame)
    else {
      unsent.add(frame)
      if (unsent.size > limits.unsentCalls) dropOldest()
    }
  }

  function callOf(frame: InvokeFrame): Waiting | undefined {
    return frame.invocationId === undefined ? undefined : waiting.get(frame.invocationId)
  }

  function dropOldest(): void {
    const [dropped] = unsent
    unsent.delete(dropped!)
    const call = callOf(dropped!)
    if (call) fail(call, connectionLost(`more than ${limits.unsentCalls} calls wait for a connection`))
  }

  /**
   * A time-out or a lost connection that a function passes on is that function's failure; only the end of this very
   * call has a class of its own. The engine's word for it counts when the time has really passed.
   */
  function errorOf(
    error: ErrorBody,
    functionId: string,
    timeoutMs: number,
    startedAtMs: number,
  ): InvocationError {
    if (madeHere.has(error)) {
      return error.code === LOST.code
        ? new ConnectionLostError(functionId, error.message)
        : new TimeoutError(functionId, timeoutMs)
    }
    const isOver = clock.now() - startedAtMs >= Math.min(timeoutMs, limits.callAgeMs)
    if (error.code === ENGINE_TIMEOUT && isOver) return new TimeoutError(functionId, timeoutMs)
    return InvocationError.from(error, functionId)
  }

  const table: CallTable = {
    call(frame, timeoutMs, answer) {
      const id = frame.invocationId!
      const { functionId } = frame
      if (over) {
        queueMicrotask(() => answer(CLOSED, undefined))
        return () => false
      }
      const call: Waiting = {
        unsent: open ? undefined : frame,
        id,
        functionId,
        timeoutMs,
        answer,
        deadline: 0,
        earlier: undefined,
        later: undefined,
      }
      waiting.set(id, call)
      if (!engineKeepsDeadlines) deadlines.set(call, timeoutMs)
      sendOrKeep(frame)
      return () => {
        if (!waiting.delete(id)) return false
        deadlines.clear(call)
        if (call.unsent !== undefined) unsent.delete(call.unsent)
        else if (open) send({ type: 'cancelinvocation', invocationId: id })
        return true
      }
    },

    promise(frame, timeoutMs, resolve, reject) {
      const { functionId } = frame
      const startedAtMs = clock.now()
      const cancel = table.call(frame, timeoutMs, (error, result) => {
        if (error !== undefined) reject(errorOf(error, functionId, timeoutMs, startedAtMs))
        else settle(resolve, reject, result, functionId)
      })
      return { cancel }
    },

    tell(frame) {
      if (!over) sendOrKeep(frame)
      return !over
    },

    answered(frame) {
      const call = waiting.get(frame.invocationId)
      if (call === undefined) return
      waiting.delete(frame.invocationId)
      deadlines.clear(call)
      if (frame.error === undefined) call.answer(undefined, frame.result)
      else call.answer(fromJsonText(frame.error) as ErrorBody, undefined)
    },

    opened() {
      open = true
      const frames = unsent
      unsent = new Set()
      for (const frame of frames) {
        const call = callOf(frame)
        if (call !== undefined) call.unsent = undefined
        send(frame)
      }
    },

    closed(final) {
      open = false
      if (final) {
        table.failAll()
        return
      }
      for (const call of [...waiting.values()]) if (call.unsent === undefined) fail(call, LOST)
    },

    failAll() {
      open = false
      over = true
      unsent = new Set()
      for (const call of [...waiting.values()]) fail(call, call.unsent === undefined ? LOST : CLOSED)
      deadlines.stop()
    },
  }
  return table
}
