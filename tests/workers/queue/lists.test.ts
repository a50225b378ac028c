/** Lists of queues and topics. */
import { expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import { createQueues } from './world.ts'

test('queues are listed page by page, each topic once: named ones, then those with messages or subscriptions', async () => {
  const world = await createQueues({ queue_configs: { mails: {} } })
  const worker = await world.worker('f', 'g')
  for (const topic of ['a', 'a-b', 'c', 'd']) await world.publish(topic, 1)
  await world.bind(worker, 't1', 'durable:subscriber', 'g', { topic: 'a' })
  await world.bind(worker, 't2', 'durable:subscriber', 'f', { topic: 'a' })
  await world.bind(worker, 't3', 'durable:subscriber', 'f', { topic: 'b' })
  const all = ['default', 'mails', 'a-b', 'a', 'b', 'c', 'd']
  for (const limit of [1, 2, 3, all.length, 1000]) {
    const names: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = (await world.done('queue::list', { limit, cursor })) as {
        queues: { queue: string }[]
        cursor?: string
      }
      const { queues } = page
      expect(queues.length).toBe(Math.min(limit, all.length - names.length))
      names.push(...queues.map(({ queue }) => queue))
      cursor = page.cursor
      if (cursor === undefined) break
    }
    expect([limit, names]).toEqual([limit, all])
  }
  expect(await world.ask('queue::list', { cursor: 'x' })).toMatchObject({
    error: { code: 'deserialization_error' },
  })
})

test('statistics of a queue with messages for very many functions are those of the first of them', async () => {
  const world = await createQueues()
  const messages = (from: number, count: number) =>
    Array.from({ length: count }, (_, at) => ({
      queue: 'default',
      function_id: `away::${from + at}`,
      data: 1,
    }))
  await world.done('queue::push', { messages: messages(0, limits.queueLanesLooked) })
  const { queueLanesLooked: most } = limits
  expect(await world.done('queue::stats', { queue: 'default' })).toMatchObject({ depth: most, parked: most })
  await world.pass(1000)
  await world.done('queue::push', { messages: messages(most, 100) })
  expect(await world.done('queue::stats', { queue: 'default' })).toMatchObject({
    depth: most + 100,
    parked: null,
    oldest_ms: 1000,
  })
})
