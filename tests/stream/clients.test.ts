import { describe, expect, test } from 'bun:test'
import { until } from '../support/waiting.ts'
import { item, withStreams } from './support.ts'

describe('a client', () => {
  test('is sent what is there, and then what happens', () =>
    withStreams({}, async ({ call, connect }) => {
      await call('set', item('a', { data: { n: 1 } }))
      const client = await connect()
      client.join('sub', 's', 'g')
      const [sync] = await client.has(1)
      expect(sync).toEqual({
        type: 'stream',
        subscriptionId: 'sub',
        timestamp: expect.any(Number),
        streamName: 's',
        groupId: 'g',
        id: null,
        event: { type: 'sync', data: [{ n: 1 }] },
        seq: 1,
      })
      await call('set', item('a', { data: { n: 2 } }))
      await call('set', item('b', { data: 3 }))
      await call('delete', item('a'))
      await call('send', { stream_name: 's', group_id: 'g', id: 'b', type: 'typing', data: { by: 'x' } })
      await call('send', { stream_name: 's', group_id: 'g', type: 'note', data: null })
      const [, ...events] = await client.has(6)
      expect(events.map(({ id, event }) => ({ id, event }))).toEqual([
        { id: 'a', event: { type: 'update', data: { n: 2 } } },
        { id: 'b', event: { type: 'create', data: 3 } },
        { id: 'a', event: { type: 'delete', data: { n: 2 } } },
        { id: 'b', event: { type: 'event', event: { type: 'typing', data: { by: 'x' } } } },
        { id: null, event: { type: 'event', event: { type: 'note', data: null } } },
      ])
      expect(events.map(({ seq }) => seq)).toEqual([2, 3, 4, 5, 6])
    }))

  test('of one item hears of that item only, and of what is not there', () =>
    withStreams({}, async ({ call, connect }) => {
      const client = await connect()
      client.join('sub', 's', 'g', { id: 'a' })
      const [sync] = await client.has(1)
      expect(sync).toMatchObject({ id: 'a', event: { type: 'sync', data: null } })
      await call('set', item('b', { data: 1 }))
      await call('send', { stream_name: 's', group_id: 'g', type: 'note', data: null })
      await call('set', item('a', { data: 1 }))
      const [, event] = await client.has(2)
      expect(event).toMatchObject({ id: 'a', event: { type: 'create', data: 1 } })
    }))

  test('gets one copy for each subscription that matches', () =>
    withStreams({}, async ({ call, connect }) => {
      const client = await connect()
      client.join('1', 's', 'g')
      client.join('2', 's', 'g')
      client.join('3', 's', 'g', { id: 'a' })
      client.join('4', 's', 'g', { id: 'a', echo: true })
      client.join('5', 's', 'g', { id: 'b' })
      await client.has(5)
      await call('set', item('a', { data: 1 }))
      await call('set', item('b', { data: 1 }))
      const events = (await client.has(5 + 4 + 3)).slice(5)
      expect(events.filter(({ id }) => id === 'a')).toHaveLength(4)
      expect(events.filter(({ id }) => id === 'b')).toHaveLength(3)
      expect(events.map(({ subscriptionId }) => subscriptionId).filter(Boolean)).toEqual(['4'])
      client.leave('1')
      client.leave('4')
      await call('presence', {}).then(() => {})
      await until('two have left', async () => (await call('presence', {})).count === 3)
      await call('set', item('a', { data: 2 }))
      const more = (await client.has(12 + 2)).slice(12)
      expect(more.map(({ id }) => id)).toEqual(['a', 'a'])
      await call('set', item('b', { data: 2 }))
      expect((await client.has(14 + 2)).slice(14).map(({ id }) => id)).toEqual(['b', 'b'])
    }))

  test('gets items with their ids if it wants them', () =>
    withStreams({}, async ({ call, connect }) => {
      await call('set', item('a', { data: 1 }))
      await call('set', item('b', { data: 2 }))
      const client = await connect()
      client.join('sub', 's', 'g', { withIds: true })
      const [sync] = await client.has(1)
      expect(sync!.event.data).toEqual([
        { id: 'a', data: 1, version: 1 },
        { id: 'b', data: 2, version: 2 },
      ])
    }))

  test('that uses an id again has one subscription', () =>
    withStreams({}, async ({ call, connect }) => {
      const client = await connect()
      client.join('sub', 's', 'g')
      client.join('sub', 's', 'other')
      await until('it is in the other group', () =>
        client.messages.some(({ groupId }) => groupId === 'other'),
      )
      const before = client.messages.length
      await call('set', item('a', { data: 1 }))
      await call('set', item('a', { group_id: 'other', data: 1 }))
      const all = await client.has(before + 1)
      expect(all.slice(before).map(({ groupId }) => groupId)).toEqual(['other'])
      expect((await call('presence', {})).count).toBe(1)
    }))

  test('has its values as they were written', () =>
    withStreams({}, async ({ call, connect, worker }) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const data = '{"stream_name":"s","group_id":"g","item_id":"a","data":{"b":9007199254740993,"a":1.0}}'
      worker.call(
        {
          functionId: 'stream::set',
          data: data as never,
          namespace: undefined,
          metadata: undefined,
          timeoutMs: 5000,
          traceparent: undefined,
          baggage: undefined,
        },
        () => resolve(),
      )
      await promise
      const client = await connect()
      client.join('sub', 's', 'g')
      await client.has(1)
      expect(client.texts[0]).toContain('"data":[{"b":9007199254740993,"a":1.0}]')
      expect(await call('list', { stream_name: 's', group_id: 'g' })).toHaveLength(1)
    }))

  test('hears of a group on any gateway', () =>
    withStreams({ gateways: 3 }, async ({ call, connect }) => {
      const clients = await Promise.all([0, 1, 2].map(gateway => connect('', gateway)))
      for (const client of clients) client.join('sub', 's', 'g')
      await Promise.all(clients.map(client => client.has(1)))
      await call('set', item('a', { data: 1 }))
      for (const client of clients) expect((await client.has(2))[1]).toMatchObject({ id: 'a' })
    }))
})
