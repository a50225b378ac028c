/** The answers the engine gives in place of a function. The catalogue of all codes is `protocol/errors.ts`. */
import type { ErrorCode } from '../protocol/errors.ts'
import { type JsonText, toJsonText } from '../protocol/jsonText.ts'

function answer(code: ErrorCode, message: string): JsonText {
  return toJsonText({ code, message })
}

export const INVOCATION_STOPPED = answer('invocation_stopped', 'Invocation stopped')

export function functionNotFound(
  id: string,
  namespace: string,
  elsewhere: readonly string[],
  short: boolean,
  nearest: string | undefined,
): JsonText {
  const where = elsewhere.length === 0 ? '' : ` It is registered in namespace(s): ${elsewhere.join(', ')}.`
  const code: ErrorCode = 'function_not_found'
  const message = `Function ${id} not found in namespace ${namespace}${short ? '' : `.${where}`}`
  return toJsonText({ code, message, nearest })
}

export function beingReplaced(id: string): JsonText {
  return answer(
    'invocation_stopped',
    `The thread of function ${id} was lost and is being replaced; the call has not run, call again`,
  )
}

export function blankAnnouncedNamespace(worker: string): JsonText {
  return answer(
    'INVALID_NAMESPACE',
    `namespace is empty: worker '${worker}' declared "". Give it a name, or omit the field to register in 'default'.`,
  )
}

export function longAnnouncedNamespace(worker: string, limit: number): JsonText {
  return answer(
    'INVALID_NAMESPACE',
    `namespace is longer than ${limit} characters: worker '${worker}' must announce a shorter one.`,
  )
}

export function timedOut(timeoutMs: number): JsonText {
  return answer('invocation_timeout', `No answer within ${timeoutMs} ms`)
}

export function tooManyCalls(limit: number): JsonText {
  return answer(
    'limit_exceeded',
    `This connection has ${limit} calls in flight; wait for answers before calling again`,
  )
}

export function workerOverloaded(id: string): JsonText {
  return answer(
    'worker_overloaded',
    `The worker of function ${id} does not read fast enough; try again later`,
  )
}

export function answersUntaken(id: string): JsonText {
  return answer(
    'worker_overloaded',
    `The answer of ${id} was dropped: too many answers wait for the thread of its caller; try again later`,
  )
}

export const ENGINE_STOPPING = answer(
  'engine_stopping',
  'The engine is stopping: only work under way may still make calls; call again when it is back',
)

/** It has as many calls as it has said that it takes. */
export function workerBusy(id: string): JsonText {
  return answer(
    'worker_overloaded',
    `The worker of function ${id} executes as many calls as it takes; try again later`,
  )
}

export function payloadTooLarge(what: string, limit: number): JsonText {
  return answer(
    'payload_too_large',
    `${what} does not fit into a message (${limit} bytes); ask for less at a time`,
  )
}

/** Results of built-ins; the long ones are lists of what is registered. */
export function resultTooLarge(functionId: string, limit: number): JsonText {
  const isList = functionId.startsWith('engine::') && functionId.endsWith('::list')
  const way = isList
    ? 'page through it with `limit` and `cursor`, or narrow it with `search` and other filters'
    : 'ask for less at a time'
  const said = `The result of function ${functionId} does not fit into a message (${limit} bytes)`
  return answer('payload_too_large', `${said}; ${way}`)
}

export function undecodable(functionId: string | undefined, detail: string): JsonText {
  return answer(
    'deserialization_error',
    `Failed to deserialize input for ${functionId ?? 'the call'}: ${detail}`,
  )
}

export function undecodableResult(functionId: string, detail: string): JsonText {
  return answer('deserialization_error', `Failed to deserialize the result of ${functionId}: ${detail}`)
}

export function httpInvokedUnsupported(id: string): JsonText {
  return answer(
    'function_not_invokable',
    `Function ${id} is HTTP-invoked, which this version does not run yet`,
  )
}

export function enqueueFailed(message: string): JsonText {
  return answer('enqueue_error', message)
}

export const NO_QUEUE_PROVIDER =
  'No queue provider is installed. `TriggerAction::Enqueue` routes through the `engine::queue::enqueue` provider, ' +
  'which the standalone queue worker registers. Add it with `- name: iii-queue` in `workers:` of config.yaml.'
