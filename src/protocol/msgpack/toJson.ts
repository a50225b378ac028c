/**
 * msgpack → JSON text, for a payload that goes from a msgpack worker to a JSON worker.
 *
 * | msgpack | JSON |
 * |---|---|
 * | nil, booleans | the same |
 * | integers, to 64 bits | the same digits |
 * | floats | the shortest digits of the double, always with a point or exponent: `1.0` stays a float. NaN and infinities: no |
 * | str | string; must be UTF-8 |
 * | bin | string: base64 with padding |
 * | timestamp (ext −1) | string: RFC 3339, UTC, with 0, 3, 6 or 9 digits of a second; years 1 to 9999 |
 * | map | object, in order; keys must be str and differ |
 * | any other ext | no |
 *
 * Bytes and times follow the JSON form of Protocol Buffers. They come back as strings: JSON does not tell them apart.
 */
import { readName, readText } from '../bytes.ts'
import { FieldProblem } from '../fieldProblem.ts'
import { asJsonText, type JsonText, quote } from '../jsonText.ts'
import { limits } from '../limits.ts'
import { addKey } from './keys.ts'
import { anyNumber, findArray, findExt, findMap, findText, found, skipValue, unsignedAt } from './walk.ts'

/** Levels a payload may have: the message round it takes one. */
export const PAYLOAD_DEPTH = limits.jsonDepth - 1

const TIMESTAMP = 0xff

// Scratch of the translation under way. It is synchronous and never re-entered, so one set serves the thread.
let source: Uint8Array = new Uint8Array(0)
let origin = 0
let at = 0

/**
 * Translates the one value in `bytes[start..end)`. Throws a `FieldProblem` that names the byte, counted from `start`,
 * if it is not well-formed or JSON has no form for it.
 */
export function msgpackToJson(bytes: Uint8Array, start: number, end: number): JsonText {
  if (skipValue(bytes, start, end) !== end) {
    throw new FieldProblem('untranslatable', 'the payload is not exactly one msgpack value')
  }
  source = bytes
  origin = start
  at = start
  return asJsonText(value(0))
}

const where = (position: number): string => `byte ${position - origin} of the payload`

function refuse(position: number, what: string): never {
  throw new FieldProblem('untranslatable', `${where(position)}: ${what}`)
}

/** The value at `at`, which moves behind it. All of it is known to be well-formed. */
function value(depth: number): string {
  const lead = source[at]!
  if (lead < 0x80 || lead >= 0xe0) {
    at++
    return String(lead < 0x80 ? lead : lead - 0x100)
  }
  if (findText(source, at)) return text(readText)
  if (findMap(source, at)) return object(depth)
  if (findArray(source, at)) return array(depth)
  switch (lead) {
    case 0xc0:
      at++
      return 'null'
    case 0xc2:
      at++
      return 'false'
    case 0xc3:
      at++
      return 'true'
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return bin(1 << (lead - 0xc4))
    case 0xca:
    case 0xcb:
      return float()
    case 0xcf:
    case 0xd3:
      return wideInteger()
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xd0:
    case 0xd1:
    case 0xd2: {
      const digits = String(anyNumber(source, at))
      at += 1 + (1 << ((lead - 0xcc) & 3))
      return digits
    }
    default:
      return extension()
  }
}

/** The text that was found. `read` may remember it. */
function text(read: typeof readText): string {
  const position = at
  at = found.end
  const content = read(source, found.start, found.end)
  if (content === undefined) throw new FieldProblem('not_utf8', `${where(position)}: a text is not UTF-8`)
  return quote(content)
}

function enter(depth: number): void {
  if (depth >= PAYLOAD_DEPTH) {
    throw new FieldProblem('too_deep', `${where(at)}: nesting goes beyond ${PAYLOAD_DEPTH} levels`)
  }
  at = found.start
}

function array(depth: number): string {
  let { count } = found
  enter(depth)
  if (count === 0) return '[]'
  let out = `[${value(depth + 1)}`
  while (--count > 0) out += `,${value(depth + 1)}`
  return `${out}]`
}

function object(depth: number): string {
  const { count } = found
  enter(depth)
  let out = '{'
  let keys: string[] | Set<string> = []
  for (let i = 0; i < count; i++) {
    if (!findText(source, at)) refuse(at, 'a key is not a text; JSON has no other keys')
    const position = at
    const key = text(readName)
    keys = addKey(keys, key, where(position))
    out += `${i === 0 ? '' : ','}${key}:${value(depth + 1)}`
  }
  return `${out}}`
}

const base64 = (start: number, end: number): string => `"${source.subarray(start, end).toBase64()}"`

function bin(width: number): string {
  const start = at + 1 + width
  at = start + unsignedAt(source, at + 1, width)
  return base64(start, at)
}

/** Raw bytes that are a payload of their own: as JSON they are a string of base64. */
export function rawToJson(bytes: Uint8Array, start: number, end: number): JsonText {
  source = bytes
  return asJsonText(base64(start, end))
}

function float(): string {
  const number = anyNumber(source, at)
  if (!Number.isFinite(number)) {
    throw new FieldProblem('number_out_of_range', `${where(at)}: JSON has no ${number}`)
  }
  at += source[at] === 0xca ? 5 : 9
  if (Object.is(number, -0)) return '-0.0'
  const digits = String(number)
  return Number.isInteger(number) && !digits.includes('e') ? `${digits}.0` : digits
}

const scratch = new DataView(new ArrayBuffer(8))

function copyToScratch(position: number): void {
  for (let i = 0; i < 8; i++) scratch.setUint8(i, source[position + i]!)
}

function wideInteger(): string {
  copyToScratch(at + 1)
  const digits = source[at] === 0xcf ? scratch.getBigUint64(0) : scratch.getBigInt64(0)
  at += 9
  return String(digits)
}

function extension(): string {
  const position = at
  findExt(source, at)
  if (found.type !== TIMESTAMP) refuse(position, `JSON has no form for ext type ${(found.type << 24) >> 24}`)
  at = found.end
  return timestamp(position, found.start, found.end - found.start)
}

const FIRST_SECOND = -62_135_596_800
const LAST_SECOND = 253_402_300_799

/** The three forms of a timestamp: seconds; nanoseconds (30 bits) and seconds (34 bits); 32 and 64 bits. */
function timestamp(position: number, start: number, length: number): string {
  let seconds = 0
  let nanoseconds = 0
  if (length === 4) {
    seconds = unsignedAt(source, start, 4)
  } else if (length === 8) {
    const high = unsignedAt(source, start, 4)
    nanoseconds = high >>> 2
    seconds = (high & 3) * 2 ** 32 + unsignedAt(source, start + 4, 4)
  } else if (length === 12) {
    nanoseconds = unsignedAt(source, start, 4)
    copyToScratch(start + 4)
    seconds = Number(scratch.getBigInt64(0))
  } else refuse(position, `a timestamp has 4, 8 or 12 bytes, not ${length}`)
  if (nanoseconds >= 1e9 || seconds < FIRST_SECOND || seconds > LAST_SECOND) {
    refuse(position, 'a timestamp lies outside of the years 1 to 9999 or has too many nanoseconds')
  }
  const date = new Date(seconds * 1000).toISOString().slice(0, -5)
  const fraction =
    nanoseconds === 0
      ? ''
      : `.${String(nanoseconds)
          .padStart(9, '0')
          .replace(/(?:000){1,2}$/, '')}`
  return `"${date}${fraction}Z"`
}
