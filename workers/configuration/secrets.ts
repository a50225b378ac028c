/** Which parts of a value its schema marks as secret, and the value without them. */

import type { Entry } from './entry.ts'
import { MASK, maskAroundPlaceholders } from './expand.ts'
import { isObject, type Json, type JsonObject } from './json.ts'

/** Looks at schemas for one value; with more the whole value counts as secret. */
const MOST_LOOKS = 200_000

const COMBINING = ['allOf', 'anyOf', 'oneOf'] as const
const BRANCHES = ['if', 'then', 'else', '$ref'] as const

/** Whether a schema says of the value itself that it is a secret. */
function marks(schema: JsonObject): boolean {
  return schema.writeOnly === true || schema.format === 'password' || schema['x-secret'] === true
}

/** The part of a schema that `#/$defs/name` names; other references lead out of it and are not followed. */
function resolve(root: Json, reference: Json | undefined): Json | undefined {
  if (reference === '#') return root
  if (typeof reference !== 'string' || !reference.startsWith('#/')) return undefined
  let at: Json | undefined = root
  for (const part of reference.slice(2).split('/')) {
    const key = safeDecode(part).replaceAll('~1', '/').replaceAll('~0', '~')
    if (Array.isArray(at)) at = at[Number(key)]
    else if (isObject(at) && Object.hasOwn(at, key)) at = at[key]
    else return undefined
  }
  return at
}

function safeDecode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function own(schema: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(schema, key) ? schema[key] : undefined
}

/**
 * Replaces what any schema that applies marks as secret: `writeOnly: true`, `format: password`, `x-secret: true`. When in
 * doubt which alternative of a schema applies, all do.
 * `raw`: placeholders in secrets stay readable, because they name a variable and tell nothing of it.
 */
export function maskSecrets(value: Json, schema: Json | undefined, raw: boolean): Json {
  let looks = 0

  /** The schemas and everything that says more about the same value, each once. */
  function applying(schemas: readonly (Json | undefined)[]): Set<JsonObject> {
    const found = new Set<JsonObject>()
    const waiting = [...schemas]
    while (waiting.length > 0) {
      const next = waiting.pop()
      if (!isObject(next) || found.has(next)) continue
      if (++looks > MOST_LOOKS) throw TOO_MANY
      found.add(next)
      for (const key of COMBINING) {
        const list = own(next, key)
        if (Array.isArray(list)) waiting.push(...(list as Json[]))
      }
      for (const key of BRANCHES) {
        const branch = own(next, key)
        waiting.push(key === '$ref' ? resolve(schema ?? null, branch) : branch)
      }
    }
    return found
  }

  function ofKey(schemas: Set<JsonObject>, key: string): (Json | undefined)[] {
    return [...schemas].flatMap(each => {
      const properties = own(each, 'properties')
      const named = isObject(properties) ? own(properties, key) : undefined
      const patterns = own(each, 'patternProperties')
      // Whether a pattern fits is not tried: a secret too many is better than one too few.
      return [
        named,
        ...(isObject(patterns) ? Object.values(patterns) : []),
        own(each, 'additionalProperties'),
      ]
    })
  }

  function ofItem(schemas: Set<JsonObject>, index: number): (Json | undefined)[] {
    return [...schemas].flatMap(each => {
      const items = own(each, 'items')
      const places = Array.isArray(items) ? items : own(each, 'prefixItems')
      const placed = Array.isArray(places) ? (places as Json[])[index] : undefined
      return [placed, Array.isArray(items) ? undefined : items, own(each, 'additionalItems')]
    })
  }

  function mask(part: Json, schemas: readonly (Json | undefined)[]): Json {
    const all = applying(schemas)
    if (all.size === 0) return part
    if ([...all].some(marks)) return hidden(part)
    if (Array.isArray(part)) return part.map((item, index) => mask(item, ofItem(all, index)))
    if (!isObject(part)) return part
    return Object.fromEntries(
      Object.entries(part).map(([key, member]) => [key, mask(member, ofKey(all, key))]),
    )
  }

  function hidden(part: Json): Json {
    if (part === null) return null
    return raw && typeof part === 'string' ? maskAroundPlaceholders(part) : MASK
  }

  try {
    return mask(value, [schema])
  } catch (error) {
    if (error === TOO_MANY) return MASK
    throw error
  }
}

/** A value of an entry without what is a secret of it. */
export function maskSecretsOf(
  { schema, formerSchema }: Pick<Entry, 'schema' | 'formerSchema'>,
  value: Json,
  raw: boolean,
): Json {
  return maskSecrets(maskSecrets(value, schema, raw), formerSchema, raw)
}

const TOO_MANY = new Error('a schema has too many parts')
