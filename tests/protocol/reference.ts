/** What `JSON.parse` and a few regular expressions say of a text: slow, and written without a look at the scanner. */
import { limits } from '../../src/protocol/limits.ts'

export interface Verdict {
  readonly kind: 'object' | 'other' | 'invalid' | 'too_deep'
  readonly value?: unknown
  readonly loneSurrogate: boolean
  readonly numberOutOfRange: boolean
}

const STRING = /"(?:[^"\\]|\\.)*"/gs
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** Deepest nesting, counted from the left as far as the text is well-formed. */
export function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  for (const character of text.replace(STRING, '')) {
    if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth)
    else if (character === '}' || character === ']') depth--
  }
  return deepest
}

function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

export function verdictOf(text: string): Verdict {
  const parsed = parse(text)
  if (parsed === undefined) return { kind: 'invalid', loneSurrogate: false, numberOutOfRange: false }
  const { value } = parsed
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  const strings = text.match(STRING) ?? []
  const numbers = text.replace(STRING, '').match(NUMBER) ?? []
  return {
    kind: depthOf(text) > limits.jsonDepth ? 'too_deep' : isObject ? 'object' : 'other',
    value,
    loneSurrogate: strings.some(literal => !(JSON.parse(literal) as string).isWellFormed()),
    numberOutOfRange: numbers.some(literal => !Number.isFinite(Number(literal))),
  }
}
