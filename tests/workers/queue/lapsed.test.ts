/** Subscriptions that nobody comes back for. */
import { describe, expect, test } from 'bun:test'
import { callsOf, createQueues, dataOf, type QueueWorld } from './world.ts'

describe('a subscription whose time is over', () => {
  const DAY_MS = 24 * 3_600_000
  const names = async (world: QueueWorld) =>
    (await world.partition.read(({ queues }) => queues.queues(undefined, 100))).map(({ name }) => name)

  async function lapsed(publishes: boolean) {
    const world = await createQueues()
    const worker = await world.worker('mail')
    await world.bind(worker, 't1', 'durable:subscriber', 'mail', { topic: 'orders' })
    worker.leaves()
    await world.settled()
    if (publishes) await world.publish('orders', 1)
    for (let hours = 0; hours < 26; hours++) await world.pass(3_600_000)
    return world
  }

  test('is forgotten with its queue', async () => {
    const world = await lapsed(false)
    expect(await names(world)).toEqual(['__fn_queue::default'])
    expect(await world.done('engine::queue::list_topics', {})).toHaveLength(1)
  })

  test('stays as long as its queue has messages, and lasts again for who comes back', async () => {
    const world = await lapsed(true)
    expect(await names(world)).toContain('orders::mail@default')
    const worker = await world.worker('mail')
    await world.bind(worker, 't2', 'durable:subscriber', 'mail', { topic: 'orders' })
    expect(dataOf(callsOf(worker))).toEqual([1])
    await world.pass(2 * DAY_MS)
    expect(await names(world)).toContain('orders::mail@default')
    // Two days pass timer by timer.
  }, 60_000)
})
