/**
 * Names are any strings, and both tables keep and order them alike: by code points, as their UTF-8 bytes are ordered.
 * UTF-8 has no lone surrogates; they are written as a mark and four hex digits.
 */
import { asJsonText, type JsonText } from '../protocol/jsonText.ts'

const MARK = '\u{10fffe}'
const NEEDS_ESCAPE = /\u{10fffe}|\p{Surrogate}/gu
const ESCAPED = /\u{10fffe}([0-9a-f]{4}|\.)/gu

/** A text that UTF-8 can hold. The text itself, but for lone surrogates and the mark. */
export function storable(text: string): string {
  if (text.isWellFormed() && !text.includes(MARK)) return text
  return text.replace(NEEDS_ESCAPE, found =>
    found === MARK ? `${MARK}.` : MARK + found.charCodeAt(0).toString(16),
  )
}

export function unstorable(text: string): string {
  if (!text.includes(MARK)) return text
  return text.replace(ESCAPED, (_, code: string) =>
    code === '.' ? MARK : String.fromCharCode(Number.parseInt(code, 16)),
  )
}

/** JSON that UTF-8 can hold: a lone surrogate stands in it as an escape. */
export function storableJson(json: JsonText): JsonText {
  if (json.isWellFormed()) return json
  return asJsonText(json.replace(/\p{Surrogate}/gu, unit => `\\u${unit.charCodeAt(0).toString(16)}`))
}

/** Surrogates stand for code points above all others. */
const rank = (unit: number): number => (unit < 0xd800 ? unit : unit > 0xdfff ? unit - 0x800 : unit + 0x2000)

/** Negative: `one` comes first. For storable texts the order of their UTF-8 bytes. */
export function compareText(one: string, other: string): number {
  if (one === other) return 0
  const length = Math.min(one.length, other.length)
  for (let at = 0; at < length; at++) {
    const difference = rank(one.charCodeAt(at)) - rank(other.charCodeAt(at))
    if (difference !== 0) return difference
  }
  return one.length - other.length
}
