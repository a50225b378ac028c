/** Runs a handler for a call and sends the answer. */
import type { Frame, InvokeFrame } from '../../../src/protocol/frames.ts'
import { fromJsonText, type JsonText, toJsonText } from '../../../src/protocol/jsonText.ts'
import { jsonOf } from '../../../src/protocol/msgpack/payload.ts'
import { errorBodyOf, isMeant } from './errors.ts'
import { isThenable } from './thenable.ts'
import { type CallContext, type Handler, RawJson } from './worker.ts'

function contextOf(frame: InvokeFrame): CallContext {
  return {
    invocationId: frame.invocationId === undefined ? undefined : String(frame.invocationId),
    metadata: frame.metadata === undefined ? undefined : fromJsonText(frame.metadata),
    traceparent: frame.traceparent,
    baggage: frame.baggage,
  }
}

/** A stack trace goes along unless the error was meant: then it is no bug. */
function errorText(thrown: unknown): JsonText {
  const body = errorBodyOf(thrown, 'invocation_failed')
  const isBug = thrown instanceof Error && !isMeant(thrown)
  return toJsonText(isBug ? { ...body, stacktrace: thrown.stack } : body)
}

function resultText(value: unknown): JsonText | undefined {
  if (value === undefined) return undefined
  return value instanceof RawJson ? value.text : toJsonText(value)
}

export function runHandler(
  handler: Handler | undefined,
  frame: InvokeFrame,
  send: (frame: Frame) => void,
): void {
  const finish = (error: JsonText | undefined, result: JsonText | undefined): void => {
    if (frame.invocationId === undefined) return
    send({
      type: 'invocationresult',
      invocationId: frame.invocationId,
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
    const returned = handler(fromJsonText(jsonOf(frame.data)), contextOf(frame))
    if (!isThenable(returned)) {
      finish(undefined, resultText(returned))
      return
    }
    returned.then(
      value => {
        try {
          finish(undefined, resultText(value))
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
