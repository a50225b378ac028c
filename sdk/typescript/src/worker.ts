/**
 * What a program sees of the engine: the interface that external workers and built-in workers share.
 * The names follow the published SDKs, so that a program changes only its import.
 */
import type { ErrorBody, Target } from '../../../src/protocol/frames.ts'
import type { JsonText } from '../../../src/protocol/jsonText.ts'

/** What a handler may want to know beside its input. */
export interface CallContext {
  readonly invocationId: string | undefined
  /** The `metadata` of the call or of the trigger that fired; `undefined` when there was none. */
  readonly metadata: unknown
  readonly traceparent: string | undefined
  readonly baggage: string | undefined
  /** Aborted when nobody waits for the answer any more: time-out, cancel or end of the caller, connection lost. */
  readonly signal: AbortSignal
}

/**
 * Runs a function. The returned value is the answer (`undefined`: nothing); a thrown error is the caller's error,
 * with its own code if it is a `HandlerError` and `invocation_failed` otherwise.
 */
export type Handler<Input = unknown> = (input: Input, context: CallContext) => unknown

/**
 * A value that is already JSON text; a handler returns it to have the text sent as it is, and is given one if it was
 * registered with `rawInput`.
 */
export class RawJson {
  readonly text: JsonText

  constructor(text: JsonText) {
    this.text = text
  }
}

export interface FunctionOptions {
  description?: string
  request_format?: unknown
  response_format?: unknown
  metadata?: unknown
  /**
   * The handler's input is a `RawJson` with the text of the payload, not its value. For functions that pass values on:
   * nothing is parsed, and 64-bit integers, key order and escapes stay as the caller wrote them. Default false.
   */
  rawInput?: boolean
}

export interface Registration {
  unregister(): void
}

/** A binding as its provider sees it. */
export interface Binding {
  readonly id: string
  readonly trigger_type: string
  readonly function_id: string
  readonly config: JsonText
  readonly metadata: JsonText | undefined
  /** Namespace of the target function; `undefined` means `default`. */
  readonly namespace: string | undefined
}

/**
 * The part of a trigger type that acts. Throwing in `bind` refuses the binding; use `HandlerError` for a code. A built-in
 * may return sentences about what it accepts and will not do: discovery shows them.
 */
export interface TriggerProvider {
  bind(binding: Binding): void | readonly string[] | Promise<void>
  unbind(binding: Binding): void | Promise<void>
}

export interface TriggerTypeDefinition {
  id: string
  description: string
  trigger_request_format?: unknown
  call_request_format?: unknown
  namespace?: string
}

export interface TriggerDefinition {
  /** Chosen by the caller or made by the client; stable over reconnects. */
  id?: string
  type: string
  function_id: string
  config?: unknown
  metadata?: unknown
  namespace?: string
  trigger_namespace?: string
}

export type CallAction = { type: 'void' } | { type: 'enqueue'; queue: string }

export interface CallRequest {
  function_id: string
  payload?: unknown
  action?: CallAction
  /** Milliseconds; default 30,000. */
  timeoutMs?: number
  metadata?: unknown
  namespace?: string
  signal?: AbortSignal
  /** The call whose handler makes this one, usually the handler's context: its trace and its baggage go along. */
  cause?: Pick<CallContext, 'traceparent' | 'baggage'>
}

/** A call whose payload is JSON text already. For gateways, where parsing would be waste. */
export interface TextCall {
  functionId: string
  data: JsonText
  namespace: string | undefined
  metadata: JsonText | undefined
  timeoutMs: number
  traceparent: string | undefined
  baggage: string | undefined
}

/** Exactly one of the two is set; both `undefined`: the function returned nothing. */
export type AnswerReceiver = (error: ErrorBody | undefined, result: JsonText | undefined) => void

export type ConnectionState = 'disconnected' | 'connecting' | 'connected' | 'reconnecting' | 'failed'

export interface WorkerClient {
  registerFunction<Input = unknown>(
    id: string,
    handler: Handler<Input>,
    options?: FunctionOptions,
  ): Registration
  registerTriggerType(definition: TriggerTypeDefinition, provider: TriggerProvider): Registration
  registerTrigger(definition: TriggerDefinition): Registration & { readonly id: string }
  /** Calls a function. Rejects with an `InvocationError`. */
  trigger<Output = unknown>(request: CallRequest): Promise<Output>
  /** The bare call: no promise, no parsing. Returns the function that gives the call up. */
  call(call: TextCall, answer: AnswerReceiver): () => void
  getConnectionState(): ConnectionState
  /** Why the worker cannot be, when its state is `failed` or its only dial did not succeed. */
  getFatalError(): Error | undefined
  /** Resolves when the engine has accepted the connection; at once when it stands already. */
  ready(): Promise<void>
  /** The id the engine gave this connection; `undefined` before the first one. */
  workerId(): string | undefined
  shutdown(): Promise<void>
}

/** What a worker inside the engine's process can do beyond that. */
export interface BuiltInClient extends WorkerClient {
  /**
   * Calls many functions with one payload and wants no answers. Each is called once at most, in the order of all this
   * client sends it; one that cannot be called is counted by the engine as a lost void call. False: nobody was told,
   * because there is no connection.
   */
  tellAll(targets: readonly Target[], data: JsonText, more?: TellOptions): boolean
  /**
   * So many more handlers wait for something to happen; negative: fewer. Their calls are no work that piles up: nobody who
   * calls this worker is held back for them.
   */
  wait(more: number): void
}

export interface TellOptions {
  readonly traceparent?: string | undefined
  readonly baggage?: string | undefined
  /**
   * Told of each target that is not called, by its index in the list, with a code. What is lost on another thread, behind the
   * way there, is only counted.
   */
  readonly lost?: (index: number, code: string) => void
}
