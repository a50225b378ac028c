/**
 * Finds regular expressions that take very long on some texts. The platform gives up on one such text after about a second,
 * but an object may have thousands of keys; so schemas with a pattern like that are refused when they are first used.
 */
import { isObject, type Json } from './json.ts'

const REPEATS = 32
const SLOW_MS = 50
/** For all patterns of a schema together. */
const MOST_MS = 1000
const MOST_PROBES = 24

/** The first slow pattern of a schema, wherever it stands; `undefined`: none was found. */
export function findSlowPattern(schema: Json, now: () => number): string | undefined {
  const endsMs = now() + MOST_MS
  for (const pattern of patternsOf(schema)) if (isSlow(pattern, now) || now() > endsMs) return pattern
  return undefined
}

function* patternsOf(schema: Json): Generator<string> {
  if (Array.isArray(schema)) for (const item of schema) yield* patternsOf(item)
  if (!isObject(schema)) return
  for (const [key, member] of Object.entries(schema)) {
    if (key === 'pattern' && typeof member === 'string') yield member
    if (key === 'patternProperties' && isObject(member)) yield* Object.keys(member)
    yield* patternsOf(member)
  }
}

/** Tries texts that repeat what the pattern itself is made of and end in what it does not expect. */
function isSlow(pattern: string, now: () => number): boolean {
  // Without repetition of what can repeat itself, or a choice that is repeated, nothing grows beyond the text.
  if (!/[*+}]/.test(pattern)) return false
  const expression = new RegExp(pattern, 'u')
  const words = pattern.match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? []
  const probes = new Set(['a', '0', 'A', ' ', '-', 'a0', ...words.flatMap(word => [word, word[0]!])])
  for (const probe of [...probes].slice(0, MOST_PROBES)) {
    const startedAtMs = now()
    expression.test(`${probe.repeat(REPEATS)}\u0000`)
    if (now() - startedAtMs > SLOW_MS) return true
  }
  return false
}
