/** The error of a failed call as text. */
import { type JsonText, toJsonText } from './jsonText.ts'

export function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}

/** Characters of a malformed error that its caller gets to see. The cut must not leave half of a surrogate pair. */
const SHOWN = 1000

/** A malformed error is made readable rather than dropped, so that the caller is always answered (`docs/protocol/json.md#how-messages-are-read`). */
export function readableError(text: JsonText): JsonText {
  const value: unknown = JSON.parse(text)
  const error = asObject(value)
  if (error !== undefined && typeof error.code === 'string' && typeof error.message === 'string') {
    if (error.stacktrace === undefined || error.stacktrace === null || typeof error.stacktrace === 'string') {
      return text
    }
    return toJsonText({ code: error.code, message: error.message })
  }
  const message =
    typeof value === 'string'
      ? value
      : typeof error?.message === 'string'
        ? error.message
        : text.slice(0, SHOWN).toWellFormed()
  return toJsonText({ code: typeof error?.code === 'string' ? error.code : 'invocation_failed', message })
}
