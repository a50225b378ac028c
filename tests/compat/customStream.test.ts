/** `createStream` of the npm client: a stream whose items the worker keeps. */
import { expect, test } from 'bun:test'
import { registerWorker } from 'iii-sdk'
import { createStream } from 'iii-sdk/helpers'
import type { IStream } from 'iii-sdk/stream'
import { connect } from '../stream/support.ts'
import { startEngine } from '../support/engineProcess.ts'
import { connectRaw } from '../support/rawClient.ts'
import { untilKnown } from './scenarios/stage.ts'

/** As a program keeps them that has never heard of updates: the client registers five functions, and not `update`. */
function inMemory(): IStream<unknown> {
  const groups = new Map<string, Map<string, unknown>>()
  const groupOf = (id: string): Map<string, unknown> => {
    const group = groups.get(id) ?? new Map()
    groups.set(id, group)
    return group
  }
  return {
    get: async ({ group_id, item_id }) => groupOf(group_id).get(item_id) ?? null,
    async set({ group_id, item_id, data }) {
      const old_value = groupOf(group_id).get(item_id) ?? null
      groupOf(group_id).set(item_id, data)
      return { old_value, new_value: data }
    },
    async delete({ group_id, item_id }) {
      const old_value = groupOf(group_id).get(item_id) ?? null
      groupOf(group_id).delete(item_id)
      return { old_value }
    },
    list: async ({ group_id }) => [...groupOf(group_id).values()],
    listGroups: async () => [...groups.keys()],
    update: async () => null,
  }
}

test('a stream of createStream keeps its items in the worker, and clients hear of them', async () => {
  await using engine = await startEngine({ workers: '  - name: iii-stream\n    config: { port: 0 }' })
  await using raw = await connectRaw(engine.url)
  const worker = registerWorker(engine.url, { workerName: 'keeper', otel: { enabled: false } })
  createStream(worker, 'tasks', inMemory())
  await untilKnown(raw, 'stream::list_groups(tasks)')
  const item = { stream_name: 'tasks', group_id: 'g', item_id: 'a' }
  const call = (name: string, payload: object): Promise<unknown> =>
    worker.trigger({ function_id: `stream::${name}`, payload })
  expect(await call('set', { ...item, data: { n: 1 } })).toEqual({ old_value: null, new_value: { n: 1 } })
  const client = await connect(`${engine.addresses().stream}/`)
  client.join('sub', 'tasks', 'g')
  expect((await client.has(1))[0]!.event).toEqual({ type: 'sync', data: [{ n: 1 }] })
  const ops = [{ type: 'increment', path: 'n', by: 4 }]
  expect(await call('update', { ...item, ops })).toEqual({ old_value: { n: 1 }, new_value: { n: 5 } })
  expect(await call('get', item)).toEqual({ n: 5 })
  expect(await call('list', { stream_name: 'tasks', group_id: 'g' })).toEqual([{ n: 5 }])
  expect(await call('list_groups', { stream_name: 'tasks' })).toEqual(['g'])
  expect(await call('delete', item)).toEqual({ old_value: { n: 5 } })
  expect((await client.has(3)).slice(1).map(({ event }) => event)).toEqual([
    { type: 'update', data: { n: 5 } },
    { type: 'delete', data: { n: 5 } },
  ])
  expect(await call('list_all', {})).toEqual({ stream: [], count: 0 })
  client.close()
  await worker.shutdown()
}, 60_000)
