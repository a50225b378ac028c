import { describe, expect, test } from 'bun:test'
import { until } from '../support/waiting.ts'
import { item, type Streams, withStreams } from './support.ts'

/** Binds a function that remembers what it is called with; resolves when it is bound. */
async function bind(
  { worker, call }: Streams,
  type: string,
  config: object,
  answer: unknown = null,
): Promise<unknown[]> {
  const heard: unknown[] = []
  const function_id = `heard::${crypto.randomUUID()}`
  worker.registerFunction(function_id, input => {
    heard.push(input)
    if (answer instanceof Error) throw answer
    return answer
  })
  worker.registerTrigger({ type, function_id, config })
  // Whatever is asked behind it finds it bound.
  await call('presence', {})
  return heard
}

describe('triggers of streams', () => {
  test('are called with what happens, and nothing else', () =>
    withStreams({}, async streams => {
      const { call } = streams
      const all = await bind(streams, 'stream', { stream_name: 's' })
      const ofItem = await bind(streams, 'stream', { stream_name: 's', group_id: 'g', item_id: 'a' })
      const others = await bind(streams, 'stream', { stream_name: 's', group_id: 'other' })
      const created = await bind(streams, 'stream', { stream_name: 's', condition: 'event.type == "create"' })
      await call('set', item('a', { data: 1 }))
      await call('set', item('a', { data: 2 }))
      await call('send', { stream_name: 's', group_id: 'g', type: 'note', data: 1 })
      await call('delete', item('a'))
      await call('delete', item('a'))
      await call('set', item('b', { stream_name: 'another', data: 1 }))
      await until('all are called', () => all.length === 4 && ofItem.length === 3 && created.length === 1)
      expect(all[0]).toEqual({
        type: 'stream',
        timestamp: expect.any(Number),
        streamName: 's',
        groupId: 'g',
        id: 'a',
        event: { type: 'create', data: 1 },
        seq: 1,
      })
      expect(all.map(payload => (payload as { event: unknown }).event)).toEqual([
        { type: 'create', data: 1 },
        { type: 'update', data: 2 },
        { type: 'event', event: { type: 'note', data: 1 } },
        { type: 'delete', data: 2 },
      ])
      expect(others).toEqual([])
    }))

  test('without a stream are refused, and everything else goes on', () =>
    withStreams({}, async ({ worker, call, wasRefused }) => {
      worker.registerFunction('f', () => {})
      const { id } = worker.registerTrigger({ type: 'stream', function_id: 'f', config: {} })
      await until('it is refused', () => wasRefused(id))
      expect(await call('set', item('a', { data: 1 }))).toMatchObject({ new_value: 1 })
    }))
})

describe('handlers of stream:join', () => {
  const refused = { type: 'unauthorized' }

  test('let a client in, and hear when it leaves', () =>
    withStreams({}, async streams => {
      const joined = await bind(streams, 'stream:join', { stream_name: 's' }, { unauthorized: false })
      const left = await bind(streams, 'stream:leave', { stream_name: 's' })
      const others = await bind(streams, 'stream:leave', { stream_name: 's', group_id: 'other' })
      const client = await streams.connect()
      client.join('1', 's', 'g')
      client.join('2', 's', 'g', { id: 'a' })
      client.join('3', 'another', 'g')
      await client.has(3)
      const said = { stream_name: 's', group_id: 'g', context: null }
      expect(joined).toEqual([
        { subscription_id: '1', id: null, ...said },
        { subscription_id: '2', id: 'a', ...said },
      ])
      client.leave('1')
      client.leave('1')
      await until('one has left', () => left.length === 1)
      client.close()
      await until('both have left', () => left.length === 2)
      expect(left.map(each => (each as { subscription_id: string }).subscription_id).sort()).toEqual([
        '1',
        '2',
      ])
      expect(others).toEqual([])
      expect((await streams.call('presence', {})).count).toBe(0)
    }))

  test('refuse a client, each of them', () =>
    withStreams({}, async streams => {
      await bind(streams, 'stream:join', {}, { unauthorized: false })
      await bind(streams, 'stream:join', { group_id: 'g' }, { unauthorized: true })
      const left = await bind(streams, 'stream:leave', {})
      const client = await streams.connect()
      client.join('1', 's', 'g')
      client.join('2', 's', 'free')
      const messages = await client.has(2)
      expect(messages.find(({ groupId }) => groupId === 'g')!.event).toEqual(refused)
      await streams.call('set', item('a', { data: 1 }))
      await streams.call('set', item('a', { group_id: 'free', data: 1 }))
      const [, , event] = await client.has(3)
      expect(event!.groupId).toBe('free')
      client.close()
      await until('the one that was let in has left', () => left.length > 0)
      expect(left).toHaveLength(1)
    }))

  test('that fail refuse, unless it is said that they do not', async () => {
    for (const [auth_fail_closed, expected] of [
      [true, 'unauthorized'],
      [false, 'sync'],
    ] as const) {
      await withStreams({ config: { auth_fail_closed } }, async streams => {
        await bind(streams, 'stream:join', {}, new Error('broken'))
        const client = await streams.connect()
        client.join('1', 's', 'g')
        const [answer] = await client.has(1)
        expect(answer!.event.type).toBe(expected)
      })
    }
  })

  test('that take their time hold up nobody', () =>
    withStreams({}, async streams => {
      const go = Promise.withResolvers<void>()
      streams.worker.registerFunction('slow', async () => {
        await go.promise
        return {}
      })
      await bind(streams, 'stream:leave', {})
      streams.worker.registerTrigger({
        type: 'stream:join',
        function_id: 'slow',
        config: { group_id: 'slow' },
      })
      const client = await streams.connect()
      client.join('1', 's', 'slow')
      client.join('2', 's', 'g')
      const [first] = await client.has(1)
      expect(first!.subscriptionId).toBe('2')
      go.resolve()
      expect((await client.has(2))[1]!.subscriptionId).toBe('1')
    }))

  test('are not asked any more about a client that has gone', () =>
    withStreams({}, async streams => {
      const go = Promise.withResolvers<void>()
      let asked = 0
      streams.worker.registerFunction('slow', async () => {
        asked++
        await go.promise
        return {}
      })
      const left = await bind(streams, 'stream:leave', {})
      streams.worker.registerTrigger({ type: 'stream:join', function_id: 'slow', config: {} })
      const client = await streams.connect()
      client.join('1', 's', 'g')
      await until('it is asked', () => asked === 1)
      client.close()
      await client.closed
      const other = await streams.connect()
      go.resolve()
      other.join('2', 's', 'g')
      await other.has(1)
      await until('one is there', async () => (await streams.call('presence', {})).count === 1)
      expect(left).toEqual([])
    }))
})
