import { describe, expect, test } from 'bun:test'
import { codes, updated } from './support.ts'

type Operation = Record<string, unknown>
/** Value before, operation, value after. */
type Row = readonly [string, string | undefined, Operation, string]
/** Value before, operation, code, message. */
type Refusal = readonly [string | undefined, Operation, string, string]

function applies(rows: readonly Row[]): void {
  test.each(rows.map(row => [...row]))('%s', (_, before, operation, after) => {
    expect(updated(before as string | undefined, [operation])).toEqual({ after: after as string, errors: [] })
  })
}

function refuses(rows: readonly Refusal[]): void {
  test.each(rows.map(row => [...row]))('of %p, %j is %s', (before, operation, code, message) => {
    const { after, errors } = updated(before as string | undefined, [operation])
    const doc_url = 'https://iii.dev/docs/workers/iii-state#error-codes'
    expect(errors).toEqual([{ op_index: 0, code: code as string, message: message as string, doc_url }])
    expect(after).toBe((before as string | undefined) ?? '{}')
  })
}

describe('set', () => {
  const set = (path: string, value?: unknown): Operation => ({ type: 'set', path, value })
  applies([
    ['replaces everything at the root', '{"a":1}', set('', [1]), '[1]'],
    ['makes the root null without a value', '{"a":1}', set(''), 'null'],
    ['sets a key', '{"a":1}', set('b', { c: 1 }), '{"a":1,"b":{"c":1}}'],
    ['replaces a key in its place', '{"a":1,"b":2}', set('a', 3), '{"a":3,"b":2}'],
    ['makes a key null without a value', '{}', set('a'), '{"a":null}'],
    ['takes dots as characters', '{"a":{"b":1}}', set('a.b', 2), '{"a":{"b":1},"a.b":2}'],
    ['creates what is missing', undefined, set('a', 1), '{"a":1}'],
    ['replaces what is missing', undefined, set('', 5), '5'],
    ['does not look into its value', '{}', set('a', { constructor: 1 }), '{"a":{"constructor":1}}'],
  ])
  refuses([
    ['5', set('a', 1), 'set.target_not_object', "Cannot set at path 'a': target is number, expected object."],
    [
      'null',
      set('a', 1),
      'set.target_not_object',
      "Cannot set at path 'a': target is null, expected object.",
    ],
    [
      '[]',
      set('a.b', 1),
      'set.target_not_object',
      "Cannot set at path 'a.b': target is array, expected object.",
    ],
  ])
})

describe('merge', () => {
  const merge = (value: unknown, path?: unknown): Operation => ({ type: 'merge', path, value })
  applies([
    ['overwrites keys of the root', '{"a":1,"b":2}', merge({ b: 3, c: 4 }), '{"a":1,"b":3,"c":4}'],
    ['is shallow', '{"a":{"x":1}}', merge({ a: { y: 2 } }), '{"a":{"y":2}}'],
    ['takes an empty path as the root', '{}', merge({ a: 1 }, ''), '{"a":1}'],
    ['takes no segments as the root', '{}', merge({ a: 1 }, []), '{"a":1}'],
    ['takes null as the root', '{}', merge({ a: 1 }, null), '{"a":1}'],
    ['merges under a key', '{"a":{"x":1}}', merge({ y: 2 }, 'a'), '{"a":{"x":1,"y":2}}'],
    ['takes dots as characters', '{}', merge({ y: 2 }, 'a.b'), '{"a.b":{"y":2}}'],
    ['makes the way', '{}', merge({ y: 2 }, ['a', 'b']), '{"a":{"b":{"y":2}}}'],
    ['makes the way through values', '{"a":5}', merge({ y: 2 }, ['a', 'b']), '{"a":{"b":{"y":2}}}'],
    ['replaces a leaf that is no object', '{"a":[1]}', merge({ y: 2 }, ['a']), '{"a":{"y":2}}'],
    ['replaces a root that is no object', '"text"', merge({ y: 2 }, ['a']), '{"a":{"y":2}}'],
    ['creates what is missing', undefined, merge({ a: 1 }), '{"a":1}'],
    ['may merge nothing', '{"a":1}', merge({}, ['b']), '{"a":1,"b":{}}'],
  ])
  const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) })
  const deepList = (levels: number): unknown => (levels === 0 ? 1 : [deepList(levels - 1)])
  const wide = (keys: number): unknown =>
    Object.fromEntries(Array.from({ length: keys }, (_, n) => [`k${n}`, n]))
  refuses([
    [
      '5',
      merge({ a: 1 }),
      'merge.target_not_object',
      "Cannot merge at path 'root': target is number, expected object.",
    ],
    ['{}', merge([1]), 'merge.value.not_an_object', 'Merge value must be a JSON object'],
    ['{}', merge(null, 'a'), 'merge.value.not_an_object', 'Merge value must be a JSON object'],
    [
      '{}',
      merge(wide(1025)),
      'merge.value.too_many_keys',
      'Merge value has 1025 top-level keys, exceeds maximum of 1024',
    ],
    [
      '{}',
      merge(JSON.parse('{"__proto__":{"x":1}}')),
      'merge.value.proto_polluted',
      'Merge value top-level key "__proto__" is a prototype-pollution sink',
    ],
    [
      '{}',
      merge(deep(17)),
      'merge.value.too_deep',
      'Merge value JSON nesting depth 17 exceeds maximum of 16',
    ],
    [
      '{}',
      merge({ a: deepList(16) }),
      'merge.value.too_deep',
      'Merge value JSON nesting depth 17 exceeds maximum of 16',
    ],
  ])

  test('takes values up to its limits', () => {
    expect(codes('{}', [merge(wide(1024)), merge(deep(16))])).toEqual([])
  })

  test('looks at the path first, then at object, keys, names, depth', () => {
    const all = JSON.parse(`{"constructor":${JSON.stringify(deep(20))}}`) as object
    expect(codes('{}', [merge([], ['__proto__'])])).toEqual(['merge.path.proto_polluted'])
    expect(codes('{}', [merge({ ...all, ...(wide(1024) as object) })])).toEqual(['merge.value.too_many_keys'])
    expect(codes('{}', [merge(all)])).toEqual(['merge.value.proto_polluted'])
  })

  test('does not look for names below the first level of its value', () => {
    const { after } = updated('{}', '[{"type":"merge","value":{"a":{"__proto__":{"x":1}}}}]')
    expect(after).toBe('{"a":{"__proto__":{"x":1}}}')
  })
})

describe('increment and decrement', () => {
  const up = (path: string, by: number): Operation => ({ type: 'increment', path, by })
  const down = (path: string, by: number): Operation => ({ type: 'decrement', path, by })
  applies([
    ['add to a key', '{"n":5}', up('n', 2), '{"n":7}'],
    ['subtract from a key', '{"n":5}', down('n', 7), '{"n":-2}'],
    ['a missing key starts as 0', '{}', up('n', 2), '{"n":2}'],
    ['a missing key starts as 0, downwards too', '{}', down('n', 2), '{"n":-2}'],
    ['add to the root', '5', up('', 1), '6'],
    ['what is missing becomes the number', undefined, up('', 3), '3'],
    ['what is missing becomes the negative number', undefined, down('', 3), '-3'],
    ['a key of what is missing', undefined, up('n', 3), '{"n":3}'],
    ['floats stay floats', '{"n":1.5}', up('n', 1), '{"n":2.5}'],
    ['also where they are whole', '{"n":1.0}', up('n', 1), '{"n":2.0}'],
    ['and where they become whole', '0.0', down('', 1), '-1.0'],
    ['and when they are large', '1e30', up('', 1), '1e+30'],
    ['integers are exact', '9007199254740993', up('', 1), '9007199254740994'],
    ['integers may go beyond the signed range', '9223372036854775807', up('', 1), '9223372036854775808'],
    ['integers may come back', '18446744073709551615', down('', 1), '18446744073709551614'],
    ['by may be negative', '{"n":1}', up('n', -3), '{"n":-2}'],
  ])
  refuses([
    ['{}', up('', 1), 'increment.not_number', "Expected number at path 'root', got object."],
    ['"1"', down('', 1), 'decrement.not_number', "Expected number at path 'root', got string."],
    ['{"n":"1"}', up('n', 1), 'increment.not_number', "Expected number at path 'n', got string."],
    ['{"n":null}', down('n', 1), 'decrement.not_number', "Expected number at path 'n', got null."],
    [
      '{"n":18446744073709551615}',
      up('n', 1),
      'increment.not_number',
      "Expected number at path 'n', got number.",
    ],
    [
      '{"n":-9223372036854775808}',
      down('n', 1),
      'decrement.not_number',
      "Expected number at path 'n', got number.",
    ],
    [
      '{"n":18446744073709551616}',
      down('n', 1),
      'decrement.not_number',
      "Expected number at path 'n', got number.",
    ],
    [
      '[1]',
      up('n', 1),
      'increment.target_not_object',
      "Cannot increment at path 'n': target is array, expected object.",
    ],
    [
      'true',
      down('n', 1),
      'decrement.target_not_object',
      "Cannot decrement at path 'n': target is boolean, expected object.",
    ],
  ])

  test('the whole range of `by`', () => {
    const least = '[{"type":"decrement","path":"","by":-9223372036854775808}]'
    expect(updated(undefined, least).after).toBe('9223372036854775808')
    const most = '[{"type":"increment","path":"","by":9223372036854775807}]'
    expect(updated('9223372036854775808', most).after).toBe('18446744073709551615')
  })
})

describe('append', () => {
  const append = (value: unknown, path?: unknown): Operation => ({ type: 'append', path, value })
  applies([
    ['begins an array where nothing was', undefined, append(1), '[1]'],
    ['begins a string where nothing was', undefined, append('a'), '"a"'],
    ['begins an array at null', 'null', append({}), '[{}]'],
    ['adds an element', '[1]', append([2]), '[1,[2]]'],
    ['adds the first element', '[ ]', append(1), '[ 1]'],
    ['adds text', '"a\\n"', append('"b"'), '"a\\n\\"b\\""'],
    ['adds text to an array as an element', '[1]', append('b'), '[1,"b"]'],
    ['adds under a key', '{"a":[1]}', append(2, 'a'), '{"a":[1,2]}'],
    ['begins an array under a key', '{}', append(2, 'a'), '{"a":[2]}'],
    ['begins a string under a key', '{}', append('x', 'a'), '{"a":"x"}'],
    ['begins a string under a path of one key', '{}', append('x', ['a']), '{"a":"x"}'],
    ['begins an array under a longer path', '{}', append('x', ['a', 'b']), '{"a":{"b":["x"]}}'],
    [
      'begins a string at a null under a longer path',
      '{"a":{"b":null}}',
      append('x', ['a', 'b']),
      '{"a":{"b":"x"}}',
    ],
    ['adds text under a longer path', '{"a":{"b":"x"}}', append('y', ['a', 'b']), '{"a":{"b":"xy"}}'],
    ['makes the way through values', '{"a":5}', append(1, ['a', 'b']), '{"a":{"b":[1]}}'],
    ['takes dots as characters', '{}', append(1, 'a.b'), '{"a.b":[1]}'],
  ])
  refuses([
    ['"a"', append(1), 'append.type_mismatch', "Expected string append value at path 'root', got number."],
    [
      '{"a":"x"}',
      append(null, 'a'),
      'append.type_mismatch',
      "Expected string append value at path 'a', got null.",
    ],
    [
      '{"a":{"b":"x"}}',
      append([], ['a', 'b']),
      'append.type_mismatch',
      "Expected string append value at path 'b', got array.",
    ],
    [
      '5',
      append(1),
      'append.type_mismatch',
      "Cannot append at path 'root': target is number, expected array, string, null, or missing field.",
    ],
    [
      '{"a":{"b":true}}',
      append(1, ['a', 'b']),
      'append.type_mismatch',
      "Cannot append at path 'b': target is boolean, expected array, string, null, or missing field.",
    ],
    [
      '{"a":{}}',
      append(1, 'a'),
      'append.type_mismatch',
      "Cannot append at path 'a': target is object, expected array, string, null, or missing field.",
    ],
    [
      '[]',
      append(1, 'a'),
      'append.target_not_object',
      "Cannot append at path '[a]': target is array, expected object.",
    ],
    [
      '"x"',
      append(1, ['a', 'b']),
      'append.target_not_object',
      "Cannot append at path '[a, b]': target is string, expected object.",
    ],
  ])

  test('many times, an element after the other', () => {
    const operations = Array.from({ length: 1000 }, (_, n) => append(n, 'list'))
    const { after, errors } = updated('{"list":[]}', operations)
    expect(errors).toEqual([])
    expect(JSON.parse(after)).toEqual({ list: Array.from({ length: 1000 }, (_, n) => n) })
  })

  test('to what was appended to before', () => {
    const text = updated('{}', [append('a', 's'), append('b', 's'), append('c', 's'), append(1, 's')])
    expect(text.after).toBe('{"s":"abc"}')
    expect(text.errors.map(({ message }) => message)).toEqual([
      "Expected string append value at path 's', got number.",
    ])
    expect(codes('{"s":[]}', [append(1, 's'), { type: 'increment', path: 's', by: 1 }])).toEqual([
      'increment.not_number',
    ])
  })
})

describe('remove', () => {
  const remove = (path: string): Operation => ({ type: 'remove', path })
  applies([
    ['takes a key out', '{"a":1,"b":2}', remove('a'), '{"b":2}'],
    ['leaves nothing but an object', '{"a":1}', remove('a'), '{}'],
    ['takes a missing key for removed', '{"a":1}', remove('b'), '{"a":1}'],
    ['makes the root null', '{"a":1}', remove(''), 'null'],
    ['makes null of what is missing', undefined, remove(''), 'null'],
  ])
  refuses([
    [
      '[1]',
      remove('0'),
      'remove.target_not_object',
      "Cannot remove at path '0': target is array, expected object.",
    ],
  ])
})
