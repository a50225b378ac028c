/** JSON as values: what a configuration holds. */
import { isDeepStrictEqual } from 'node:util'

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export type JsonObject = { readonly [key: string]: Json }

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isSame(one: Json | undefined, other: Json | undefined): boolean {
  return isDeepStrictEqual(one, other)
}

/** A copy with each string replaced. Keys stay what they are, `__proto__` too. */
export function mapStrings(value: Json, map: (text: string) => Json): Json {
  if (typeof value === 'string') return map(value)
  if (Array.isArray(value)) return value.map(item => mapStrings(item, map))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, mapStrings(member, map)]))
}

/** The result of a JSON Merge Patch (RFC 7396): objects are merged, `null` removes a key, all else replaces. */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch
  const merged = new Map<string, Json>(isObject(target) ? Object.entries(target) : [])
  for (const [key, member] of Object.entries(patch)) {
    if (member === null) merged.delete(key)
    else merged.set(key, mergePatch(merged.get(key) ?? null, member))
  }
  return Object.fromEntries(merged)
}

export function isDeeper(value: unknown, than: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return than === 0 || Object.values(value).some(member => isDeeper(member, than - 1))
}

/** What is wrong with a value whatever its schema says, as a sentence that begins with its path. */
export function unfitness(value: unknown, deepest: number, path = ''): string | undefined {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return `${path || '/'}: expected a number that JSON has, got ${value}`
    return Number.isInteger(value) && !Number.isSafeInteger(value)
      ? `${path || '/'}: expected a whole number within ±9007199254740991; a larger one would lose digits, write it as text`
      : undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (deepest === 0) return `${path.slice(0, 80)}: expected no further nesting here, the value is too deep`
  for (const [key, member] of Object.entries(value)) {
    const wrong = unfitness(member, deepest - 1, `${path}/${pointerPart(key)}`)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

/** A key as it stands in a JSON Pointer. */
function pointerPart(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
