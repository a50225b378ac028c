/**
 * One pass over JSON text that finds the top-level members of an object and proves that the whole text is JSON.
 *
 * The verdict is that of `JSON.parse`; a fuzz test holds the two together. Nothing is built: a scan records where
 * the members it was asked for begin and end, so that payloads can be sliced out as text.
 *
 * Why it is fast: one regular expression finds the next character that could make a string unusual (a backslash
 * or a control character). Up to there every string ends at the next quote, which `indexOf` finds by vector
 * instructions.
 *
 * Beyond the verdict it notes what is legal JSON and still cannot be sent on, because strict receivers refuse it:
 * a lone surrogate escape, a number beyond the range of a double, nesting past the limit
 * (`docs/protocol/json.md#how-messages-are-read`).
 */

import { limits } from '../limits.ts'
import { CUT_OUT_OF, cutOut } from './cutOut.ts'
import { createNameTable, slotOf } from './nameTable.ts'

export type ScanProblem = 'invalid_json' | 'not_an_object' | 'too_deep'

const NONE = -1
const INVALID = -1
const TOO_DEEP = -2

const QUOTE = 34
const BACKSLASH = 92
const OPEN_BRACE = 123
const CLOSE_BRACE = 125
const OPEN_BRACKET = 91
const COMMA = 44
const COLON = 58
const MINUS = 45
const ZERO = 48
const NINE = 57

const UNUSUAL = /[\\\x00-\x1f]/g

/** Integers of more digits than this may leave the range of a double; shorter ones without exponent cannot. */
const SAFE_DIGITS = 300

// Scratch of the scan under way. A scan is synchronous and never re-entered, so one set serves the thread.
let nextUnusual = -1
let sawLoneSurrogate = false
let sawNumberOutOfRange = false
let sawEscape = false
const containers = new Uint8Array(limits.jsonDepth + 1)

function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (text.charCodeAt(at) <= 32 && isSpace(text.charCodeAt(at))) at++
  return at
}

/** `from` is the first character after the opening quote. Returns the index after the closing quote. */
function skipString(text: string, from: number): number {
  const close = text.indexOf('"', from)
  if (close < nextUnusual && close >= 0) return close + 1
  if (close < 0) return INVALID
  if (nextUnusual < from) {
    UNUSUAL.lastIndex = from
    nextUnusual = UNUSUAL.test(text) ? UNUSUAL.lastIndex - 1 : text.length
    if (close < nextUnusual) return close + 1
  }
  return skipUnusualString(text, nextUnusual)
}

/** The slow way, from the first unusual character on: escapes are checked one by one. */
function skipUnusualString(text: string, from: number): number {
  let at = from
  for (;;) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at + 1
    if (code === BACKSLASH) {
      sawEscape = true
      at = skipEscape(text, at + 1)
      if (at < 0) return INVALID
    } else if (code >= 32) {
      at++
    } else {
      return INVALID // a control character, or NaN: the text ended
    }
  }
}

/** `at` is the character after the backslash. Notes surrogates that have no partner. */
function skipEscape(text: string, at: number): number {
  const code = text.charCodeAt(at)
  if (code !== 117 /* u */) return isShortEscape(code) ? at + 1 : INVALID
  const unit = hexUnit(text, at + 1)
  if (unit < 0) return INVALID
  const after = at + 5
  if (unit < 0xd800 || unit > 0xdfff) return after
  if (unit <= 0xdbff && text.charCodeAt(after) === BACKSLASH && text.charCodeAt(after + 1) === 117) {
    const low = hexUnit(text, after + 2)
    if (low < 0) return INVALID
    if (low >= 0xdc00 && low <= 0xdfff) return after + 6
  }
  sawLoneSurrogate = true
  return after
}

function isShortEscape(code: number): boolean {
  switch (code) {
    case QUOTE:
    case BACKSLASH:
    case 47: // /
    case 98: // b
    case 102: // f
    case 110: // n
    case 114: // r
    case 116: // t
      return true
    default:
      return false
  }
}

function hexUnit(text: string, at: number): number {
  let unit = 0
  for (let i = at; i < at + 4; i++) {
    const code = text.charCodeAt(i)
    if (code >= ZERO && code <= NINE) unit = unit * 16 + code - ZERO
    else if (code >= 97 && code <= 102) unit = unit * 16 + code - 87
    else if (code >= 65 && code <= 70) unit = unit * 16 + code - 55
    else return INVALID
  }
  return unit
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE
}

function skipDigits(text: string, from: number): number {
  let at = from
  while (isDigit(text.charCodeAt(at))) at++
  return at
}

function skipNumber(text: string, from: number): number {
  let at = text.charCodeAt(from) === MINUS ? from + 1 : from
  const first = text.charCodeAt(at)
  if (first === ZERO) at++
  else if (isDigit(first)) at = skipDigits(text, at + 1)
  else return INVALID
  let mayOverflow = at - from > SAFE_DIGITS
  if (text.charCodeAt(at) === 46 /* . */) {
    if (!isDigit(text.charCodeAt(at + 1))) return INVALID
    at = skipDigits(text, at + 2)
  }
  const exponent = text.charCodeAt(at)
  if (exponent === 101 || exponent === 69 /* e E */) {
    const sign = text.charCodeAt(at + 1)
    const digits = sign === 43 || sign === MINUS ? at + 2 : at + 1
    if (!isDigit(text.charCodeAt(digits))) return INVALID
    at = skipDigits(text, digits + 1)
    mayOverflow = true
  }
  if (mayOverflow && !Number.isFinite(Number(text.slice(from, at)))) sawNumberOutOfRange = true
  return at
}

function skipLiteral(text: string, from: number, code: number): number {
  if (code === 116 /* t */) return text.startsWith('true', from) ? from + 4 : INVALID
  if (code === 102 /* f */) return text.startsWith('false', from) ? from + 5 : INVALID
  if (code === 110 /* n */) return text.startsWith('null', from) ? from + 4 : INVALID
  return skipNumber(text, from)
}

/** Reads `"key" :` inside an object. Returns the index of the value, white space skipped. */
function skipKey(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) return INVALID
  let next = skipString(text, at + 1)
  if (next < 0) return INVALID
  if (text.charCodeAt(next) !== COLON) {
    next = skipSpace(text, next)
    if (text.charCodeAt(next) !== COLON) return INVALID
  }
  next++
  return text.charCodeAt(next) <= 32 ? skipSpace(text, next) : next
}

/**
 * Skips one value that starts at `from`, `outside` containers deep. Returns the index after it, or a negative
 * verdict. Written as a loop over a stack of open containers, so that depth costs no call stack.
 */
function skipValue(text: string, from: number, outside: number): number {
  let depth = outside
  let at = from
  for (;;) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = skipString(text, at + 1)
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (depth >= limits.jsonDepth) return TOO_DEEP
      at++
      if (text.charCodeAt(at) <= 32) at = skipSpace(text, at)
      if (text.charCodeAt(at) === code + 2) {
        at++
      } else {
        containers[depth++] = code
        if (code === OPEN_BRACE) at = skipKey(text, at)
        if (at < 0) return INVALID
        continue
      }
    } else {
      at = skipLiteral(text, at, code)
    }
    if (at < 0) return INVALID
    // A value has ended: close containers until one goes on, or the outermost is done.
    for (;;) {
      if (depth === outside) return at
      let next = text.charCodeAt(at)
      if (next <= 32) {
        at = skipSpace(text, at)
        next = text.charCodeAt(at)
      }
      if (next === COMMA) {
        at++
        if (text.charCodeAt(at) <= 32) at = skipSpace(text, at)
        if (containers[depth - 1] === OPEN_BRACE) at = skipKey(text, at)
        if (at < 0) return INVALID
        break
      }
      if (next !== containers[depth - 1]! + 2) return INVALID
      at++
      depth--
    }
  }
}

function begin(): void {
  nextUnusual = -1
  sawLoneSurrogate = false
  sawNumberOutOfRange = false
  sawEscape = false
}

/**
 * Why `text` is not one JSON value that every receiver can read; `undefined` when it is. `outside`: levels of nesting
 * that will lie around it.
 */
export function sendableFault(
  text: string,
  outside = 0,
): 'invalid_json' | 'too_deep' | 'not_sendable' | undefined {
  begin()
  const end = skipValue(text, skipSpace(text, 0), outside)
  if (end === TOO_DEEP) return 'too_deep'
  if (end < 0 || skipSpace(text, end) !== text.length) return 'invalid_json'
  return sawLoneSurrogate || sawNumberOutOfRange ? 'not_sendable' : undefined
}

/** The outcome of scanning one text for one table of member names. Overwritten by the next scan. */
export interface ObjectScanner {
  /** Scans `text`; on success the members can be asked for. */
  scan(text: string): ScanProblem | undefined
  has(member: number): boolean
  /** The member's value as it stands in the text. Only after `has`. */
  slice(member: number): string
  /** The member's value, which must be a string, without quotes and escapes. */
  text(member: number): string
  /** First character code of the member's value. */
  firstCode(member: number): number
  /** Where the value begins in the text. */
  startOf(member: number): number
  endOf(member: number): number
  /** Index of a member that was given twice (the last one counts), or -1. */
  duplicate(): number
  /** Legal JSON that strict receivers refuse: a `\\ud800` without partner. */
  loneSurrogate(): boolean
  /** Legal JSON that strict receivers refuse: `1e400`. */
  numberOutOfRange(): boolean
}

/**
 * Builds a scanner for the given member names (none of them empty); a member is asked for by its index in `names`.
 * Members with other names are checked and passed over.
 */
export function createObjectScanner(names: readonly string[]): ObjectScanner {
  const starts = new Int32Array(names.length)
  const ends = new Int32Array(names.length)
  const seenIn = new Uint32Array(names.length)
  /** 1: the value holds an escape. */
  const escaped = new Uint8Array(names.length)
  let scanNumber = 0
  let twice = NONE
  let text = ''
  const byName = new Map(names.map((name, member) => [name, member]))
  const candidates = createNameTable(names)

  function memberAt(text: string, from: number, to: number): number {
    let member = candidates.first[slotOf(to - from, text.charCodeAt(from))]!
    while (
      member !== NONE &&
      !(names[member]!.length === to - from && text.startsWith(names[member]!, from))
    ) {
      member = candidates.next[member]!
    }
    return member
  }

  function scanMembers(text: string, from: number): number {
    let at = skipSpace(text, from)
    if (text.charCodeAt(at) === CLOSE_BRACE) return at + 1
    for (;;) {
      if (text.charCodeAt(at) !== QUOTE) return INVALID
      const keyStart = at + 1
      sawEscape = false
      const keyEnd = skipString(text, keyStart)
      if (keyEnd < 0) return INVALID
      const member = sawEscape
        ? (byName.get(JSON.parse(text.slice(at, keyEnd)) as string) ?? NONE)
        : memberAt(text, keyStart, keyEnd - 1)
      at = keyEnd
      if (text.charCodeAt(at) !== COLON) {
        at = skipSpace(text, at)
        if (text.charCodeAt(at) !== COLON) return INVALID
      }
      let start = at + 1
      let code = text.charCodeAt(start)
      if (code <= 32) {
        start = skipSpace(text, start)
        code = text.charCodeAt(start)
      }
      sawEscape = false
      at = code === QUOTE ? skipString(text, start + 1) : skipValue(text, start, 1)
      if (at < 0) return at
      if (member !== NONE) {
        if (seenIn[member] === scanNumber) twice = member
        seenIn[member] = scanNumber
        starts[member] = start
        ends[member] = at
        escaped[member] = sawEscape ? 1 : 0
      }
      let next = text.charCodeAt(at)
      if (next <= 32) {
        at = skipSpace(text, at)
        next = text.charCodeAt(at)
      }
      if (next === CLOSE_BRACE) return at + 1
      if (next !== COMMA) return INVALID
      at++
      if (text.charCodeAt(at) <= 32) at = skipSpace(text, at)
    }
  }

  return {
    scan(input) {
      text = input
      begin()
      twice = NONE
      scanNumber = (scanNumber + 1) >>> 0
      if (scanNumber === 0) {
        seenIn.fill(0)
        scanNumber = 1
      }
      const start = skipSpace(input, 0)
      if (input.charCodeAt(start) !== OPEN_BRACE) {
        const end = skipValue(input, start, 0)
        if (end === TOO_DEEP) return 'too_deep'
        return end > 0 && skipSpace(input, end) === input.length ? 'not_an_object' : 'invalid_json'
      }
      const end = scanMembers(input, start + 1)
      if (end === TOO_DEEP) return 'too_deep'
      return end > 0 && skipSpace(input, end) === input.length ? undefined : 'invalid_json'
    },
    has: member => seenIn[member] === scanNumber,
    slice: member => cutOut(text, starts[member]!, ends[member]!),
    text: member =>
      escaped[member] === 1 || text.length > CUT_OUT_OF
        ? (JSON.parse(text.slice(starts[member], ends[member])) as string)
        : text.slice(starts[member]! + 1, ends[member]! - 1),
    firstCode: member => text.charCodeAt(starts[member]!),
    startOf: member => starts[member]!,
    endOf: member => ends[member]!,
    duplicate: () => twice,
    loneSurrogate: () => sawLoneSurrogate,
    numberOutOfRange: () => sawNumberOutOfRange,
  }
}
