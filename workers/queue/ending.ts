/** What the answer of a handler means for its message. */
import type { ErrorBody } from '../../src/protocol/frames.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { FailureReport } from '../../src/storage/queue/message.ts'

export type Meaning =
  /** An attempt has failed. */
  | 'failed'
  /** Whoever had it is gone. */
  | 'lost'
  /** The function was not called: nobody answers it, or who does takes no more now. */
  | 'missing'
  | 'busy'
  /** The engine ends. */
  | 'stopping'

const STOPPING =
  'The engine is stopping: only work under way may still make calls; call again when it is back'

/** What our client says of calls that it has made itself. */
const LOST = [
  'the connection to the engine was lost before the answer came',
  'the connection to the engine is closed; the call was not sent',
]

/**
 * The engine's own refusals say which function they are about: a handler may pass on an error of the same code from a call of
 * its own, and that is its failure.
 */
export function meaningOf({ code, message }: ErrorBody, functionId: string): Meaning {
  switch (code) {
    case 'function_not_found':
      return message.startsWith(`Function ${functionId} not found in namespace `) ? 'missing' : 'failed'
    case 'worker_overloaded':
      return message.startsWith(`The worker of function ${functionId} `) ? 'busy' : 'failed'
    case 'invocation_stopped':
      return message === 'Invocation stopped' ? 'lost' : 'failed'
    case 'engine_stopping':
      return message === STOPPING ? 'stopping' : 'failed'
    case 'CONNECTION_LOST':
      return LOST.includes(message) ? 'stopping' : 'failed'
    default:
      return 'failed'
  }
}

const shortened = (text: string): string => text.slice(0, limits.queueReportLength)

export function reportOf(
  { code, message, stacktrace }: ErrorBody,
  atMs: number,
  worker: string | undefined,
): FailureReport {
  return {
    atMs: Math.floor(atMs),
    code: shortened(code),
    message: shortened(message),
    ...(typeof stacktrace === 'string' ? { stack: shortened(stacktrace) } : {}),
    ...(worker === undefined ? {} : { worker }),
  }
}
