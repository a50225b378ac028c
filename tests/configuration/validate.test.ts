// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders are the subject
/** JSON Schemas of others: right verdicts, short sentences, and an end. */
import { describe, expect, test } from 'bun:test'
import type { Json } from '../../workers/configuration/json.ts'
import { createCheck } from '../../workers/configuration/validate.ts'

const check = createCheck(() => performance.now())

test('whether the items of an array differ is not asked where that takes seconds', async () => {
  const schema = { properties: { list: { type: 'array', uniqueItems: true } } }
  const listOf = (length: number): Json => ({ list: Array.from({ length }, (_, index) => index) })
  const objects = (length: number): Json => ({ list: Array.from({ length }, (_, index) => ({ index })) })
  expect(await check(schema, listOf(1000))).toEqual([])
  expect(await check(schema, objects(1000))).toEqual([])
  expect(await check(schema, { list: [1, 2, 1] })).toEqual(['/list: Duplicate items at indexes 0 and 2'])
  const why =
    '/: the schema itself cannot be used: an array is so long that it would take too long to find out whether its items differ'
  expect(await check(schema, listOf(20_000))).toEqual([why])
  expect(await check(schema, objects(5000))).toEqual([why])
  // Of no matter where nothing is compared.
  expect(await check({ type: 'object' }, listOf(200_000))).toEqual([])
})

describe('a value', () => {
  const person = {
    type: 'object',
    properties: { name: { type: 'string' }, age: { type: ['integer', 'null'], minimum: 0 } },
    required: ['name'],
    additionalProperties: false,
  }
  const cases: [Json, Json, string[]][] = [
    [person, { name: 'a', age: null }, []],
    [person, { age: 1 }, ['/: expected property "name", it is missing']],
    [
      person,
      { name: 1, age: 1.5 },
      ['/name: expected string, got number', '/age: expected integer or null, got number'],
    ],
    [person, { name: 'a', age: -1 }, ['/age: the number is less than 0']],
    [person, { name: 'a', x: 1 }, ['/x: expected nothing, this key or item is not allowed here']],
    [{ enum: ['red', 'green'] }, 'blue', ['/: expected one of ["red","green"]']],
    [{ const: 1 }, 2, ['/: expected 1']],
    [{ format: 'ipv4' }, 'x', ['/: expected format "ipv4"']],
    [{ pattern: '^a+$' }, 'b', ['/: expected a string that matches the pattern of the schema']],
    [{ not: {} }, 1, ['/: Instance matched "not" schema']],
    [{ properties: { 'a/b': { type: 'null' } } }, { 'a/b': 1 }, ['/a~1b: expected null, got number']],
    [
      { $defs: { n: { type: 'integer' } }, items: { $ref: '#/$defs/n' } },
      ['x'],
      ['/0: expected integer, got string'],
    ],
    [
      { $schema: 'http://json-schema.org/draft-07/schema#', items: [{ type: 'string' }] },
      [1],
      ['/0: expected string, got number'],
    ],
    [true, 1, []],
    [false, 1, ['/: expected nothing, the schema allows no value']],
    ['nonsense', 1, []],
    [{ properties: { constructor: { type: 'string' } } }, {}, []],
    [
      { additionalProperties: false },
      { constructor: 1 },
      ['/constructor: expected nothing, this key or item is not allowed here'],
    ],
    [{ required: ['toString'] }, {}, ['/: expected property "toString", it is missing']],
  ]
  test.each(cases)('by %j: %j', async (schema, value, problems) => {
    expect([...(await check(schema, value))]).toEqual(problems)
  })

  test('with many faults has few sentences', async () => {
    const problems = await check(
      { items: { type: 'string' } },
      Array.from({ length: 5000 }, () => 1),
    )
    expect(problems).toHaveLength(6)
    expect(problems.at(-1)).toBe('and 4995 more')
  })
})

describe('a schema', () => {
  test.each([
    [{ $ref: '#' }],
    [{ $ref: '#/$defs/none' }],
    [{ $ref: 'https://example.com/other.json' }],
    [{ pattern: '(' }],
    [{ pattern: '^(a+)+$' }],
    [{ patternProperties: { '^(a|a)*$': {} } }],
  ])('%j that cannot be used is a problem of its own', async schema => {
    const [problem, ...more] = await check(schema as Json, 'x')
    expect(more).toEqual([])
    expect(problem).toStartWith('/: the schema itself cannot be used: ')
    expect(problem!.length).toBeLessThan(300)
  })

  test('of references that double is not followed for ever', async () => {
    const $defs: Record<string, Json> = { d0: { type: 'integer' } }
    for (let n = 1; n <= 40; n++)
      $defs[`d${n}`] = { allOf: [{ $ref: `#/$defs/d${n - 1}` }, { $ref: `#/$defs/d${n - 1}` }] }
    const [problem] = await check({ $defs, $ref: '#/$defs/d40' }, 1)
    expect(problem).toBe('/: the schema itself cannot be used: checking a value takes more steps than it may')
  })

  test('never becomes code', async () => {
    const given = {
      properties: { 'x"];globalThis.hacked = true;//': { const: '${globalThis.hacked = true}' } },
    }
    await check(given, { 'x"];globalThis.hacked = true;//': 1 })
    expect('hacked' in globalThis).toBe(false)
  })

  test('with an ordinary pattern is no slow one', async () => {
    for (const pattern of [
      '^[a-z0-9]+(-[a-z0-9]+)*$',
      '^\\d{4}-\\d{2}-\\d{2}$',
      '^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$',
    ]) {
      expect((await check({ pattern }, '!'))[0]).toContain('matches the pattern')
    }
  })
})
