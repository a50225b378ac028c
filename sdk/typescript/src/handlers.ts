/** Runs a handler for a call and sends the answer. */
import type { Frame, InvokeFrame } from '../../../src/protocol/frames.ts'
import { fromJsonText, type JsonText, toJsonText } from '../../../src/protocol/jsonText.ts'
import { HandlerError, InvocationError } from './errors.ts'
import { type CallContext, type Handler, RawJson } from './worker.ts'

function contextOf(frame: InvokeFrame): CallContext {
  return {
    invocationId: frame.invocationId,
    metadata: frame.metadata === undefined ? undefined : fromJsonText(frame.metadata),
    traceparent: frame.traceparent,
    baggage: frame.baggage,
  }
}

/** What a thrown value says to the caller. */
export function errorBodyOf(thrown: unknown): JsonText {
  if (thrown instanceof HandlerError) return toJsonText({ code: thrown.code, message: thrown.message })
  if (thrown instanceof InvocationError) return toJsonText({ code: thrown.code, message: thrown.detail })
  return toJsonText({
    code: 'invocation_failed',
    message: thrown instanceof Error ? thrown.message : describe(thrown),
    stacktrace: thrown instanceof Error ? thrown.stack : undefined,
  })
}

/** Anything can be thrown, also what cannot be made a string of; the caller is answered all the same. */
function describe(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return 'the handler threw a value that cannot be shown'
  }
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
    const returned = handler(fromJsonText(frame.data), contextOf(frame))
    if (!isThenable(returned)) {
      finish(undefined, resultText(returned))
      return
    }
    returned.then(
      value => {
        try {
          finish(undefined, resultText(value))
        } catch (error) {
          finish(errorBodyOf(error), undefined)
        }
      },
      error => finish(errorBodyOf(error), undefined),
    )
  } catch (error) {
    finish(errorBodyOf(error), undefined)
  }
}

function isThenable(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as Promise<unknown>).then === 'function'
}
