/** Dead messages are tried again: which of them, and how fast. */
import { describe, expect, test } from 'bun:test'
import type { Puppet } from '../../support/world.ts'
import { callsOf, createQueues, dataOf, type QueueWorld } from './world.ts'

/** A function of the queue `q` that fails with what its message says. */
async function createDead(errors: readonly string[]): Promise<{ world: QueueWorld; worker: Puppet }> {
  const world = await createQueues({ queue_configs: { q: { max_retries: 1, concurrency: 100 } } })
  const worker = await world.worker('work')
  for (const error of errors) {
    await world.enqueue('q', 'work', error)
    await world.answer(worker, callsOf(worker)[0], { error: { code: 'FAILED', message: error } })
    await world.pass(100)
  }
  return { world, worker }
}

const redrive = (world: QueueWorld, more: object = {}) =>
  world.done('iii::queue::redrive', { queue: 'q', ...more })

describe('iii::queue::redrive', () => {
  test('with a part of the error tries those again that failed with it, the oldest first', async () => {
    const { world, worker } = await createDead(['no ink 1', 'no paper', 'no ink 2', 'no ink 3'])
    expect(await redrive(world, { error: 'no ink', limit: 2 })).toEqual({ queue: 'q', redriven: 2 })
    expect(dataOf(callsOf(worker))).toEqual(['no ink 1', 'no ink 2'])
    expect(await redrive(world, { error: 'FAILED: no paper' })).toMatchObject({ redriven: 1 })
    expect(await redrive(world, { error: 'no glue' })).toMatchObject({ redriven: 0 })
    expect(await world.done('queue::stats', { queue: 'q' })).toMatchObject({ dlq_depth: 1 })
  })

  test('with a time tries those again that have died since', async () => {
    const { world, worker } = await createDead(['a', 'b', 'c'])
    // 100 ms pass after each.
    expect(await redrive(world, { since: Math.floor(world.clock.now()) - 200 })).toMatchObject({
      redriven: 2,
    })
    expect(dataOf(callsOf(worker))).toEqual(['b', 'c'])
  })

  test('of messages of a group keeps their order', async () => {
    const config = { type: 'fifo', message_group_field: 'order', max_retries: 1 }
    const world = await createQueues({ queue_configs: { q: config } })
    const worker = await world.worker('work')
    for (const step of [1, 2, 3]) await world.enqueue('q', 'work', { order: 'a', step })
    for (let step = 1; step <= 3; step++)
      await world.answer(worker, callsOf(worker)[0], { error: { code: 'FAILED', message: 'no' } })
    expect(await redrive(world, { error: 'no' })).toMatchObject({ redriven: 3 })
    for (const step of [1, 2, 3]) {
      const [call] = callsOf(worker)
      expect(call).toMatchObject({ data: { step } })
      await world.answer(worker, call)
    }
  })

  test('with a rate tries so many in a second', async () => {
    const { world, worker } = await createDead(['a', 'b', 'c', 'd', 'e'])
    const asked = world.caller.calls('iii::queue::redrive', { queue: 'q', rate_per_second: 2 })
    await world.settled()
    expect(callsOf(worker)).toEqual([])
    await world.pass(500)
    expect(dataOf(callsOf(worker))).toEqual(['a'])
    for (let half = 0; half < 3; half++) await world.pass(500)
    expect(dataOf(callsOf(worker))).toEqual(['b', 'c', 'd'])
    expect(world.answerOf(asked)).toBeUndefined()
    await world.pass(500)
    expect(world.answerOf(asked)).toMatchObject({ result: { redriven: 5 } })
  })

  test('with a rate stops when the engine does', async () => {
    const { world } = await createDead(['a', 'b'])
    const asked = world.caller.calls('iii::queue::redrive', { queue: 'q', rate_per_second: 1 })
    await world.settled()
    await world.queues.drain()
    await world.settled()
    expect(world.answerOf(asked)).toMatchObject({ result: { redriven: 0 } })
  })
})
