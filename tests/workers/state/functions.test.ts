/** `state::set`, `get`, `delete`, `update`, `list`, `list_groups` as published clients know them (`docs/state.md`). */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import { createState } from './support.ts'

const at = { scope: 's', key: 'k' }

describe('set', () => {
  test('answers with the value before, null the first time, and the new one', async () => {
    const { done } = await createState()
    expect(await done('set', { ...at, value: { a: 1 } })).toEqual({
      old_value: null,
      new_value: { a: 1 },
      version: 1,
    })
    expect(await done('set', { ...at, value: 2 })).toEqual({ old_value: { a: 1 }, new_value: 2, version: 2 })
  })

  test('takes `data` for `value`, and null for a value', async () => {
    const { done } = await createState()
    expect(await done('set', { ...at, data: 'x' })).toMatchObject({ new_value: 'x' })
    expect(await done('set', { ...at, value: null })).toMatchObject({ old_value: 'x', new_value: null })
    expect(await done('get', { ...at, with_meta: true })).toMatchObject({ value: null, version: 2 })
  })

  test.each([
    [{ key: 'k', value: 1 }, 'missing field `scope`'],
    [{ scope: 's', value: 1 }, 'missing field `key`'],
    [{ scope: null, key: 'k', value: 1 }, 'missing field `scope`'],
    [at, 'missing field `value`'],
    [{ ...at, value: 1, data: 1 }, 'give either `value` or `data`, not both'],
    [{ scope: 5, key: 'k', value: 1 }, 'field `scope`: expected a string, got number'],
    [{ scope: 's', key: {}, value: 1 }, 'field `key`: expected a string, got object'],
    [
      { scope: 's', key: 'x'.repeat(16_385), value: 1 },
      'field `key` has 16385 characters, the most are 16384',
    ],
    [[], 'expected an object, got array'],
    ['text', 'expected an object, got string'],
    [null, 'missing field `scope`'],
    [{ ...at, value: 1, if_version: -1 }, 'field `if_version`: expected a whole number from 0 on, got -1'],
    [{ ...at, value: 1, if_version: 1.5 }, 'field `if_version`: expected a whole number from 0 on, got 1.5'],
    [{ ...at, value: 1, if_version: '1' }, 'field `if_version`: expected a whole number from 0 on, got "1"'],
    [{ ...at, value: 1, ttl_ms: 0 }, 'field `ttl_ms`: expected a whole number from 1 on, got 0'],
    [{ ...at, value: 1, ttl_ms: 1, expires_at: 1 }, 'give either `ttl_ms` or `expires_at`, not both'],
    [{ ...at, value: 1, with_meta: 'yes' }, 'field `with_meta`: expected true or false, got string'],
    [
      { ...at, value: 1, durability: 'replicated' },
      'field `durability`: expected one of memory, os, disk, got "replicated"',
    ],
  ])('refuses %j', async (input, why) => {
    const { ask, partition } = await createState()
    const message = `Failed to deserialize input for state::set: ${why}`
    expect((await ask('set', input)).error).toEqual({ code: 'deserialization_error', message })
    expect(partition.status().commits).toBe(0)
  })

  test('ignores fields it does not know', async () => {
    const { done } = await createState()
    expect(await done('set', { ...at, value: 1, colour: 'red', ttl: 1 })).toMatchObject({
      new_value: 1,
    })
  })

  test('keeps values as they were written', async () => {
    const { join, settled } = await createState()
    const value = '{ "n": 12345678901234567890, "f":1.0, "10":1,"2":[1e2, "\\u00e9"] }'
    const worker = join()
    const say = async (name: string, data: string): Promise<string> => {
      worker.saysText(
        `{"type":"invokefunction","invocation_id":"${crypto.randomUUID()}","function_id":"state::${name}","data":${data}}`,
      )
      await settled()
      return worker.hearsText().at(-1)!
    }
    expect(await say('set', `{"value": ${value} ,"scope":"s","key":"k"}`)).toContain(`"new_value":${value}`)
    expect(await say('get', '{"scope":"s","key":"k"}')).toContain(`"result":${value}`)
    expect(await say('list', '{"scope":"s"}')).toContain(`"result":[${value}]`)
    expect(await say('delete', '{"scope":"s","key":"k"}')).toContain(`"result":${value}`)
  })

  test('is bound by max_value_bytes', async () => {
    const { ask, done } = await createState({ max_value_bytes: 8 })
    expect(await done('set', { ...at, value: 'xxxxxx' })).toMatchObject({ new_value: 'xxxxxx' })
    expect((await ask('set', { ...at, value: 'üüüü' })).error).toEqual({
      code: 'VALUE_TOO_LARGE',
      message: 'value of 10 bytes exceeds the configured max_value_bytes limit of 8',
    })
    expect(await done('get', at)).toBe('xxxxxx')
  })

  test('does not keep what is nested so deeply that no list could hold it', async () => {
    const { ask } = await createState()
    const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels))
    expect((await ask('set', { ...at, value: nested(115) })).error).toBeUndefined()
    expect((await ask('set', { ...at, value: nested(116) })).error?.code).toBe('VALUE_TOO_DEEP')
    const page = await ask('list', { scope: 's', with_keys: true })
    expect(page.error).toBeUndefined()
  })
})

describe('scopes and keys', () => {
  const names = [
    '',
    ' ',
    '__proto__',
    'constructor',
    'toString',
    'a:b',
    'a/b',
    'ü😀',
    '\u0000',
    '"\\',
    '\ud83d\ude00'.repeat(100),
  ]

  test('are any text', async () => {
    const { done } = await createState()
    for (const scope of names) for (const key of names) await done('set', { scope, key, value: [scope, key] })
    for (const scope of names) {
      expect(await done('list', { scope })).toEqual(names.map(key => [scope, key]))
      for (const key of names) expect(await done('get', { scope, key })).toEqual([scope, key])
    }
    const { groups } = await done<{ groups: string[] }>('list_groups', {})
    expect(groups.toSorted()).toEqual(names.toSorted())
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test('do not run into each other', async () => {
    const { done } = await createState()
    await done('set', { scope: 'a', key: 'b:c', value: 1 })
    await done('set', { scope: 'a:b', key: 'c', value: 2 })
    expect(await done('get', { scope: 'a', key: 'b:c' })).toBe(1)
    expect(await done('list', { scope: 'a:b' })).toEqual([2])
  })
})

describe('get', () => {
  test('of a missing key has no result', async () => {
    const { ask, done } = await createState()
    expect('result' in (await ask('get', at))).toBe(false)
    await done('set', { scope: 's', key: 'other', value: 1 })
    expect('result' in (await ask('get', { ...at, with_meta: true }))).toBe(false)
  })

  test('tells version and times when asked', async () => {
    const { done, clock } = await createState()
    await done('set', { ...at, value: [1], ttl_ms: 5000 })
    expect(await done('get', { ...at, with_meta: true })).toEqual({
      value: [1],
      version: 1,
      updated_at: Math.floor(clock.now()),
      expires_at: Math.floor(clock.now()) + 5000,
    })
  })
})

describe('delete', () => {
  test('answers with the value that was there, or nothing', async () => {
    const { ask, done } = await createState()
    await done('set', { ...at, value: [1] })
    expect(await done('delete', at)).toEqual([1])
    expect('result' in (await ask('delete', at))).toBe(false)
    expect('result' in (await ask('get', at))).toBe(false)
  })

  test('tells more when asked', async () => {
    const { done } = await createState()
    await done('set', { ...at, value: 1 })
    const durability = { level: 'memory', ms: expect.any(Number) }
    expect(await done('delete', { ...at, with_meta: true })).toEqual({ old_value: 1, version: 0, durability })
    expect(await done('delete', { ...at, with_meta: true })).toEqual({
      old_value: null,
      version: 0,
      durability,
    })
  })
})

describe('update', () => {
  test('applies operations and answers with both values', async () => {
    const { done } = await createState()
    const ops = [
      { type: 'set', path: 'name', value: 'x' },
      { type: 'increment', path: 'n', by: 2 },
    ]
    expect(await done('update', { ...at, ops })).toEqual({
      old_value: null,
      new_value: { name: 'x', n: 2 },
      version: 1,
    })
    expect(await done('update', { ...at, ops })).toMatchObject({ old_value: { n: 2 }, new_value: { n: 4 } })
  })

  test('tells which operations failed', async () => {
    const { done } = await createState()
    const ops = [
      { type: 'increment', path: '', by: 1 },
      { type: 'set', path: 'a' },
    ]
    expect(await done('update', { ...at, ops })).toEqual({
      old_value: null,
      new_value: 1,
      version: 1,
      errors: [
        {
          op_index: 1,
          code: 'set.target_not_object',
          message: "Cannot set at path 'a': target is number, expected object.",
          doc_url: 'https://iii.dev/docs/workers/iii-state#error-codes',
        },
      ],
    })
  })

  test.each([
    [at, 'missing field `ops`'],
    [{ ...at, ops: {} }, '`ops` must be an array'],
    [{ ...at, ops: null }, '`ops` must be an array'],
    [{ ...at, ops: [{ type: 'rename' }] }, 'ops[0]: unknown operation "rename"'],
    [
      { ...at, ops: [{ type: 'increment', path: 'n', by: 0.5 }] },
      'ops[0]: `by` must be an integer of 64 bits',
    ],
  ])('refuses %j', async (input, why) => {
    const { ask, partition } = await createState()
    const { error } = await ask('update', input)
    expect(error?.code).toBe('deserialization_error')
    expect(error?.message).toContain(`Failed to deserialize input for state::update: ${why}`)
    expect(partition.status().commits).toBe(0)
  })

  test('is bound by max_value_bytes', async () => {
    const { ask, done } = await createState({ max_value_bytes: 10 })
    await done('set', { ...at, value: { a: 1 } })
    const { error } = await ask('update', { ...at, ops: [{ type: 'set', path: 'b', value: 'long' }] })
    expect(error).toEqual({
      code: 'VALUE_TOO_LARGE',
      message: 'value of 18 bytes exceeds the configured max_value_bytes limit of 10',
    })
    expect(await done('get', at)).toEqual({ a: 1 })
  })

  test('of many callers at once loses nothing', async () => {
    const { asks, answerOf, done, settled } = await createState()
    const ops = [{ type: 'increment', path: 'n', by: 1 }]
    const ids = Array.from({ length: 200 }, () => asks('update', { ...at, ops }))
    await settled()
    expect(ids.map(id => (answerOf(id)!.result as { new_value: { n: number } }).new_value.n)).toEqual(
      Array.from({ length: 200 }, (_, index) => index + 1),
    )
    expect(await done('get', at)).toEqual({ n: 200 })
  })
})

describe('list', () => {
  test('has the values in the order of their creation', async () => {
    const { done } = await createState()
    for (const key of ['b', 'a', '10', '9']) await done('set', { scope: 's', key, value: key })
    await done('set', { scope: 's', key: 'b', value: 'b again' })
    expect(await done('list', { scope: 's' })).toEqual(['b again', 'a', '10', '9'])
    await done('delete', { scope: 's', key: 'b' })
    await done('set', { scope: 's', key: 'b', value: 'b' })
    expect(await done('list', { scope: 's' })).toEqual(['a', '10', '9', 'b'])
    expect(await done('list', { scope: 'nothing' })).toEqual([])
  })

  test('comes with keys, in pages', async () => {
    const { done, clock } = await createState()
    for (let n = 0; n < 5; n++) await done('set', { scope: 's', key: `k${n}`, value: n })
    const updated_at = Math.floor(clock.now())
    const first = await done<{ items: unknown[]; cursor: string }>('list', {
      scope: 's',
      with_keys: true,
      limit: 2,
    })
    expect(first.items).toEqual([
      { key: 'k0', value: 0, version: 1, updated_at },
      { key: 'k1', value: 1, version: 2, updated_at },
    ])
    // What comes and goes meanwhile does not move the page.
    await done('delete', { scope: 's', key: 'k1' })
    const second = await done<{ keys: string[]; cursor: string }>('list', {
      scope: 's',
      keys_only: true,
      limit: 2,
      cursor: first.cursor,
    })
    expect(second.keys).toEqual(['k2', 'k3'])
    expect(await done('list', { scope: 's', keys_only: true, limit: 2, cursor: second.cursor })).toEqual({
      keys: ['k4'],
    })
    expect(await done('list', { scope: 's', limit: 2 })).toEqual([0, 2])
  })

  test('of more than a message can hold comes in pages', async () => {
    const { done, ask } = await createState()
    const value = 'x'.repeat(limits.pageCharacters / 4)
    for (const key of ['a', 'b', 'c', 'd', 'e']) await done('set', { scope: 's', key, value })
    expect((await ask('list', { scope: 's' })).error).toMatchObject({ code: 'payload_too_large' })
    const keys = ['a', 'b', 'c', 'd', 'e']
    expect(await done('list', { scope: 's', keys_only: true })).toEqual({ keys })
    const page = await done<{ items: unknown[]; cursor: string }>('list', { scope: 's', with_keys: true })
    expect(page.items).toHaveLength(3)
    const { cursor } = page
    expect(await done('list', { scope: 's', keys_only: true, cursor })).toEqual({ keys: ['d', 'e'] })
  })

  test('by prefix is in the order of the keys', async () => {
    const { done } = await createState()
    for (const key of ['b2', 'a1', 'b10', 'b1', 'c']) await done('set', { scope: 's', key, value: key })
    expect(await done('list', { scope: 's', prefix: 'b' })).toEqual(['b1', 'b10', 'b2'])
    const page = await done<{ keys: string[]; cursor: string }>('list', {
      scope: 's',
      prefix: 'b',
      keys_only: true,
      limit: 2,
    })
    expect(page.keys).toEqual(['b1', 'b10'])
    expect(await done('list', { scope: 's', prefix: 'b', keys_only: true, cursor: page.cursor })).toEqual({
      keys: ['b2'],
    })
  })

  test.each([
    [{}, 'missing field `scope`'],
    [{ scope: 's', limit: 0 }, 'field `limit`: expected a whole number from 1 on, got 0'],
    [{ scope: 's', cursor: 'NQ' }, 'field `cursor`: the cursor is none that a page before has given'],
    [{ scope: 's', cursor: 'nonsense' }, 'field `cursor`: the cursor is none that a page before has given'],
    [{ scope: 's', with_keys: true, keys_only: true }, 'give either `with_keys` or `keys_only`, not both'],
  ])('refuses %j', async (input, why) => {
    const { ask } = await createState()
    const message = `Failed to deserialize input for state::list: ${why}`
    expect((await ask('list', input)).error).toEqual({ code: 'deserialization_error', message })
  })
})

describe('list_groups', () => {
  test('has the scopes, sorted, also those that are empty again', async () => {
    const { done } = await createState()
    expect(await done('list_groups', {})).toEqual({ groups: [] })
    for (const scope of ['b', 'a', 'Z']) await done('set', { scope, key: 'k', value: 1 })
    await done('delete', { scope: 'a', key: 'k' })
    expect(await done('list_groups', {})).toEqual({ groups: ['Z', 'a', 'b'] })
    expect(await done('list_groups', null)).toEqual({ groups: ['Z', 'a', 'b'] })
  })

  test('comes in pages', async () => {
    const { done } = await createState()
    for (const scope of ['a1', 'a2', 'a3', 'b']) await done('set', { scope, key: 'k', value: 1 })
    const first = await done<{ groups: string[]; cursor: string }>('list_groups', { prefix: 'a', limit: 2 })
    expect(first.groups).toEqual(['a1', 'a2'])
    expect(await done('list_groups', { prefix: 'a', limit: 2, cursor: first.cursor })).toEqual({
      groups: ['a3'],
    })
  })
})
