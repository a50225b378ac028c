import type { ErrorCode } from '../protocol/errors.ts'

/** Why a partition does not do what it was asked for. */
export class StorageError extends Error {
  readonly code: ErrorCode
  /** Members that the error of a call gets beside its code and message: the current `version`. */
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'StorageError'
    this.code = code
    this.details = options.details ?? {}
  }
}

/** What was found is not what was written. */
export class CorruptData extends StorageError {
  constructor(message: string, cause?: unknown) {
    super('CORRUPT_DATA', message, { cause })
    this.name = 'CorruptData'
  }
}
