/** The operations beside a model of them that works on parsed values, slowly and plainly. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { depthOf, elementsOf, isEmptyArray, membersOf, typeOfJson } from '../../../src/protocol/json/split.ts'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { holds } from '../../support/fuzz.ts'
import { updated } from './support.ts'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
interface Operation {
  type: string
  path?: string | string[]
  value?: Json
  by?: number
}

const isObject = (value: unknown): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Not `structuredClone`: of objects with keys like `0` its copies are mixed up by the optimizer of Bun 1.4.5. */
function copyOf<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value
}

function begun(value: Json): Json {
  return typeof value === 'string' ? value : [value]
}

class Failed extends Error {}

function fail(): never {
  throw new Failed()
}

/** The value after one operation. The paths of this test are all well formed. */
function step(root: Json, wasMissing: boolean, { type, path = '', value = null, by = 0 }: Operation): Json {
  const segments = path === '' ? [] : typeof path === 'string' ? [path] : path
  const leaf = segments.at(-1)
  const number = (target: Json | undefined): number => {
    if (target !== undefined && typeof target !== 'number') fail()
    return (target ?? 0) + (type === 'increment' ? by : -by)
  }
  const joined = (target: Json): Json => {
    if (target === null) return begun(value)
    if (Array.isArray(target)) return [...target, value]
    return typeof target === 'string' && typeof value === 'string' ? target + value : fail()
  }
  if (type === 'merge' && !isObject(value)) fail()
  if (leaf === undefined) {
    if (type === 'set') return value
    if (type === 'remove') return null
    if (type === 'append') return joined(wasMissing ? null : root)
    if (type !== 'merge') return number(wasMissing ? undefined : root)
    return isObject(root) ? Object.assign(root, value) : fail()
  }
  if (type === 'merge' && !isObject(root)) root = Object.create(null)
  if (!isObject(root)) fail()
  let parent = root as Record<string, Json>
  const way = type === 'merge' ? segments : segments.slice(0, -1)
  for (const segment of way) {
    if (!isObject(parent[segment])) parent[segment] = Object.create(null)
    parent = parent[segment] as Record<string, Json>
  }
  if (type === 'merge') Object.assign(parent, value)
  else if (type === 'set') parent[leaf] = value
  else if (type === 'remove') delete parent[leaf]
  else if (type !== 'append') parent[leaf] = number(parent[leaf])
  else if (parent[leaf] !== undefined) parent[leaf] = joined(parent[leaf])
  else parent[leaf] = segments.length === 1 ? begun(value) : [value]
  return root
}

function model(
  before: Json | undefined,
  operations: readonly Operation[],
): { after: Json; failed: number[] } {
  let root: Json = copyOf(before === undefined ? {} : before)
  let wasMissing = before === undefined
  const failed: number[] = []
  for (const [index, operation] of operations.entries()) {
    try {
      root = step(copyOf(root), wasMissing, copyOf(operation))
      wasMissing = false
    } catch (error) {
      if (!(error instanceof Failed)) throw error
      failed.push(index)
    }
  }
  return { after: root, failed }
}

/** Few keys, so that operations meet. */
const key = fc.constantFrom('a', 'b', 'c.d', '0', 'ü"\\')
const leafValue = fc.oneof(
  fc.constantFrom<Json>(null, true, '', 'text\n"\\', [], {}),
  fc.integer({ min: -1000, max: 1000 }),
)
const { value } = fc.letrec<{ value: Json }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leafValue,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
}))
const path = fc.oneof(fc.constant(''), key)
const anyPath = fc.oneof(path, fc.array(key, { maxLength: 3 }))
const by = fc.integer({ min: -100, max: 100 })
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ type: fc.constant('set'), path, value }),
  fc.record({ type: fc.constantFrom('increment', 'decrement'), path, by }),
  fc.record({ type: fc.constant('remove'), path }),
  fc.record({ type: fc.constantFrom('merge', 'append'), path: anyPath, value }),
)

test('any operations on any value do what the model does', () => {
  const before = fc.option(value, { nil: undefined })
  const indent = fc.constantFrom(0, 1)
  holds([before, fc.array(operation, { maxLength: 8 }), indent], (given, operations, spaces) => {
    const text = given === undefined ? undefined : JSON.stringify(given, undefined, spaces)
    const { after, errors } = updated(text, JSON.stringify(operations, undefined, spaces))
    const expected = model(given, operations)
    expect(JSON.parse(after)).toEqual(JSON.parse(JSON.stringify(expected.after)))
    expect(errors.map(({ op_index }) => op_index)).toEqual(expected.failed)
  })
})

test('any JSON text comes apart as JSON.parse reads it', () => {
  const depth = (of: unknown): number =>
    typeof of !== 'object' || of === null ? 0 : 1 + Math.max(0, ...Object.values(of).map(depth))
  holds([fc.jsonValue(), fc.constantFrom(0, 2)], (given, spaces) => {
    const text = asJsonText(JSON.stringify(given, undefined, spaces))
    expect(depthOf(text)).toBe(depth(given))
    if (Array.isArray(given)) {
      expect(elementsOf(text).map(part => JSON.parse(part) as unknown)).toEqual(JSON.parse(text))
      expect(isEmptyArray(text)).toBe(given.length === 0)
    } else if (isObject(given)) {
      const members = [...membersOf(text)].map(([name, part]) => [name, JSON.parse(part) as unknown] as const)
      expect(new Map(members)).toEqual(new Map(Object.entries(JSON.parse(text) as object)))
    } else {
      expect(typeOfJson(text)).toBe(given === null ? 'null' : (typeof given as 'number'))
    }
  })
})
