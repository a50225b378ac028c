/**
 * Keeps secrets out of what people and files get to see. Names decide: a value that belongs to a name such as
 * `token` or `api_key` is replaced, whatever it is.
 */

export const REDACTED = '[redacted]'

const SECRET_WORDS =
  /(?:^|_)(?:tokens?|secrets?|passwords?|passwd|passphrase|credentials?|authorization|cookies?|key|apikey|signature|dsn)(?:_|$)/

/** True for `token`, `apiKey`, `X-Api-Key`, `DB_PASSWORD`, `reattach_token`; false for `keyboard` or `monkey`. */
export function isSecretName(name: string): boolean {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase()
  return SECRET_WORDS.test(words)
}

/** `https://user:password@host` and `Bearer …` carry a secret in the middle of harmless text. */
export function redactText(text: string): string {
  return text
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, `$1${REDACTED}@`)
    .replace(/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${REDACTED}`)
}

/** Deeper than this, a log field is no longer readable. */
const DEEPEST = 6

/**
 * A copy fit for a log line: secrets replaced, errors reduced to name, message and stack, and everything that JSON
 * cannot say written as text.
 */
export function redact(value: unknown, name = '', depth = 0, above: readonly object[] = []): unknown {
  if (name !== '' && isSecretName(name) && value !== undefined && value !== null) return REDACTED
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'bigint' || typeof value === 'symbol') return value.toString()
  if (typeof value === 'function') return '[function]'
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value !== 'object' || value === null) return value
  if (above.includes(value)) return '[circular]'
  if (depth >= DEEPEST) return '[…]'
  const path = [...above, value]
  if (value instanceof Error) return redactError(value, depth, path)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (value instanceof Map) return redact(Object.fromEntries(value), name, depth, above)
  if (value instanceof Set) return redact([...value], name, depth, above)
  if (Array.isArray(value)) return value.map(item => redact(item, '', depth + 1, path))
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, redact(member, key, depth + 1, path)]),
  )
}

function redactError(error: Error, depth: number, path: readonly object[]): unknown {
  const { name, message, stack, cause } = error
  return {
    name,
    message: redactText(message),
    ...('code' in error ? { code: redact(error.code, '', depth + 1, path) } : {}),
    ...(stack === undefined ? {} : { stack: redactText(stack) }),
    ...(cause === undefined ? {} : { cause: redact(cause, '', depth + 1, path) }),
  }
}
