/**
 * Every message of the worker protocol, as it looks inside the process.
 *
 * A frame is what crosses a link, whatever its framing: a socket link writes it as JSON text, a local link passes
 * the object itself. Payload fields (`config`, `metadata`, …) are `JsonText`: validated, never parsed. What functions
 * are called with and what they return may also be bytes that only their receiver looks into. The names of `type` are
 * those on the wire (`docs/protocol/json.md#from-the-worker`); absent optional fields are `undefined`. A received frame
 * belongs to its receiver, which may change it and pass it on.
 */
import type { JsonText } from './jsonText.ts'
import type { BytesPayload } from './msgpack/payload.ts'

/** `{code, message, stacktrace?}` as it appears in results and refusals. */
export interface ErrorBody {
  code: string
  message: string
  stacktrace?: string | undefined
  /** Of `function_not_found`, towards built-in workers only and for their log: the id that was probably meant. */
  nearest?: string | undefined
  /** Of a provider that refuses a trigger: what it has bound under the same id stays (`docs/protocol/json.md#the-answer-of-a-provider`). */
  kept?: boolean | undefined
}

/**
 * Names a call on one connection: a UUID, hyphenated and lower-case, where JSON is spoken; an integer from 0 to
 * 2^32 − 1 where msgpack is.
 */
export type CallId = string | number

/** What goes into a function and what comes out of it. Bytes occur between links that speak msgpack only. */
export type Payload = JsonText | BytesPayload

/** What a call asks for: `plain` waits for an answer, `void` wants none, `enqueue` goes through a queue. */
export type CallAction = 'plain' | 'void' | 'enqueue'

export interface InvokeFrame {
  type: 'invokefunction'
  /** Absent: no reply wanted. */
  invocationId: CallId | undefined
  functionId: string
  data: Payload
  /** Absent means `default`. Only from worker to engine. */
  namespace: string | undefined
  action: CallAction
  /** Queue name of an `enqueue` call. */
  queue: string | undefined
  metadata: JsonText | undefined
  traceparent: string | undefined
  baggage: string | undefined
  /** Milliseconds the caller waits for the answer. Our extension; absent when the client does not say. */
  timeoutMs: number | undefined
  /** Worker id of the caller, for links whose worker takes it in a field of its own. Only from the engine. */
  caller: string | undefined
}

/**
 * A call in which nothing is set that can be left out; whoever makes it sets what it needs. Without an id it wants no
 * answer.
 */
export function newCall(functionId: string, data: Payload, invocationId?: CallId): InvokeFrame {
  return {
    type: 'invokefunction',
    invocationId,
    functionId,
    data,
    namespace: undefined,
    action: invocationId === undefined ? 'void' : 'plain',
    queue: undefined,
    metadata: undefined,
    traceparent: undefined,
    baggage: undefined,
    timeoutMs: undefined,
    caller: undefined,
  }
}

export interface ResultFrame {
  type: 'invocationresult'
  invocationId: CallId
  functionId: string
  /** Absent: the function returned nothing. */
  result: Payload | undefined
  /** Present: the call failed; wins over `result`. Passed through as the callee wrote it. */
  error: JsonText | undefined
  traceparent: string | undefined
  baggage: string | undefined
}

/** The caller gives a call up; the engine frees it. Our extension: no published SDK sends it. */
export interface CancelFrame {
  type: 'cancelinvocation'
  invocationId: CallId
}

export interface RegisterFunctionFrame {
  type: 'registerfunction'
  id: string
  description: string | undefined
  requestFormat: JsonText | undefined
  responseFormat: JsonText | undefined
  metadata: JsonText | undefined
  /** Present: the engine calls this URL instead of the worker (`docs/protocol/json.md#who-answers-a-function`). */
  invocation: JsonText | undefined
}

export interface UnregisterFunctionFrame {
  type: 'unregisterfunction'
  id: string
}

export interface RegisterTriggerTypeFrame {
  type: 'registertriggertype'
  id: string
  description: string
  triggerRequestFormat: JsonText | undefined
  callRequestFormat: JsonText | undefined
  namespace: string | undefined
}

export interface UnregisterTriggerTypeFrame {
  type: 'unregistertriggertype'
  id: string
  namespace: string | undefined
}

export interface RegisterTriggerFrame {
  type: 'registertrigger'
  id: string
  triggerType: string
  functionId: string
  config: JsonText
  metadata: JsonText | undefined
  /** Namespace of the target function; absent means `default`. */
  namespace: string | undefined
  /** Namespace of the provider; absent means "home first, then `default`". */
  triggerNamespace: string | undefined
}

export interface TriggerResultFrame {
  type: 'triggerregistrationresult'
  id: string
  triggerType: string
  functionId: string
  error: ErrorBody | undefined
  /**
   * Sentences about what the provider has accepted and will not do. Of built-in workers only: framings leave it out,
   * because no client knows it.
   */
  warnings?: readonly string[] | undefined
}

export interface UnregisterTriggerFrame {
  type: 'unregistertrigger'
  id: string
  /** Always present towards a provider. */
  triggerType: string | undefined
}

export interface ReattachFrame {
  type: 'reattach'
  previousWorkerId: string
  reattachToken: string | undefined
}

export interface RegisterServiceFrame {
  type: 'registerservice'
  id: string
  name: string
  description: string | undefined
}

export interface WorkerRegisteredFrame {
  type: 'workerregistered'
  workerId: string
  reattachToken: string
}

export interface RegistrationRejectedFrame {
  type: 'registrationrejected'
  code: 'WORKER_NAMESPACE_CONFLICT' | 'FUNCTION_NAMESPACE_CONFLICT'
  namespace: string
  workerName: string | undefined
  functionId: string | undefined
  /** `""` for a reserved `engine::*` id. */
  ownerWorkerId: string
}

/** A function that is told something. */
export interface Target {
  readonly functionId: string
  /** Absent means `default`. */
  readonly namespace: string | undefined
  readonly metadata: JsonText | undefined
}

/**
 * One payload for many functions, and no answer is wanted. Only within the process, between the engine and its own
 * workers and between threads: no framing of a socket has it, so it is no `Frame`.
 */
export interface FanOutFrame {
  readonly type: 'fanout'
  /** Told in this order. */
  readonly targets: readonly Target[]
  readonly data: JsonText
  readonly traceparent: string | undefined
  readonly baggage: string | undefined
  /**
   * Told of each target that is not called: its index and a code. Only by the thread on which the frame was made, and not of
   * what is lost on others.
   */
  readonly lost?: ((index: number, code: string) => void) | undefined
}

export interface PingFrame {
  type: 'ping'
}

export interface PongFrame {
  type: 'pong'
}

/** Authentication failed; the socket closes after it. */
export interface ErrorFrame {
  type: 'error'
  error: ErrorBody
}

export type Frame =
  | InvokeFrame
  | ResultFrame
  | CancelFrame
  | RegisterFunctionFrame
  | UnregisterFunctionFrame
  | RegisterTriggerTypeFrame
  | UnregisterTriggerTypeFrame
  | RegisterTriggerFrame
  | TriggerResultFrame
  | UnregisterTriggerFrame
  | ReattachFrame
  | RegisterServiceFrame
  | WorkerRegisteredFrame
  | RegistrationRejectedFrame
  | PingFrame
  | PongFrame
  | ErrorFrame

export type FrameType = Frame['type']

/** Why a message could not become a frame. Counted per connection and shown in its details. */
export type ProblemReason =
  | 'invalid_json'
  | 'not_an_object'
  | 'unknown_type'
  | 'missing_field'
  | 'wrong_type'
  | 'duplicate_field'
  | 'invalid_uuid'
  | 'too_deep'
  | 'lone_surrogate'
  | 'number_out_of_range'
  | 'not_utf8'
  | 'untranslatable'
  | 'too_large'

/** A message that was dropped, with as much of it as could be read, so that its caller can still be answered. */
export interface FrameProblem {
  type: 'problem'
  reason: ProblemReason
  /** One readable sentence: which field, which position. Never holds payload text. */
  detail: string
  /** Set when the message was a call or a result whose invocation id could be read. */
  about: 'invokefunction' | 'invocationresult' | undefined
  invocationId: CallId | undefined
  functionId: string | undefined
}
