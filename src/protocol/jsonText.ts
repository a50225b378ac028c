/**
 * JSON that stays text.
 *
 * Payloads cross the engine as the exact characters their sender wrote: 64-bit integers, key order and escapes
 * arrive unchanged, and nothing is parsed on the way. `JsonText` marks a string that is known to be one valid
 * JSON value.
 */
declare const validJson: unique symbol
export type JsonText = string & { readonly [validJson]: true }

/** Marks a string as JSON. Only for text that a scanner accepted or that this process wrote itself. */
export function asJsonText(text: string): JsonText {
  return text as JsonText
}

export const JSON_NULL: JsonText = asJsonText('null')
export const JSON_EMPTY_OBJECT: JsonText = asJsonText('{}')

/** Encodes a value; `undefined` (and anything else JSON cannot say) becomes `null`. */
export function toJsonText(value: unknown): JsonText {
  return (JSON.stringify(value) ?? 'null') as JsonText
}

export function fromJsonText(text: JsonText): unknown {
  return JSON.parse(text)
}

const NEEDS_ESCAPE = /["\\\x00-\x1f\ud800-\udfff]/

/** Writes a string as a JSON string literal. Almost every id needs no escaping, so that case costs one regex. */
export function quote(text: string): JsonText {
  return (NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`) as JsonText
}
