/** Streams: a published client writes, reads and is told; a client of the WebSocket port beside it. */
import { expect } from 'bun:test'
import { connect } from '../../stream/support.ts'
import { until } from '../../support/waiting.ts'
import { failure, type Scenario } from './stage.ts'

export const streams: readonly Scenario[] = [
  {
    name: 'it sets, reads, changes, lists and deletes items',
    async run({ worker, id }) {
      const group = { stream_name: id('stream'), group_id: 'g' }
      const item = { ...group, item_id: 'a' }
      const first = await worker.call('stream::set', { ...item, data: { n: 1 } })
      expect(first).toMatchObject({ old_value: null, new_value: { n: 1 } })
      expect(await worker.call('stream::get', item)).toEqual({ n: 1 })
      const ops = [
        { type: 'increment', path: 'n', by: 1 },
        { type: 'merge', value: { m: [] } },
      ]
      const changed = await worker.call('stream::update', { ...item, ops })
      expect(changed).toMatchObject({ old_value: { n: 1 }, new_value: { n: 2, m: [] } })
      expect(await worker.call('stream::list', group)).toEqual([{ n: 2, m: [] }])
      expect(await worker.call('stream::list_groups', { stream_name: group.stream_name })).toEqual(['g'])
      expect(await worker.call('stream::delete', item)).toEqual({ old_value: { n: 2, m: [] } })
      expect((await worker.call('stream::get', item)) ?? undefined).toBeUndefined()
      expect((await failure(worker.call('stream::set', item))).code).toBe('deserialization_error')
    },
  },
  {
    name: 'its functions are told what happens, and a client sees what it writes',
    only: ({ triggers }) => triggers,
    async run({ engine, worker, id, bound }) {
      const group = { stream_name: id('stream'), group_id: 'g' }
      await worker.offer(id('target'), 'record')
      await worker.bind('stream', id('target'), group)
      await bound('stream', id('target'))
      const client = await connect(`${engine.addresses().stream}/`)
      client.join('sub', group.stream_name, 'g')
      await client.has(1)
      await worker.call('stream::set', { ...group, item_id: 'a', data: 1 })
      await worker.call('stream::send', { ...group, id: 'a', type: 'typing', data: { by: 'x' } })
      const [, created, sent] = await client.has(3)
      expect(created).toMatchObject({ id: 'a', event: { type: 'create', data: 1 } })
      expect(sent!.event).toEqual({ type: 'event', event: { type: 'typing', data: { by: 'x' } } })
      expect((await worker.called(id('target'))).data).toEqual({
        type: 'stream',
        timestamp: expect.any(Number),
        streamName: group.stream_name,
        groupId: 'g',
        id: 'a',
        event: { type: 'create', data: 1 },
        seq: expect.any(Number),
      })
      expect((await worker.called(id('target'))).data).toMatchObject({ event: { type: 'event' } })
      client.close()
    },
  },
  {
    name: 'it is asked about clients, and hears when they leave',
    only: ({ triggers }) => triggers,
    async run({ engine, worker, raw, id, bound }) {
      const group = { stream_name: id('stream'), group_id: 'g' }
      await worker.offer(id('joined'), 'record')
      await worker.offer(id('left'), 'record')
      await worker.bind('stream:join', id('joined'), { stream_name: group.stream_name })
      await worker.bind('stream:leave', id('left'), { stream_name: group.stream_name })
      await bound('stream:join', id('joined'))
      await bound('stream:leave', id('left'))
      const client = await connect(`${engine.addresses().stream}/`)
      client.join('sub', group.stream_name, 'g', { id: 'a' })
      await client.has(1)
      const told = { ...group, subscription_id: 'sub', id: 'a', context: null }
      expect((await worker.called(id('joined'))).data).toEqual(told)
      client.close()
      expect((await worker.called(id('left'))).data).toEqual(told)
      await until('nobody is there', async () => {
        const { result } = await raw.call('stream::presence', group)
        return (result as { count: number }).count === 0
      })
    },
  },
]
