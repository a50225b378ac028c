import { describe, expect, test } from 'bun:test'
import type { AnswerReceiver, BuiltInClient, TextCall } from '../../sdk/typescript/src/worker.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { createCustom } from '../../workers/stream/custom.ts'
import { item, type Streams, withStreams } from './support.ts'

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    ({ code, detail }: { code: string; detail: string }) => ({ code, detail }),
  )

const group = { stream_name: 's', group_id: 'g' }

describe('items', () => {
  test('are set, read, changed and deleted', () =>
    withStreams({}, async ({ call }) => {
      expect(await call('get', item('a'))).toBeUndefined()
      expect(await call('set', item('a', { data: { n: 1 } }))).toEqual({
        old_value: null,
        new_value: { n: 1 },
        version: 1,
      })
      expect(await call('get', item('a'))).toEqual({ n: 1 })
      expect(await call('get', item('a', { with_ids: true }))).toEqual({
        id: 'a',
        data: { n: 1 },
        version: 1,
      })
      const ops = [
        { type: 'increment', path: 'n', by: 2 },
        { type: 'append', path: 'n', value: 'x' },
      ]
      expect(await call('update', item('a', { ops }))).toEqual({
        old_value: { n: 1 },
        new_value: { n: 3 },
        version: 2,
        errors: [expect.objectContaining({ op_index: 1, code: 'append.type_mismatch' })],
      })
      expect(await call('delete', item('a'))).toEqual({ old_value: { n: 3 } })
      expect(await call('delete', item('a'))).toEqual({ old_value: null })
      expect(await call('get', item('a'))).toBeUndefined()
    }))

  test('that are null are there', () =>
    withStreams({}, async ({ call }) => {
      await call('set', item('a', { data: null }))
      expect(await call('get', item('a'))).toBeNull()
      expect(await call('list', group)).toEqual([null])
    }))

  test('are listed in the order in which they came, by pages, or by their ids', () =>
    withStreams({}, async ({ call }) => {
      for (const id of ['c', 'a', 'ab', 'b']) await call('set', item(id, { data: id }))
      expect(await call('list', group)).toEqual(['c', 'a', 'ab', 'b'])
      expect(await call('list', { ...group, prefix: 'a' })).toEqual(['a', 'ab'])
      expect(await call('list', { ...group, limit: 2 })).toEqual(['c', 'a'])
      const first = await call('list', { ...group, limit: 3, with_ids: true })
      expect(first.items.map(({ id }: { id: string }) => id)).toEqual(['c', 'a', 'ab'])
      const second = await call('list', { ...group, limit: 3, with_ids: true, cursor: first.cursor })
      expect(second).toEqual({ items: [{ id: 'b', data: 'b', version: 4 }] })
      expect(await codeOf(call('list', { ...group, cursor: 'x' }))).toMatchObject({
        code: 'deserialization_error',
      })
    }))

  test('are set and deleted only at the version that is asked for', () =>
    withStreams({}, async ({ call }) => {
      await call('set', item('a', { data: 1, if_version: 0 }))
      const conflict = { code: 'VERSION_CONFLICT' }
      expect(await codeOf(call('set', item('a', { data: 2, if_version: 0 })))).toMatchObject(conflict)
      await call('set', item('a', { data: 2, if_version: 1 }))
      expect(await codeOf(call('update', item('a', { ops: [], if_version: 1 })))).toMatchObject(conflict)
      expect(await codeOf(call('delete', item('a', { if_version: 1 })))).toMatchObject(conflict)
      expect(await call('delete', item('a', { if_version: 2 }))).toEqual({ old_value: 2 })
    }))

  test('expire, and clients hear of it', () =>
    withStreams({}, async ({ call, connect }) => {
      const client = await connect()
      client.join('sub', 's', 'g')
      await client.has(1)
      await call('set', item('a', { data: 1, ttl_ms: 30 }))
      const [, , gone] = await client.has(3)
      expect(gone).toMatchObject({ id: 'a', event: { type: 'delete', data: 1, reason: 'expired' } })
      expect(await call('get', item('a'))).toBeUndefined()
      expect(await call('list', group)).toEqual([])
    }))

  test('of a group are deleted together', () =>
    withStreams({}, async ({ call, connect }) => {
      for (const id of ['a', 'b']) await call('set', item(id, { data: id }))
      await call('set', item('c', { group_id: 'other', data: 1 }))
      const client = await connect()
      client.join('sub', 's', 'g')
      await client.has(1)
      expect(await call('delete_group', group)).toEqual({ deleted: 2 })
      const [, ...events] = await client.has(3)
      expect(events.map(({ id, event }) => [id, event.type])).toEqual([
        ['a', 'delete'],
        ['b', 'delete'],
      ])
      expect(await call('list_groups', { stream_name: 's' })).toEqual(['g', 'other'])
    }))
})

test('a group goes in as many transactions as its items need', () =>
  withStreams({}, async ({ call }) => {
    const address = { stream_name: 's', group_id: 'large' }
    const data = 'x'.repeat(limits.valueBytes - 2)
    for (const item_id of ['a', 'b', 'c']) await call('set', { ...address, item_id, data })
    expect(await call('delete_group', address)).toEqual({ deleted: 3 })
    expect(await call('list', address)).toEqual([])
  }))

test('names of streams and groups may have any characters', () =>
  withStreams({}, async ({ call }) => {
    const names = ['a:b', '', 'ü "\\\n', '__proto__', 'a']
    for (const stream_name of names) {
      for (const group_id of names) await call('set', { stream_name, group_id, item_id: '', data: 1 })
    }
    const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(await call('list_all', {})).toEqual({
      stream: sorted.map(id => ({ id, groups: sorted })),
      count: names.length,
    })
    expect(await call('list', { stream_name: '__proto__', group_id: 'a:b' })).toEqual([1])
  }))

test('what cannot be read is refused, with what is wrong', () =>
  withStreams({}, async ({ call }) => {
    const refused = (name: string, input: object): Promise<unknown> => codeOf(call(name, input))
    const code = 'deserialization_error'
    expect(await refused('set', item('a'))).toEqual({
      code,
      detail: 'Failed to deserialize input for stream::set: missing field `data`',
    })
    // As the state says it.
    expect(await refused('get', { ...group, item_id: 1 })).toEqual({
      code,
      detail: 'Failed to deserialize input for stream::get: field `item_id`: expected a string, got number',
    })
    expect(await refused('get', [] as never)).toMatchObject({ code })
    expect(await refused('update', item('a', { ops: [{ type: 'x' }] }))).toMatchObject({ code })
    expect(await refused('set', item('a', { data: 1, ttl_ms: 1, expires_at: 1 }))).toMatchObject({ code })
    expect(await refused('set', item('a', { data: 1, if_version: -1 }))).toMatchObject({ code })
    expect(await refused('send', { ...group, data: 1 })).toMatchObject({ code })
  }))

test('a value may be too large', () =>
  withStreams({ config: { max_value_bytes: 10 } }, async ({ call }) => {
    const code = 'VALUE_TOO_LARGE'
    expect(await codeOf(call('set', item('a', { data: 'ümlaut-ümlaut' })))).toMatchObject({
      code,
      detail: 'value of 17 bytes exceeds the configured max_value_bytes limit of 10',
    })
    const ops = [{ type: 'set', path: 'key', value: 'long' }]
    expect(await codeOf(call('update', item('a', { ops })))).toMatchObject({ code })
  }))

/** A worker keeps the items of stream `s`. */
function keepElsewhere(
  { worker }: Streams,
  functions: Record<string, (input: Record<string, unknown>) => unknown>,
): void {
  for (const [name, handle] of Object.entries(functions))
    worker.registerFunction<Record<string, unknown>>(`stream::${name}(s)`, handle)
}

describe('a list', () => {
  test.each([['NQ'], ['x'], ['bnVsbA'], ['WzEsMl0']])('takes no cursor that is none: %s', cursor =>
    withStreams({}, async ({ call }) => {
      expect(await codeOf(call('list', { ...group, cursor }))).toEqual({
        code: 'deserialization_error',
        detail: expect.stringContaining('field `cursor`: the cursor is none that a page before has given'),
      })
    }),
  )

  test('of more than a message can hold comes in pages, and cannot be joined', () =>
    withStreams({}, async ({ call, connect }) => {
      const data = 'x'.repeat(limits.pageCharacters / 4)
      for (const id of ['a', 'b', 'c', 'd', 'e']) await call('set', item(id, { data }))
      for (const limit of [undefined, 10])
        expect(await codeOf(call('list', { ...group, limit }))).toEqual({
          code: 'payload_too_large',
          detail: expect.stringContaining('ask for pages, with `with_ids`, `limit` and `cursor`'),
        })
      expect(await call('list', { ...group, limit: 2 })).toHaveLength(2)
      const page = await call('list', { ...group, with_ids: true })
      expect(page.items.map(({ id }: { id: string }) => id)).toEqual(['a', 'b', 'c'])
      const next = await call('list', { ...group, with_ids: true, cursor: page.cursor })
      expect(next.items.map(({ id }: { id: string }) => id)).toEqual(['d', 'e'])
      expect(next.cursor).toBeUndefined()
      const client = await connect()
      client.join('sub', 's', 'g')
      const [refused] = await client.has(1)
      expect(refused!.event).toEqual({
        type: 'unauthorized',
        reason: expect.stringContaining('subscribe to one item, or keep fewer in a group'),
      })
      expect((await call('presence', {})).count).toBe(0)
      client.join('sub', 's', 'g', { id: 'a' })
      expect((await client.has(2))[1]!.event.type).toBe('sync')
      expect(await call('delete_group', group)).toEqual({ deleted: 5 })
    }))
})

describe('a stream whose items a worker keeps', () => {
  test('is written and read by its functions, and clients hear of it', async () =>
    withStreams({}, async streams => {
      const { call, connect } = streams
      const items = new Map<unknown, unknown>()
      const inputs: unknown[] = []
      keepElsewhere(streams, {
        set(input) {
          inputs.push(input)
          const old_value = items.get(input.item_id) ?? null
          items.set(input.item_id, input.data)
          return { old_value, new_value: input.data }
        },
        get: ({ item_id }) => items.get(item_id) ?? null,
        delete({ item_id }) {
          const old_value = items.get(item_id) ?? null
          items.delete(item_id)
          return { old_value }
        },
        list: () => [...items.values()],
        list_groups: () => ['only'],
      })
      const client = await connect()
      client.join('sub', 's', 'g')
      await client.has(1)
      expect(await call('set', item('a', { data: 1 }))).toEqual({ old_value: null, new_value: 1 })
      expect(inputs).toEqual([{ stream_name: 's', group_id: 'g', item_id: 'a', data: 1 }])
      await call('set', item('a', { data: 2 }))
      const ops = [{ type: 'increment', path: '', by: 5 }]
      expect(await call('update', item('a', { ops }))).toEqual({ old_value: 2, new_value: 7 })
      await call('delete', item('a'))
      await call('delete', item('a'))
      await call('set', item('b', { data: 'b' }))
      const [sync, ...events] = await client.has(6)
      expect(sync!.event).toEqual({ type: 'sync', data: [] })
      expect(events.map(({ event }) => event)).toEqual([
        { type: 'create', data: 1 },
        { type: 'update', data: 2 },
        { type: 'update', data: 7 },
        { type: 'delete', data: 7 },
        { type: 'create', data: 'b' },
      ])
      expect(await call('list', group)).toEqual(['b'])
      expect(await call('get', item('b'))).toBe('b')
      expect(await call('list_groups', { stream_name: 's' })).toEqual(['only'])
      // Nothing of it is kept here.
      expect(await call('list_all', {})).toEqual({ stream: [], count: 0 })
    }))

  test('loses no update when many come at once', async () =>
    withStreams({}, async streams => {
      let value: unknown = 0
      keepElsewhere(streams, {
        get: async () => {
          await Bun.sleep(0)
          return value
        },
        set: ({ data }) => {
          const old_value = value
          value = data
          return { old_value, new_value: data }
        },
      })
      const ops = [{ type: 'increment', path: '', by: 1 }]
      await Promise.all(Array.from({ length: 50 }, () => streams.call('update', item('a', { ops }))))
      expect(value).toBe(50)
    }))

  test('is not updated when nobody says what is there', async () =>
    withStreams({}, async streams => {
      let value: unknown = { kept: true }
      keepElsewhere(streams, {
        set({ data }) {
          value = data
          return { old_value: null, new_value: data }
        },
      })
      const ops = [{ type: 'set', path: 'n', value: 1 }]
      expect(await codeOf(streams.call('update', item('a', { ops })))).toEqual({
        code: 'STREAM_UPDATE_ERROR',
        detail: expect.stringContaining('Register stream::get(s) or stream::update(s)'),
      })
      expect(value).toEqual({ kept: true })
    }))

  test('is told why its function may wait for itself', async () => {
    const client = {
      call: (_: TextCall, answer: AnswerReceiver) =>
        answer({ code: 'invocation_timeout', message: 'No answer within 30000 ms' }, undefined),
    } as unknown as BuiltInClient
    const write = createCustom(client, () => true).write('set', 's', '{}' as JsonText, 'STREAM_SET_ERROR')
    await expect(write).rejects.toThrow(
      'No answer within 30000 ms. If it writes to the item it was called for',
    )
  })

  test('has an update of its own if it wants', async () =>
    withStreams({}, async streams => {
      const ops = [{ type: 'remove', path: 'x' }]
      keepElsewhere(streams, { update: ({ ops }) => ({ old_value: null, new_value: ops }) })
      expect(await streams.call('update', item('a', { ops }))).toEqual({ old_value: null, new_value: ops })
    }))

  test('fails with the code of the function that was called', async () =>
    withStreams({}, async streams => {
      const { call, worker } = streams
      worker.registerFunction('stream::set(none)', () => undefined)
      worker.registerFunction('stream::set(throws)', () => {
        throw new Error('no disk')
      })
      worker.registerFunction('stream::set(odd)', () => 'done')
      worker.registerFunction('stream::delete(none)', () => undefined)
      worker.registerFunction('stream::update(none)', () => undefined)
      worker.registerFunction('stream::get(throws)', () => {
        throw new Error('no disk')
      })
      const at = (stream_name: string, more: object = {}) => ({ ...item('a', more), stream_name })
      expect(await codeOf(call('set', at('none', { data: 1 })))).toEqual({
        code: 'STREAM_SET_ERROR',
        detail: 'Failed to set value: Function returned no result',
      })
      expect(await codeOf(call('delete', at('none')))).toEqual({
        code: 'STREAM_DELETE_ERROR',
        detail: 'Failed to delete value: Function returned no result',
      })
      expect(await codeOf(call('update', at('none', { ops: [] })))).toEqual({
        code: 'STREAM_UPDATE_ERROR',
        detail: 'Failed to update value: Function returned no result',
      })
      expect(await codeOf(call('set', at('throws', { data: 1 })))).toEqual({
        code: 'STREAM_SET_ERROR',
        detail: expect.stringMatching(/^Failed to set value: Failed to invoke function: .*no disk/),
      })
      expect(await codeOf(call('set', at('odd', { data: 1 })))).toEqual({
        code: 'JSON_ERROR',
        detail: expect.stringMatching(/^Failed to convert result to value: /),
      })
      // What reads is passed on as it is.
      expect(await codeOf(call('get', at('throws')))).toMatchObject({ code: 'invocation_failed' })
    }))
})
