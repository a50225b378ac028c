/**
 * Values against JSON Schemas. Schemas come from workers, so they are interpreted and never become code, and a check
 * ends: after a number of steps, and after a time.
 *
 * The library is loaded with the first schema: an engine without configurations does not need it.
 */
import type { OutputUnit, Schema, SchemaDraft, Validator } from '@cfworker/json-schema'
import { shortened } from '../../src/log/notices.ts'
import { isObject, type Json, type JsonObject } from './json.ts'
import { findSlowPattern } from './pattern.ts'

/** Problems that are told of one value. */
const MOST_PROBLEMS = 5
const MOST_STEPS = 200_000
/** Regular expressions of a schema are bounded by the platform, each look at one to about a second. */
const MOST_MS = 2000
/** Comparisons of `uniqueItems`, which compares each item of an array with each other: half a second. */
const MOST_COMPARISONS = 100_000_000
/** What one of items that are objects or arrays counts. */
const DEEP_COMPARISON = 20

/** What is wrong with a value, a sentence each, without any part of the value; empty: nothing. */
export type CheckValue = (schema: Json, value: Json) => Promise<readonly string[]>

type Library = typeof import('@cfworker/json-schema')

interface Prepared {
  readonly quick: Validator
  readonly thorough: Validator
  /** Somewhere in it is `uniqueItems`. */
  readonly comparesItems: boolean
  /** Allows as many steps again. */
  restart(): void
}

export function createCheck(now: () => number): CheckValue {
  let library: Promise<Library> | undefined
  /** Schemas that can be used, and what is wrong with the others. */
  const known = new WeakMap<object, Prepared | Error>()

  return async (schema, value) => {
    if (schema === true || (!isObject(schema) && schema !== false)) return []
    if (schema === false) return ['/: expected nothing, the schema allows no value']
    library ??= import('@cfworker/json-schema')
    const loaded = await library
    try {
      let prepared = known.get(schema)
      if (prepared === undefined) {
        prepared = tryPrepare(loaded, schema, now)
        known.set(schema, prepared)
      }
      if (prepared instanceof Error) throw prepared
      if (prepared.comparesItems && comparisonsIn(value) > MOST_COMPARISONS)
        throw new Error(
          'an array is so long that it would take too long to find out whether its items differ',
        )
      prepared.restart()
      const verdict = prepared.quick.validate(value)
      return verdict.valid ? [] : problemsOf(prepared, value, verdict.errors)
    } catch (error) {
      // Nothing but the text: whatever is wrong with a schema is the fault of who sent it.
      return [
        `/: the schema itself cannot be used: ${shortened(error instanceof Error ? error.message : String(error), 200)}`,
      ]
    }
  }
}

function comparisonsIn(value: Json): number {
  if (typeof value !== 'object' || value === null) return 0
  const parts: readonly Json[] = Array.isArray(value) ? value : Object.values(value)
  const inside = parts.reduce<number>((sum, part) => sum + comparisonsIn(part), 0)
  if (!Array.isArray(value)) return inside
  const isDeep = parts.some(part => typeof part === 'object' && part !== null)
  return inside + parts.length ** 2 * (isDeep ? DEEP_COMPARISON : 1)
}

function mentions(schema: Json, keyword: string): boolean {
  if (typeof schema !== 'object' || schema === null) return false
  if (Array.isArray(schema)) return schema.some(part => mentions(part, keyword))
  return (
    Object.hasOwn(schema, keyword) ||
    Object.values(schema as JsonObject).some(part => mentions(part, keyword))
  )
}

function problemsOf({ thorough, restart }: Prepared, value: Json, first: readonly OutputUnit[]): string[] {
  let errors = first
  try {
    restart()
    errors = thorough.validate(value).errors
  } catch {
    // Too many to find them all.
  }
  const sentences = new Set(errors.filter(isLeaf).map(sentenceOf))
  if (sentences.size === 0) for (const each of first.slice(-1)) sentences.add(sentenceOf(each))
  const told = [...sentences].slice(0, MOST_PROBLEMS)
  return sentences.size > told.length ? [...told, `and ${sentences.size - told.length} more`] : told
}

/** Keywords that only pass on what is wrong further down. */
const PASSING = new Set([
  '$ref',
  '$recursiveRef',
  'properties',
  'patternProperties',
  'additionalProperties',
  'unevaluatedProperties',
  'propertyNames',
  'items',
  'prefixItems',
  'additionalItems',
  'unevaluatedItems',
  'allOf',
  'anyOf',
  'oneOf',
  'then',
  'else',
  'if',
])

function isLeaf({ keyword }: OutputUnit): boolean {
  return !PASSING.has(keyword)
}

/** `/server/port: expected integer, got string` */
function sentenceOf({ instanceLocation, keyword, error }: OutputUnit): string {
  const path = shortened(instanceLocation.replace(/^#/, '') || '/', 200)
  return `${path}: ${shortened(meaning(keyword, error), 200)}`
}

function meaning(keyword: string, error: string): string {
  const type = /^Instance type "(\w+)" is invalid\. Expected (.*)\.$/s.exec(error)
  if (type !== null)
    return `expected ${type[2]!.replaceAll('"', '').replaceAll(', ', ' or ')}, got ${type[1]}`
  if (keyword === 'false') return 'expected nothing, this key or item is not allowed here'
  if (keyword === 'required') return `expected ${error.slice(error.indexOf('property "'), -1)}, it is missing`
  if (keyword === 'pattern') return 'expected a string that matches the pattern of the schema'
  if (keyword === 'format') return `expected ${error.slice(error.indexOf('format "'), -1)}`
  if (keyword === 'const') return `expected ${error.slice('Instance does not match '.length, -1)}`
  if (keyword === 'enum')
    return `expected one of ${error.slice('Instance does not match any of '.length, -1)}`
  // The library puts the number itself in front, which may be a secret.
  return error.replace(/^\S+ is /, 'the number is ').replace(/\.$/, '')
}

function tryPrepare(library: Library, schema: JsonObject, now: () => number): Prepared | Error {
  try {
    return prepare(library, schema, now)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function draftOf(schema: JsonObject): SchemaDraft {
  const named = typeof schema.$schema === 'string' ? schema.$schema : ''
  if (named.includes('draft-04')) return '4'
  if (named.includes('draft-06') || named.includes('draft-07')) return '7'
  return named.includes('2019-09') ? '2019-09' : '2020-12'
}

/**
 * The library counts nothing, but it looks at `$ref` of every schema it goes through: there a step is counted. A few lines
 * of references to references could otherwise keep the engine busy for years.
 */
function prepare({ Validator }: Library, schema: JsonObject, now: () => number): Prepared {
  const slow = findSlowPattern(schema, now)
  if (slow !== undefined) throw new Error(`the pattern ${shortened(slow)} takes too long on some texts`)
  let steps = 0
  let endsMs = 0
  function step(): void {
    if (++steps > MOST_STEPS) throw new Error('checking a value takes more steps than it may')
    if (now() > endsMs) throw new Error('checking a value takes longer than it may')
  }

  function counting(part: Json): unknown {
    if (Array.isArray(part)) return part.map(counting)
    if (!isObject(part)) return part
    const copy = Object.fromEntries(Object.entries(part).map(([key, member]) => [key, counting(member)]))
    const reference = Object.hasOwn(copy, '$ref') ? copy.$ref : undefined
    Object.defineProperty(copy, '$ref', {
      enumerable: Object.hasOwn(part, '$ref'),
      get() {
        step()
        return reference
      },
    })
    return copy
  }

  const draft = draftOf(schema)
  const restart = (): void => {
    steps = 0
    endsMs = now() + MOST_MS
  }
  restart()
  const made = (isQuick: boolean): Validator => new Validator(counting(schema) as Schema, draft, isQuick)
  return {
    quick: made(true),
    thorough: made(false),
    comparesItems: mentions(schema, 'uniqueItems'),
    restart,
  }
}
