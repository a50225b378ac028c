/** Errors a caller can meet. One class per cause; `code` is what the wire carries. */

import type { ErrorBody, RegistrationRejectedFrame } from '../../../src/protocol/frames.ts'

/** The call ran and failed, or the engine refused it. `code` says which. */
export class InvocationError extends Error {
  override readonly name: string = 'InvocationError'
  readonly code: string
  /** The message without the code. */
  readonly detail: string
  readonly function_id: string | undefined
  readonly stacktrace: string | undefined
  /** The whole error, with what else its function says: the current `version` of a `VERSION_CONFLICT`. */
  readonly body: ErrorBody | undefined

  constructor(code: string, detail: string, functionId: string | undefined, body?: ErrorBody) {
    super(`${code}: ${detail}`)
    this.code = code
    this.detail = detail
    this.function_id = functionId
    this.stacktrace = body?.stacktrace
    this.body = body
  }

  static from(body: ErrorBody, functionId: string | undefined): InvocationError {
    return new InvocationError(body.code, body.message, functionId, body)
  }
}

/** No answer came within the caller's time-out. Whether the call ran is not known. */
export class TimeoutError extends InvocationError {
  override readonly name = 'TimeoutError'

  constructor(functionId: string, timeoutMs: number) {
    super('TIMEOUT', `no answer within ${timeoutMs} ms`, functionId)
  }
}

/**
 * The connection was lost while the call was under way: whether it ran is not known. Or there is none and there will
 * be none: then it did not run. `detail` says which.
 */
export class ConnectionLostError extends InvocationError {
  override readonly name = 'ConnectionLostError'

  constructor(functionId: string | undefined, detail: string) {
    super('CONNECTION_LOST', detail, functionId)
  }
}

/** The caller gave the call up by its `AbortSignal`. */
export class CancelledError extends InvocationError {
  override readonly name = 'CancelledError'

  constructor(functionId: string) {
    super('CANCELLED', 'the call was cancelled by its caller', functionId)
  }
}

/** The engine refused a worker name or a function id because another live worker holds it. */
export class RegistrationRejectedError extends Error {
  override readonly name = 'RegistrationRejectedError'
  readonly code: string
  readonly namespace: string
  /** `""` for an id that is the engine's own. */
  readonly owner_worker_id: string
  readonly worker_name: string | undefined
  readonly function_id: string | undefined

  constructor(frame: RegistrationRejectedFrame) {
    const held = frame.functionId ?? frame.workerName ?? ''
    super(`${frame.code}: ${held} is held by worker ${frame.ownerWorkerId || '(engine)'}`)
    this.code = frame.code
    this.namespace = frame.namespace
    this.owner_worker_id = frame.ownerWorkerId
    this.worker_name = frame.workerName
    this.function_id = frame.functionId
  }
}

/** No engine answers where the client dialled, and it will not dial again. */
export class EngineUnreachableError extends Error {
  override readonly name = 'EngineUnreachableError'
  readonly code = 'ENGINE_UNREACHABLE'
  readonly address: string

  constructor(address: string) {
    super(`no engine answers at ${address}`)
    this.address = address
  }
}

/**
 * Throw this in a handler to answer with a code of your own. `stacktrace` is not sent: the failure is part of the
 * function's contract, not a bug.
 */
export class HandlerError extends Error {
  override readonly name = 'HandlerError'
  readonly code: string
  /** Members that the error has beside its code and message, for programs: `{ version: 5 }`. */
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(code: string, message: string, details?: Readonly<Record<string, unknown>>) {
    super(message)
    this.code = code
    this.details = details
  }
}

/** Thrown to say something to the caller, with a code; anything else that a handler throws is a bug in it. */
export function isMeant(thrown: unknown): thrown is HandlerError | InvocationError {
  return thrown instanceof HandlerError || thrown instanceof InvocationError
}

/** What user code threw, as it goes over the wire; `code` is for what brings none. */
export function errorBodyOf(thrown: unknown, code: string): ErrorBody {
  if (thrown instanceof HandlerError) return { ...thrown.details, code: thrown.code, message: thrown.message }
  if (thrown instanceof InvocationError) return { code: thrown.code, message: thrown.detail }
  return { code, message: thrown instanceof Error ? thrown.message : textOf(thrown) }
}

/** Anything can be thrown, also what cannot be made a string of; whoever waits is answered all the same. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return 'a value was thrown that cannot be shown'
  }
}
