/** Errors a caller can meet. One class per cause; `code` is what the wire carries. */

import type { ErrorBody } from '../../../src/protocol/frames.ts'

/** The call ran and failed, or the engine refused it. `code` says which. */
export class InvocationError extends Error {
  override readonly name: string = 'InvocationError'

  constructor(
    readonly code: string,
    readonly detail: string,
    readonly function_id: string | undefined,
    readonly stacktrace: string | undefined = undefined,
  ) {
    super(`${code}: ${detail}`)
  }

  static from(body: ErrorBody, functionId: string | undefined): InvocationError {
    return new InvocationError(body.code, body.message, functionId, body.stacktrace)
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

  constructor(
    readonly code: string,
    readonly namespace: string,
    readonly owner_worker_id: string,
    readonly worker_name: string | undefined,
    readonly function_id: string | undefined,
  ) {
    super(`${code}: ${function_id ?? worker_name ?? ''} is held by worker ${owner_worker_id || '(engine)'}`)
  }
}

/**
 * Throw this in a handler to answer with a code of your own. `stacktrace` is not sent: the failure is part of the
 * function's contract, not a bug.
 */
export class HandlerError extends Error {
  override readonly name = 'HandlerError'

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}
