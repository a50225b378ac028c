/**
 * JSON text → msgpack, in the shortest forms.
 *
 * | JSON | msgpack |
 * |---|---|
 * | integer (no point, no exponent) from −2^63 to 2^64 − 1 | integer with the same digits; `-0` becomes the float −0.0 |
 * | longer integers | float 64 if a double is written just so (`100000000000000000000`, as JavaScript writes 1e20); else no |
 * | number with a point or exponent | float 64: `1.0` stays a float; beyond the range of a double: no |
 * | string | str; half a surrogate pair: no |
 * | object | map, in order; keys must differ |
 */
import { FieldProblem } from '../fieldProblem.ts'
import { addKey } from './keys.ts'
import { type OutBuffer, reserve } from './outBuffer.ts'
import { PAYLOAD_DEPTH } from './toJson.ts'
import { writeBigInteger, writeByte, writeFloat, writeInteger, writeText } from './writeValue.ts'

const QUOTE = 34
const BACKSLASH = 92

// Scratch of the translation under way. It is synchronous and never re-entered, so one set serves the thread.
let source = ''
let at = 0
let out: OutBuffer = { bytes: new Uint8Array(0), length: 0 }

/**
 * Appends the one value that `text` is. Throws a `FieldProblem` that names the character if it is not JSON or does
 * not fit; nothing is appended then.
 */
export function jsonToMsgpack(text: string, target: OutBuffer): void {
  const start = target.length
  source = text
  at = 0
  out = target
  try {
    skipSpace()
    value(0)
    skipSpace()
    if (at < source.length) invalid()
  } catch (problem) {
    target.length = start
    throw problem
  }
}

const where = (): string => `character ${at} of the payload`

function invalid(): never {
  throw new FieldProblem('invalid_json', `${where()}: not valid JSON`)
}

function skipSpace(): void {
  for (;;) {
    const code = source.charCodeAt(at)
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return
    at++
  }
}

function value(depth: number): void {
  switch (source.charCodeAt(at)) {
    case QUOTE:
      writeText(out, string())
      return
    case 123:
      container(depth, 0x80, object)
      return
    case 91:
      container(depth, 0x90, array)
      return
    case 116:
      literal('true', 0xc3)
      return
    case 102:
      literal('false', 0xc2)
      return
    case 110:
      literal('null', 0xc0)
      return
    default:
      number()
  }
}

function literal(word: string, byte: number): void {
  if (!source.startsWith(word, at)) invalid()
  at += word.length
  writeByte(out, byte)
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y

function number(): void {
  NUMBER.lastIndex = at
  const match = NUMBER.exec(source)
  if (match === null) invalid()
  const [digits, fraction, exponent] = match
  if (fraction !== undefined || exponent !== undefined || digits === '-0') writeDouble(digits)
  else writeDigits(digits)
  at += digits.length
}

function writeDouble(digits: string): void {
  const number = Number(digits)
  if (!Number.isFinite(number)) outOfRange(digits, 'a double')
  writeFloat(out, number)
}

/** No integer of 64 bits is longer. */
const LONGEST_INTEGER = 20

function writeDigits(digits: string): void {
  const number = Number(digits)
  if (Number.isSafeInteger(number)) {
    writeInteger(out, number)
    return
  }
  const exact = digits.length <= LONGEST_INTEGER ? BigInt(digits) : undefined
  if (exact !== undefined && exact >= -(2n ** 63n) && exact < 2n ** 64n) writeBigInteger(out, exact)
  else if (String(number) === digits) writeFloat(out, number)
  else outOfRange(digits, '64 bits')
}

function outOfRange(digits: string, range: string): never {
  throw new FieldProblem('number_out_of_range', `${where()}: ${digits.slice(0, 40)} is beyond ${range}`)
}

/** The string that begins at `at`, which moves behind it. */
function string(): string {
  const start = at
  let escaped = false
  for (at++; ; at++) {
    const code = source.charCodeAt(at)
    if (code === QUOTE) break
    if (code === BACKSLASH) {
      escaped = true
      at++
    } else if (!(code >= 32)) invalid() // A control character, or NaN: the text has ended.
  }
  at++
  const content = escaped ? unescaped(start) : source.slice(start + 1, at - 1)
  if (!content.isWellFormed()) {
    throw new FieldProblem('lone_surrogate', `${where()}: a string holds half of a surrogate pair`)
  }
  return content
}

function unescaped(start: number): string {
  try {
    return JSON.parse(source.slice(start, at)) as string
  } catch {
    return invalid()
  }
}

/** Writes the elements and returns their number. */
type Elements = (depth: number) => number

/** The head is as short as the count allows, and the count is known at the end: then the elements make room. */
function container(depth: number, lead: number, elements: Elements): void {
  if (depth >= PAYLOAD_DEPTH) {
    throw new FieldProblem('too_deep', `${where()}: nesting goes beyond ${PAYLOAD_DEPTH} levels`)
  }
  const head = out.length
  writeByte(out, lead)
  at++
  skipSpace()
  const count = elements(depth + 1)
  at++
  if (count < 16) {
    out.bytes[head] = lead | count
    return
  }
  const width = count < 0x10000 ? 2 : 4
  reserve(out, width)
  out.bytes.copyWithin(head + 1 + width, head + 1, out.length)
  const wide = lead === 0x80 ? 0xde : 0xdc
  out.bytes[head] = width === 2 ? wide : wide + 1
  for (let i = 0; i < width; i++) out.bytes[head + 1 + i] = count >>> (8 * (width - 1 - i))
  out.length += width
}

/** Steps over a comma and space: true if there is another element, false at the closing bracket. */
function another(close: number): boolean {
  skipSpace()
  const code = source.charCodeAt(at)
  if (code === close) return false
  if (code !== 44) invalid()
  at++
  skipSpace()
  return true
}

const array: Elements = depth => {
  let count = 0
  if (source.charCodeAt(at) === 93) return 0
  do {
    value(depth)
    count++
  } while (another(93))
  return count
}

const object: Elements = depth => {
  let count = 0
  let keys: string[] | Set<string> = []
  if (source.charCodeAt(at) === 125) return 0
  do {
    if (source.charCodeAt(at) !== QUOTE) invalid()
    const position = where()
    const key = string()
    keys = addKey(keys, key, position)
    writeText(out, key)
    skipSpace()
    if (source.charCodeAt(at) !== 58) invalid()
    at++
    skipSpace()
    value(depth)
    count++
  } while (another(125))
  return count
}
