/**
 * Calls a client has made and not heard of yet.
 *
 * A call made while there is no connection waits for one. When the connection is lost, calls that were written are
 * failed at once (whether they ran is not known); calls that never left are sent on the next connection.
 */
import type { Clock } from '../../../src/clock/clock.ts'
import { createDeadlines, type DeadlineNode } from '../../../src/clock/deadlines.ts'
import type { ErrorBody, Frame, InvokeFrame, ResultFrame } from '../../../src/protocol/frames.ts'
import { fromJsonText } from '../../../src/protocol/jsonText.ts'
import { ConnectionLostError, InvocationError, TimeoutError } from './errors.ts'
import type { AnswerReceiver } from './worker.ts'

interface Waiting extends DeadlineNode {
  readonly id: string
  readonly functionId: string
  readonly timeoutMs: number
  readonly answer: AnswerReceiver
}

export interface CallTable {
  /** Sends a call; the answer comes once. Returns the function that gives the call up (false: it was over). */
  call(frame: InvokeFrame, timeoutMs: number, answer: AnswerReceiver): () => boolean
  /** The same, with values and error classes. */
  promise(
    frame: InvokeFrame,
    timeoutMs: number,
    resolve: (value: unknown) => void,
    reject: (error: InvocationError) => void,
  ): { cancel(): boolean }
  /** Sends a call nobody waits for. */
  tell(frame: InvokeFrame): void
  answered(frame: ResultFrame): void
  opened(): void
  /** `final`: there will be no other connection. */
  closed(final: boolean): void
  failAll(): void
}

const CONNECTION_LOST: ErrorBody = {
  code: 'CONNECTION_LOST',
  message: 'the connection to the engine was lost before the answer came',
}

/** Frames kept while there is no connection. */
const UNSENT_KEPT = 10_000

const TIMEOUT_RESOLUTION_MS = 20

/** The engine's own code for a passed deadline, and the client's. */
const TIMED_OUT = new Set(['invocation_timeout', 'TIMEOUT'])

function errorOf(error: ErrorBody, functionId: string, timeoutMs: number): InvocationError {
  if (TIMED_OUT.has(error.code)) return new TimeoutError(functionId, timeoutMs)
  if (error.code === CONNECTION_LOST.code) return new ConnectionLostError(functionId)
  return InvocationError.from(error, functionId)
}

export function createCallTable(
  clock: Clock,
  engineKeepsDeadlines: boolean,
  send: (frame: Frame) => void,
): CallTable {
  const waiting = new Map<string, Waiting>()
  let unsent: InvokeFrame[] = []
  let open = false
  const deadlines = createDeadlines<Waiting>(clock, TIMEOUT_RESOLUTION_MS, expired)

  function expired(call: Waiting): void {
    waiting.delete(call.id)
    unsent = unsent.filter(frame => frame.invocationId !== call.id)
    if (open) send({ type: 'cancelinvocation', invocationId: call.id })
    call.answer({ code: 'TIMEOUT', message: `no answer within ${call.timeoutMs} ms` }, undefined)
  }

  function fail(call: Waiting, error: ErrorBody): void {
    waiting.delete(call.id)
    deadlines.clear(call)
    call.answer(error, undefined)
  }

  function sendOrKeep(frame: InvokeFrame): void {
    if (open) send(frame)
    else {
      unsent.push(frame)
      if (unsent.length > UNSENT_KEPT) dropOldest()
    }
  }

  function dropOldest(): void {
    const dropped = unsent.shift()!
    const call = dropped.invocationId === undefined ? undefined : waiting.get(dropped.invocationId)
    if (call)
      fail(call, { code: 'CONNECTION_LOST', message: `more than ${UNSENT_KEPT} calls wait for a connection` })
  }

  const table: CallTable = {
    call(frame, timeoutMs, answer) {
      const id = frame.invocationId!
      const { functionId } = frame
      const call: Waiting = {
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
        unsent = unsent.length === 0 ? unsent : unsent.filter(other => other.invocationId !== id)
        if (open) send({ type: 'cancelinvocation', invocationId: id })
        return true
      }
    },

    promise(frame, timeoutMs, resolve, reject) {
      const { functionId } = frame
      const cancel = table.call(frame, timeoutMs, (error, result) => {
        if (error !== undefined) reject(errorOf(error, functionId, timeoutMs))
        else resolve(result === undefined ? undefined : fromJsonText(result))
      })
      return { cancel }
    },

    tell: sendOrKeep,

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
      unsent = []
      for (const frame of frames) send(frame)
    },

    closed(final) {
      open = false
      if (final) {
        table.failAll()
        return
      }
      const kept = new Set(unsent.map(frame => frame.invocationId))
      for (const call of [...waiting.values()]) if (!kept.has(call.id)) fail(call, CONNECTION_LOST)
    },

    failAll() {
      open = false
      unsent = []
      for (const call of [...waiting.values()]) fail(call, CONNECTION_LOST)
      deadlines.stop()
    },
  }
  return table
}
