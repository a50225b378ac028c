/** What holds for all operations: their paths, and what becomes of several of them. */
import { describe, expect, test } from 'bun:test'
import { codes, updated } from './support.ts'

type Operation = Record<string, unknown>

describe('paths', () => {
  const withPath = (type: string, path: unknown): Operation => ({ type, path, value: {}, by: 1 })
  const names = ['set', 'increment', 'decrement', 'remove', 'merge', 'append']

  test.each(names)('of %s have segments of 256 bytes, none of them a way to a prototype', type => {
    const failed = (path: unknown) =>
      updated('{}', [withPath(type, path)]).errors.map(({ code, message }) => [code, message])
    expect(failed('x'.repeat(256))).toEqual([])
    expect(failed('x'.repeat(257))).toEqual([
      [`${type}.path.segment_too_long`, 'Path segment of 257 bytes exceeds maximum of 256'],
    ])
    expect(failed('ü'.repeat(128))).toEqual([])
    expect(failed('ü'.repeat(129))).toEqual([
      [`${type}.path.segment_too_long`, 'Path segment of 258 bytes exceeds maximum of 256'],
    ])
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      expect(failed(name)).toEqual([
        [`${type}.path.proto_polluted`, `Path segment '${name}' is not allowed (prototype pollution).`],
      ])
    }
    expect(failed('toString')).toEqual([])
  })

  test.each(['merge', 'append'])('of %s have 32 segments, none of them empty', type => {
    const failed = (path: string[]) =>
      updated('{}', [withPath(type, path)]).errors.map(({ code, message }) => [code, message])
    expect(failed(Array(32).fill('a'))).toEqual([])
    expect(failed(Array(33).fill(''))).toEqual([
      [`${type}.path.too_deep`, 'Path depth 33 exceeds maximum of 32'],
    ])
    expect(failed(['a', ''])).toEqual([[`${type}.path.empty_segment`, 'Path contains an empty segment']])
    expect(failed([''])).toEqual([[`${type}.path.empty_segment`, 'Path contains an empty segment']])
    expect(failed(['a', 'x'.repeat(300)])).toEqual([
      [`${type}.path.segment_too_long`, 'Path segment of 300 bytes exceeds maximum of 256'],
    ])
    expect(failed(['a', 'prototype'])).toEqual([
      [`${type}.path.proto_polluted`, "Path segment 'prototype' is not allowed (prototype pollution)."],
    ])
  })
})

describe('operations together', () => {
  test('are applied in order, those that fail are passed over', () => {
    const { after, errors } = updated('{"n":1,"s":"x"}', [
      { type: 'increment', path: 'n', by: 1 },
      { type: 'increment', path: 's', by: 1 },
      { type: 'set', path: 'done', value: true },
      { type: 'merge', value: 5 },
    ])
    expect(after).toBe('{"n":2,"s":"x","done":true}')
    expect(errors.map(({ op_index, code }) => [op_index, code])).toEqual([
      [1, 'increment.not_number'],
      [3, 'merge.value.not_an_object'],
    ])
  })

  test('none of them, or only failing ones, make an empty object of what is missing', () => {
    expect(updated(undefined, [])).toEqual({ after: '{}', errors: [] })
    expect(updated(undefined, [{ type: 'set', path: '__proto__' }]).after).toBe('{}')
    expect(updated('[ 1 ]', []).after).toBe('[ 1 ]')
  })

  test('what was missing is so until one succeeds', () => {
    const [up, bad] = [
      { type: 'increment', path: '', by: 2 },
      { type: 'set', path: 'prototype' },
    ]
    expect(updated(undefined, [bad, up, up]).after).toBe('4')
    expect(codes(undefined, [{ type: 'remove', path: 'x' }, up])).toEqual(['increment.not_number'])
  })

  test('leave everything else as it was written', () => {
    const before = '{ "big" : 12345678901234567890123, "f":1.0, "10":{"z":[1e2, "\\u00fc"],"a":-0}, "2":1 }'
    const { after } = updated(before, [
      { type: 'set', path: 'x', value: 1 },
      { type: 'remove', path: '2' },
    ])
    expect(after).toBe('{"big":12345678901234567890123,"f":1.0,"10":{"z":[1e2, "\\u00fc"],"a":-0},"x":1}')
  })

  test('take any key, and touch no prototype', () => {
    const before = '{"__proto__":{"polluted":1},"a\\"b\\\\":1,"":2}'
    const { after } = updated(before, [
      { type: 'increment', path: 'a"b\\', by: 1 },
      { type: 'merge', path: ['toString', 'hasOwnProperty'], value: { x: 1 } },
    ])
    expect(after).toBe(
      '{"__proto__":{"polluted":1},"a\\"b\\\\":2,"":2,"toString":{"hasOwnProperty":{"x":1}}}',
    )
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })

  test('never make a value that no message could carry', () => {
    const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
    const set = (levels: number) => `[{"type":"set","path":"a","value":${deep(levels)}}]`
    const append = (levels: number) => `[{"type":"append","path":["a","b"],"value":${deep(levels)}}]`
    expect([codes('{}', set(114)), codes('{}', set(115))]).toEqual([[], ['set.too_deep']])
    expect([codes('{}', append(112)), codes('{}', append(113))]).toEqual([[], ['append.too_deep']])
  })
})
