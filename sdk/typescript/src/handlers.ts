/** Runs a handler for a call and sends the answer. */

import { FieldProblem } from '../../../src/protocol/fieldProblem.ts'
import type { CallId, Frame, InvokeFrame, Payload } from '../../../src/protocol/frames.ts'
import { fromJsonText, type JsonText, toJsonText } from '../../../src/protocol/jsonText.ts'
import { errorBodyOf, HandlerError, isMeant } from './errors.ts'
import { type FramingName, inputOf, payloadOf, rawInputOf } from './payloads.ts'
import { isThenable } from './thenable.ts'
import { type CallContext, type Handler, RawJson } from './worker.ts'

/** A call whose handler has not come to its end. */
interface Run {
  controller: AbortController | undefined
  /** Set: nobody waits for the answer any more. */
  givenUp: Error | undefined
}

/** Calls whose handlers run, by id. */
export interface Runs {
  readonly byId: Map<CallId, Run>
  /** The caller has given a call up. */
  cancel(id: CallId): void
  /** The connection on which the answers would have left is gone. */
  cancelAll(): void
}

export function createRuns(): Runs {
  const byId = new Map<CallId, Run>()

  function giveUp(run: Run, message: string): void {
    run.givenUp = new Error(message)
    run.controller?.abort(run.givenUp)
  }

  return {
    byId,
    cancel(id) {
      const run = byId.get(id)
      if (run === undefined) return
      byId.delete(id)
      giveUp(run, 'the caller does not wait for the answer any more')
    },
    cancelAll() {
      const all = [...byId.values()]
      byId.clear()
      for (const run of all) giveUp(run, 'the connection was lost; the answer cannot be sent')
    },
  }
}

function contextOf(frame: InvokeFrame, run: Run): CallContext {
  return {
    invocationId: frame.invocationId === undefined ? undefined : String(frame.invocationId),
    metadata: frame.metadata === undefined ? undefined : fromJsonText(frame.metadata),
    traceparent: frame.traceparent,
    baggage: frame.baggage,
    // Made when it is asked for: few handlers do.
    get signal() {
      if (run.controller === undefined) {
        run.controller = new AbortController()
        if (run.givenUp !== undefined) run.controller.abort(run.givenUp)
      }
      return run.controller.signal
    },
  }
}

/** A stack trace goes along unless the error was meant: then it is no bug. */
function errorText(thrown: unknown): JsonText {
  const body = errorBodyOf(thrown, 'invocation_failed')
  const isBug = thrown instanceof Error && !isMeant(thrown)
  return toJsonText(isBug ? { ...body, stacktrace: thrown.stack } : body)
}

function resultOf(value: unknown, framing: FramingName): Payload | undefined {
  if (value === undefined) return undefined
  return value instanceof RawJson ? value.text : payloadOf(value, framing)
}

/** What cannot be read is the caller's fault, not the handler's. */
function readInput(frame: InvokeFrame, framing: FramingName, raw: boolean): unknown {
  try {
    return raw ? new RawJson(rawInputOf(frame, framing)) : inputOf(frame, framing)
  } catch (error) {
    throw error instanceof FieldProblem ? new HandlerError('deserialization_error', error.detail) : error
  }
}

export function runHandler(
  handler: Handler | undefined,
  frame: InvokeFrame,
  send: (frame: Frame) => void,
  runs: Runs = createRuns(),
  framing: FramingName = 'json',
  rawInput = false,
): void {
  const { invocationId } = frame
  const run: Run = { controller: undefined, givenUp: undefined }
  const finish = (error: JsonText | undefined, result: Payload | undefined): void => {
    if (invocationId === undefined || run.givenUp !== undefined) return
    runs.byId.delete(invocationId)
    send({
      type: 'invocationresult',
      invocationId,
      functionId: frame.functionId,
      result,
      error,
      traceparent: undefined,
      baggage: undefined,
    })
  }
  if (handler === undefined) {
    finish(toJsonText({ code: 'function_not_found', message: 'Function not found' }), undefined)
    return
  }
  try {
    const returned = handler(readInput(frame, framing, rawInput), contextOf(frame, run))
    if (!isThenable(returned)) {
      finish(undefined, resultOf(returned, framing))
      return
    }
    if (invocationId !== undefined) runs.byId.set(invocationId, run)
    returned.then(
      value => {
        try {
          finish(undefined, resultOf(value, framing))
        } catch (error) {
          finish(errorText(error), undefined)
        }
      },
      error => finish(errorText(error), undefined),
    )
  } catch (error) {
    finish(errorText(error), undefined)
  }
}
