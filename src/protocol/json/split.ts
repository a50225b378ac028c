/**
 * Takes valid JSON text apart, one level at a time, without reading what lies deeper: members of an object, elements of
 * an array, each as a slice of the text. So a part of a value can be changed and the rest stays as it was written.
 *
 * Only for text that a scanner has accepted: nothing is checked here.
 */
import { asJsonText, type JsonText } from '../jsonText.ts'
import { cutOut } from './cutOut.ts'

export type JsonType = 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object'

const QUOTE = 34
const COMMA = 44
const BACKSLASH = 92
const OPEN_BRACKET = 91
const CLOSE_BRACKET = 93
const OPEN_BRACE = 123
const CLOSE_BRACE = 125

export function typeOfJson(text: JsonText): JsonType {
  switch (text.charCodeAt(0)) {
    case OPEN_BRACE:
      return 'object'
    case OPEN_BRACKET:
      return 'array'
    case QUOTE:
      return 'string'
    case 110 /* n */:
      return 'null'
    case 116 /* t */:
    case 102 /* f */:
      return 'boolean'
    default:
      return 'number'
  }
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (text.charCodeAt(at) <= 32) at++
  return at
}

/** `open` is the index of the opening quote. Returns the index after the closing one. */
function endOfString(text: string, open: number): number {
  let from = open + 1
  for (;;) {
    const close = text.indexOf('"', from)
    let slashes = 0
    while (text.charCodeAt(close - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return close + 1
    from = close + 1
  }
}

/** Calls `opened` with the depth of each container; returns the index after the outermost. */
function skipContainer(text: string, open: number, opened?: (depth: number) => void): number {
  let depth = 0
  let at = open
  for (;;) {
    const code = text.charCodeAt(at++)
    if (code === QUOTE) {
      at = endOfString(text, at - 1)
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth++
      opened?.(depth)
    } else if ((code === CLOSE_BRACE || code === CLOSE_BRACKET) && --depth === 0) {
      return at
    }
  }
}

function endOfValue(text: string, from: number): number {
  const code = text.charCodeAt(from)
  if (code === QUOTE) return endOfString(text, from)
  if (code === OPEN_BRACE || code === OPEN_BRACKET) return skipContainer(text, from)
  let at = from + 1
  for (;;) {
    const next = text.charCodeAt(at)
    if (next <= 32 || next === COMMA || next === CLOSE_BRACE || next === CLOSE_BRACKET || at >= text.length)
      return at
    at++
  }
}

/** Of a key that stands twice the last value counts, as in `JSON.parse`. */
export function membersOf(object: JsonText): Map<string, JsonText> {
  const members = new Map<string, JsonText>()
  let at = skipSpace(object, 1)
  while (object.charCodeAt(at) === QUOTE) {
    const keyEnd = endOfString(object, at)
    const raw = object.slice(at + 1, keyEnd - 1)
    const key = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw
    const start = skipSpace(object, skipSpace(object, keyEnd) + 1)
    const end = endOfValue(object, start)
    members.set(key, asJsonText(cutOut(object, start, end)))
    at = skipSpace(object, end)
    if (object.charCodeAt(at) === COMMA) at = skipSpace(object, at + 1)
  }
  return members
}

export function elementsOf(array: JsonText): JsonText[] {
  const elements: JsonText[] = []
  let at = skipSpace(array, 1)
  while (array.charCodeAt(at) !== CLOSE_BRACKET) {
    const end = endOfValue(array, at)
    elements.push(asJsonText(cutOut(array, at, end)))
    at = skipSpace(array, end)
    if (array.charCodeAt(at) === COMMA) at = skipSpace(array, at + 1)
  }
  return elements
}

export function isEmptyArray(array: JsonText): boolean {
  return array.charCodeAt(skipSpace(array, 1)) === CLOSE_BRACKET
}

/** Levels of objects and arrays in each other: 0 for a number, 1 for `{}`, 2 for `[{}]`. */
export function depthOf(text: JsonText): number {
  const code = text.charCodeAt(0)
  if (code !== OPEN_BRACE && code !== OPEN_BRACKET) return 0
  let deepest = 0
  skipContainer(text, 0, depth => {
    if (depth > deepest) deepest = depth
  })
  return deepest
}
