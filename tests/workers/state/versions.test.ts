/** Versions, lifetimes, batches and transactions (`docs/state.md`). */
import { describe, expect, test } from 'bun:test'
import { createState } from './support.ts'

const at = { scope: 's', key: 'k' }

describe('a write for a version', () => {
  test('is done when it is the one that is there', async () => {
    const { done } = await createState()
    expect(await done('set', { ...at, value: 1, if_version: 0 })).toMatchObject({ version: 1 })
    expect(await done('set', { ...at, value: 2, if_version: 1 })).toMatchObject({ version: 2 })
    const ops = [{ type: 'increment', path: '', by: 1 }]
    expect(await done('update', { ...at, ops, if_version: 2 })).toMatchObject({ new_value: 3, version: 3 })
    expect(await done('delete', { ...at, if_version: 3 })).toBe(3)
  })

  test.each([
    ['set', { value: 2, if_version: 7 }, 1],
    ['set', { value: 2, if_version: 0 }, 1],
    ['delete', { if_version: 2 }, 1],
    ['update', { ops: [], if_version: 2 }, 1],
  ])('%s %j is refused, and hears which one is there', async (name, input, version) => {
    const { ask, done } = await createState()
    await done('set', { ...at, value: 1 })
    expect((await ask(name, { ...at, ...input })).error).toMatchObject({ code: 'VERSION_CONFLICT', version })
    expect(await done('get', at)).toBe(1)
  })

  test('never comes twice, not even after a removal', async () => {
    const { ask, done } = await createState()
    await done('set', { ...at, value: 1 })
    await done('delete', at)
    await done('set', { ...at, value: 2 })
    expect((await ask('set', { ...at, value: 3, if_version: 1 })).error).toMatchObject({ version: 3 })
  })

  test('of two at once one is done', async () => {
    const { asks, answerOf, settled } = await createState()
    const ids = [1, 2].map(value => asks('set', { ...at, value, if_version: 0 }))
    await settled()
    const [first, second] = ids.map(answerOf)
    expect(first?.result).toMatchObject({ new_value: 1, version: 1 })
    expect(second?.error).toMatchObject({ code: 'VERSION_CONFLICT', version: 1 })
  })
})

describe('a lifetime', () => {
  test('ends the value for everyone who reads', async () => {
    const { ask, done, clock } = await createState()
    await done('set', { ...at, value: 1, ttl_ms: 1000 })
    await done('set', { scope: 's', key: 'later', value: 2, expires_at: Math.floor(clock.now()) + 2000 })
    clock.advance(999)
    expect(await done('get', at)).toBe(1)
    clock.advance(1)
    expect('result' in (await ask('get', at))).toBe(false)
    expect(await done('list', { scope: 's' })).toEqual([2])
    expect(await done('set', { ...at, value: 3, if_version: 0 })).toMatchObject({ old_value: null })
    clock.advance(1000)
    expect(await done('list', { scope: 's', keys_only: true })).toEqual({ keys: ['k'] })
  })

  test('stays through an update, is changed by one, and is gone with a set', async () => {
    const { done, clock } = await createState()
    const ops = [{ type: 'set', path: '', value: 2 }]
    const expiry = async () =>
      (await done<{ expires_at?: number }>('get', { ...at, with_meta: true })).expires_at
    await done('set', { ...at, value: 1, ttl_ms: 1000 })
    const first = Math.floor(clock.now()) + 1000
    clock.advance(500)
    await done('update', { ...at, ops })
    expect(await expiry()).toBe(first)
    await done('update', { ...at, ops, ttl_ms: 1000 })
    expect(await expiry()).toBe(first + 500)
    await done('set', { ...at, value: 3 })
    expect(await expiry()).toBeUndefined()
  })
})

describe('durability', () => {
  test('is told when asked for', async () => {
    const { done } = await createState()
    const answer = await done('set', { ...at, value: 1, durability: 'memory', with_meta: true })
    expect(answer).toEqual({
      old_value: null,
      new_value: 1,
      version: 1,
      durability: { level: 'memory', ms: expect.any(Number) },
    })
  })

  test('is that of the call, of the scope, or of the worker', async () => {
    const config = { durability: 'os', scope_durability: { cache: 'memory', ledger: 'disk' } }
    const { done, partition } = await createState(config)
    const levels: (string | undefined)[] = []
    const { submit } = partition
    Object.assign(partition, {
      submit: (...args: Parameters<typeof submit>) => {
        levels.push(args[1]?.level)
        return submit(...args)
      },
    })
    const set = (scope: string, more = {}) => done('set', { scope, key: 'k', value: 1, ...more })
    await set('other')
    await set('cache')
    await set('ledger')
    await set('ledger', { durability: 'memory' })
    await done('transact', {
      operations: ['cache', 'ledger', 'other'].map(scope => ({
        op: 'state::set',
        scope,
        key: 'k',
        value: 1,
      })),
    })
    expect(levels).toEqual(['os', 'memory', 'disk', 'memory', 'disk'])
  })
})

describe('a batch', () => {
  test('is done together, in order', async () => {
    const { done } = await createState()
    await done('set', { scope: 's', key: 'b', value: 1 })
    const operations = [
      { op: 'set', key: 'a', value: 1, if_version: 0 },
      { op: 'update', key: 'a', ops: [{ type: 'increment', path: '', by: 1 }] },
      { op: 'state::delete', key: 'b' },
    ]
    expect(await done('batch', { scope: 's', operations })).toEqual({
      results: [
        { old_value: null, new_value: 1, version: 2 },
        { old_value: 1, new_value: 2, version: 3 },
        { old_value: 1, new_value: null, version: 0 },
      ],
      revision: 4,
    })
    expect(await done('list', { scope: 's' })).toEqual([2])
  })

  test('is not done at all when one of it is refused', async () => {
    const { ask, done } = await createState({ max_value_bytes: 10 })
    const batch = async (last: object) =>
      (await ask('batch', { scope: 's', operations: [{ op: 'set', key: 'a', value: 1 }, last] })).error
    expect(await batch({ op: 'set', key: 'b', value: 1, if_version: 5 })).toMatchObject({
      code: 'VERSION_CONFLICT',
      version: 0,
    })
    expect(await batch({ op: 'set', key: 'b', value: 'x'.repeat(20) })).toMatchObject({
      code: 'VALUE_TOO_LARGE',
    })
    const long = [{ type: 'set', path: '', value: 'x'.repeat(20) }]
    expect(await batch({ op: 'update', key: 'a', ops: long })).toMatchObject({ code: 'VALUE_TOO_LARGE' })
    expect(await batch({ op: 'rename', key: 'b' })).toMatchObject({
      code: 'deserialization_error',
      message:
        "Failed to deserialize input for state::batch: operations[1]: unknown operation 'rename', expected one of set, delete, update",
    })
    expect(await batch({ op: 'set', value: 1 })).toMatchObject({
      message: 'Failed to deserialize input for state::batch: operations[1]: missing field `key`',
    })
    expect(await done('list', { scope: 's' })).toEqual([])
  })

  test('stays in its scope, whatever an operation says', async () => {
    const { done } = await createState()
    await done('batch', { scope: 's', operations: [{ op: 'set', scope: 'other', key: 'a', value: 1 }] })
    expect(await done('list_groups', {})).toEqual({ groups: ['s'] })
  })

  test('has a bound', async () => {
    const { ask } = await createState()
    const operations = Array.from({ length: 1001 }, () => ({ op: 'delete', key: 'k' }))
    expect((await ask('batch', { scope: 's', operations })).error?.message).toContain(
      'has 1001 operations, the most are 1000',
    )
    expect((await ask('batch', { scope: 's', operations: [] })).error).toBeUndefined()
  })
})

describe('a transaction', () => {
  test('writes values of several scopes, items and events of streams, and messages', async () => {
    const { done, partition, worker, settled } = await createState()
    const hub = worker('publish')
    const happened: unknown[] = []
    partition.follow(({ changes }) =>
      happened.push(...changes.map(({ space, name, group, key, event }) => [space, name, group, key, event])),
    )
    const item = { stream_name: 'orders', group_id: 'g', item_id: 'i' }
    const answer = await done<{ results: unknown[] }>('transact', {
      operations: [
        { op: 'state::set', scope: 'a', key: 'k', value: 1 },
        { op: 'state::update', scope: 'b', key: 'k', ops: [] },
        { op: 'state::delete', scope: 'c', key: 'k' },
        { op: 'stream::set', ...item, data: { n: 1 } },
        { op: 'stream::update', ...item, ops: [{ type: 'increment', path: 'n', by: 1 }] },
        { op: 'stream::delete', ...item },
        { op: 'stream::send', stream_name: 'orders', group_id: 'g', type: 'ping', data: [1] },
        { op: 'publish', topic: 'orders', data: { big: 1 } },
      ],
    })
    await settled()
    expect(answer.results).toHaveLength(8)
    expect(answer.results[4]).toMatchObject({ old_value: { n: 1 }, new_value: { n: 2 } })
    expect(happened).toEqual([
      ['state', 'a', '', 'k', 'created'],
      ['state', 'b', '', 'k', 'created'],
      ['state', 'c', '', 'k', 'deleted'],
      ['stream', 'orders', 'g', 'i', 'created'],
      ['stream', 'orders', 'g', 'i', 'updated'],
      ['stream', 'orders', 'g', 'i', 'deleted'],
      ['stream', 'orders', 'g', undefined, 'told'],
    ])
    expect(hub.hears()).toMatchObject([
      { function_id: 'publish', data: { topic: 'orders', data: { big: 1 } } },
    ])
  })

  test('publishes nothing when it is refused', async () => {
    const { ask, worker, settled } = await createState()
    const hub = worker('publish')
    const operations = [
      { op: 'publish', topic: 'orders', data: 1 },
      { op: 'state::set', scope: 'a', key: 'k', value: 1, if_version: 3 },
    ]
    expect((await ask('transact', { operations })).error?.code).toBe('VERSION_CONFLICT')
    await settled()
    expect(hub.hears()).toEqual([])
  })

  const inStream = { stream_name: 'orders', group_id: 'g', item_id: 'i', data: 1 }
  const sent = { op: 'stream::send', stream_name: 'orders', group_id: 'g', type: 't', data: 1 }
  const message = { op: 'publish', topic: 't', data: 1 }

  test.each<[string, boolean, string[], object]>([
    ['streams are kept elsewhere', false, ['publish'], { op: 'stream::set', ...inStream }],
    ['streams are kept elsewhere', false, ['publish'], sent],
    ['a worker keeps the items', true, ['stream::set(orders)'], { op: 'stream::set', ...inStream }],
    [
      'a worker keeps the items',
      true,
      ['stream::set(orders)'],
      { op: 'stream::update', ...inStream, ops: [] },
    ],
    ['nobody offers `publish`', true, [], message],
  ])('is refused where nobody would see it: %s', async (_, streams, functions, operation) => {
    const { ask, done } = await createState({}, { streams, hasFunction: id => functions.includes(id) })
    const operations = [{ op: 'state::set', scope: 's', key: 'k', value: 1 }, operation]
    expect((await ask('transact', { operations })).error?.code).toBe('NOT_SUPPORTED')
    expect(await done('list', { scope: 's' })).toEqual([])
  })

  test('is done where somebody sees it', async () => {
    const functions = ['publish', 'stream::set(other)']
    const { done } = await createState({}, { streams: true, hasFunction: id => functions.includes(id) })
    const operations = [{ op: 'stream::set', ...inStream }, sent, message]
    expect(await done<object>('transact', { operations })).toHaveProperty('revision')
  })

  test('whose message nobody takes after all is in the log', async () => {
    const { done, log, settled } = await createState()
    await done('transact', { operations: [message] })
    await settled()
    expect(log.lines).toContainEqual(
      expect.objectContaining({ message: 'a message of a transaction was not published' }),
    )
  })

  test.each([
    [
      { ...message, topic: 't'.repeat(1025) },
      'deserialization_error',
      'operations[0]: field `topic` has 1025 characters, the most are 1024',
    ],
    [{ op: 'enqueue', queue: 'q', data: 1 }, 'NOT_SUPPORTED', 'queues are not kept where the state is'],
    [
      { op: 'state::get', scope: 's', key: 'k' },
      'deserialization_error',
      "operations[0]: unknown operation 'state::get'",
    ],
    [{}, 'deserialization_error', 'operations[0]: missing field `op`'],
    [5, 'deserialization_error', 'operations[0]: expected an object, got number'],
    [{ op: 'stream::set', data: 1 }, 'deserialization_error', 'operations[0]: missing field `stream_name`'],
    [
      { op: 'publish', topic: '', data: 1 },
      'deserialization_error',
      'operations[0]: field `topic` must not be empty',
    ],
    [
      { op: 'publish', topic: 't'.repeat(1025), data: 1 },
      'deserialization_error',
      'operations[0]: field `topic` has 1025 characters, the most are 1024',
    ],
    [{ op: 'publish', topic: 't' }, 'deserialization_error', 'operations[0]: missing field `data`'],
  ])('with %j is refused', async (operation, code, why) => {
    const { ask } = await createState()
    const { error } = await ask('transact', { operations: [operation] })
    expect(error?.code).toBe(code)
    expect(error?.message).toContain(why)
  })
})
