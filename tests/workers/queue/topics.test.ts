/** Durable topics: every function that subscribes gets every message, until it has succeeded with it. */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import { callsOf, createQueues, dataOf, failure } from './world.ts'

describe('a durable topic', () => {
  test('is published to every function that subscribes: the bare data, metadata of the trigger', async () => {
    const world = await createQueues()
    const worker = await world.worker('mail', 'audit')
    await world.bind(
      worker,
      't1',
      'durable:subscriber',
      'mail',
      { topic: 'orders' },
      { metadata: { team: 'x' } },
    )
    await world.bind(worker, 't2', 'durable:subscriber', 'audit', { topic: 'orders' })
    expect(await world.ask('iii::durable::publish', { topic: 'orders', data: [1] })).not.toHaveProperty(
      'result',
    )
    const calls = callsOf(worker)
    expect(calls.map(({ function_id, data }) => [function_id, data])).toEqual([
      ['mail', [1]],
      ['audit', [1]],
    ])
    expect(calls[0]!.metadata).toMatchObject({ team: 'x', queue: 'orders', attempt: 1 })
  })

  test('keeps what comes before anybody subscribes, for the first who does', async () => {
    const world = await createQueues()
    for (const n of [1, 2, 3]) await world.publish('orders', n)
    expect(await world.done('engine::queue::topic_stats', { topic: 'orders' })).toMatchObject({ depth: 3 })
    const worker = await world.worker('mail', 'audit')
    await world.bind(worker, 't1', 'durable:subscriber', 'mail', { topic: 'orders' })
    await world.bind(worker, 't2', 'durable:subscriber', 'audit', { topic: 'orders' })
    expect(callsOf(worker).map(({ function_id, data }) => [function_id, data])).toEqual([
      ['mail', 1],
      ['mail', 2],
      ['mail', 3],
    ])
  })

  test('keeps what comes while a worker reconnects', async () => {
    const world = await createQueues()
    const first = await world.worker('mail')
    await world.bind(first, 't1', 'durable:subscriber', 'mail', { topic: 'orders' })
    const other = await world.worker('audit')
    await world.bind(other, 't2', 'durable:subscriber', 'audit', { topic: 'orders' })
    first.leaves()
    await world.publish('orders', 'missed')
    const again = await world.worker('mail')
    await world.bind(again, 't1', 'durable:subscriber', 'mail', { topic: 'orders' })
    expect(dataOf(callsOf(again))).toEqual(['missed'])
    expect(dataOf(callsOf(other))).toEqual(['missed'])
  })

  test('a subscription ends a day after its last trigger; what it has left can still be looked at and removed', async () => {
    const world = await createQueues()
    const worker = await world.worker('mail')
    await world.bind(worker, 't1', 'durable:subscriber', 'mail', { topic: 'orders' })
    await world.unbind(worker, 't1')
    await world.publish('orders', 'kept')
    await world.pass(24 * 3_600_000)
    await world.publish('orders', 'for the next')
    expect(await world.done('queue::stats', { queue: 'orders' })).toMatchObject({ depth: 2 })
    await world.bind(worker, 't1', 'durable:subscriber', 'mail', { topic: 'orders' })
    expect(dataOf(callsOf(worker))).toEqual(['kept', 'for the next'])
  })

  test('keeps subscriptions and messages when the engine is killed', async () => {
    const world = await createQueues()
    const worker = await world.worker('mail', 'audit')
    await world.bind(worker, 't1', 'durable:subscriber', 'mail', { topic: 'orders' })
    await world.bind(worker, 't2', 'durable:subscriber', 'audit', { topic: 'orders' })
    await world.publish('orders', 'before')
    expect(callsOf(worker)).toHaveLength(2)
    const next = await createQueues({}, await world.kill())
    await next.publish('orders', 'after')
    const again = await next.worker('audit')
    await next.bind(again, 't2', 'durable:subscriber', 'audit', { topic: 'orders' })
    expect(dataOf(callsOf(again))).toEqual(['before', 'after'])
  })

  test('several triggers of one function compete, each with its own tuning', async () => {
    const world = await createQueues()
    const worker = await world.worker('mail')
    const subscribe = (id: string, concurrency: number) =>
      world.bind(worker, id, 'durable:subscriber', 'mail', { topic: 'orders', queue_config: { concurrency } })
    await subscribe('t1', 1)
    await subscribe('t2', 2)
    for (let n = 0; n < 9; n++) await world.publish('orders', n)
    expect(callsOf(worker)).toHaveLength(3)
  })

  test('has N retries after the first attempt; without a word 3 attempts in all', async () => {
    const world = await createQueues({ adapter: { config: { backoff_ms: 1 } } })
    const worker = await world.worker('mail', 'audit')
    const bind = (id: string, functionId: string, queue_config: object) =>
      world.bind(worker, id, 'durable:subscriber', functionId, { topic: 'orders', queue_config })
    await bind('t1', 'mail', { maxRetries: 4 })
    await bind('t2', 'audit', {})
    await world.publish('orders', 'x')
    const counts: Record<string, number> = { mail: 0, audit: 0 }
    for (let round = 0; round < 10; round++) {
      for (const call of callsOf(worker)) {
        counts[String(call.function_id)]! += 1
        await world.answer(worker, call, failure())
      }
      await world.pass(1000)
    }
    expect(counts).toEqual({ mail: 5, audit: 3 })
    expect(await world.done('engine::queue::dlq_topics', {})).toContainEqual({
      topic: 'orders',
      broker_type: 'builtin',
      message_count: 2,
    })
  })

  test('of type fifo is in order and tries again in place', async () => {
    const world = await createQueues({ adapter: { config: { backoff_ms: 5 } } })
    const worker = await world.worker('mail')
    await world.bind(worker, 't1', 'durable:subscriber', 'mail', {
      topic: 'orders',
      queue_config: { type: 'fifo' },
    })
    for (const n of [1, 2]) await world.publish('orders', n)
    const [call] = callsOf(worker)
    expect(call!.data).toBe(1)
    await world.answer(worker, call, failure())
    expect(callsOf(worker)).toEqual([])
    await world.pass(6)
    const [again] = callsOf(worker)
    expect(again!.data).toBe(1)
    await world.answer(worker, again)
    expect(dataOf(callsOf(worker))).toEqual([2])
  })

  test('is redriven only for the function that failed', async () => {
    const world = await createQueues()
    const worker = await world.worker('mail', 'audit')
    const queue_config = { maxRetries: 0 }
    await world.bind(worker, 't1', 'durable:subscriber', 'mail', { topic: 'orders', queue_config })
    await world.bind(worker, 't2', 'durable:subscriber', 'audit', { topic: 'orders', queue_config })
    await world.publish('orders', 'x')
    const [mail, audit] = callsOf(worker)
    await world.answer(worker, mail, failure())
    await world.answer(worker, audit)
    expect(await world.done('iii::queue::redrive', { queue: 'orders' })).toEqual({
      queue: 'orders',
      redriven: 1,
    })
    expect(callsOf(worker)).toMatchObject([{ function_id: 'mail', data: 'x', metadata: { attempt: 1 } }])
  })

  test('a trigger that goes lets its handler finish', async () => {
    const world = await createQueues()
    const worker = await world.worker('mail')
    await world.bind(worker, 't1', 'durable:subscriber', 'mail', { topic: 'orders' })
    await world.publish('orders', 'x')
    const [call] = callsOf(worker)
    await world.unbind(worker, 't1')
    await world.answer(worker, call)
    expect(await world.done('engine::queue::topic_stats', { topic: 'orders' })).toMatchObject({ depth: 0 })
  })
})

test('who takes more at once than is kept in memory gets all of it', async () => {
  const world = await createQueues()
  for (let n = 0; n < 700; n++) void world.caller.calls('iii::durable::publish', { topic: 'orders', data: n })
  await world.settled()
  const worker = await world.worker('mail')
  const queue_config = { concurrency: 1000 }
  await world.bind(worker, 't1', 'durable:subscriber', 'mail', { topic: 'orders', queue_config })
  await world.settled()
  expect(dataOf(callsOf(worker))).toEqual(Array.from({ length: 700 }, (_, n) => n))
})

test('metadata: that of the trigger goes before what is known of the message; that of the publisher is a member', async () => {
  const world = await createQueues()
  const worker = await world.worker('mail')
  const bind = (id: string, metadata: unknown) =>
    world.bind(worker, id, 'durable:subscriber', 'mail', { topic: id }, { metadata })
  await bind('plain', { team: 'x' })
  await bind('own', { queue: 'mine' })
  await bind('text', 'a text')
  for (const topic of ['plain', 'own', 'text'])
    await world.done('queue::push', { topic, data: 1, group: 'g', metadata: { by: 'ada' } })
  const [plain, own, text] = callsOf(worker).map(({ metadata }) => metadata)
  expect(plain).toMatchObject({ team: 'x', queue: 'plain', group: 'g', metadata: { by: 'ada' }, attempt: 1 })
  expect(own).toMatchObject({ queue: 'mine', group: 'g', metadata: { by: 'ada' }, attempt: 1 })
  expect(text).toBe('a text')
})

describe('a trigger with a batchSize', () => {
  const bind = async (queue_config: object, more: object = {}) => {
    const world = await createQueues()
    const worker = await world.worker('mail')
    await world.publish('orders', 1)
    for (const n of [2, 3]) await world.publish('orders', n)
    const config = {
      topic: 'orders',
      queue_config: { batchSize: 2, concurrency: 1, ...queue_config },
      ...more,
    }
    await world.bind(worker, 't1', 'durable:subscriber', 'mail', config, { metadata: { team: 'x' } })
    return { world, worker }
  }

  test('has its function called with lists; what the function returns ends all of them', async () => {
    const { world, worker } = await bind({})
    const [call, ...others] = callsOf(worker)
    expect(others).toEqual([])
    expect(call).toMatchObject({
      data: [1, 2],
      metadata: { team: 'x', messages: [{ attempt: 1, queue: 'orders' }, { attempt: 1 }] },
    })
    await world.answer(worker, call)
    const [next] = callsOf(worker)
    expect(next!.data).toEqual([3])
    await world.answer(worker, next)
    expect(await world.done('queue::stats', { queue: 'orders' })).toMatchObject({ depth: 0 })
  })

  test('no more are in a call than it can hold', async () => {
    const world = await createQueues()
    const worker = await world.worker('mail')
    const data = 'x'.repeat(limits.queuePortionLength / 2 - 2)
    for (let count = 0; count < 3; count++) await world.publish('orders', data)
    const config = { topic: 'orders', queue_config: { batchSize: 10, concurrency: 1 } }
    await world.bind(worker, 't1', 'durable:subscriber', 'mail', config)
    for (const size of [2, 1]) {
      const [call, ...others] = callsOf(worker)
      expect([(call!.data as object[]).length, others.length]).toEqual([size, 0])
      await world.answer(worker, call)
    }
  })

  test('all of them fail together, and come again', async () => {
    const { world, worker } = await bind({ backoffDelayMs: 10, concurrency: 2 })
    const [call] = callsOf(worker)
    await world.answer(worker, call, failure())
    await world.pass(11)
    expect(callsOf(worker)).toMatchObject([
      { data: [1, 2], metadata: { messages: [{ attempt: 2 }, { attempt: 2 }] } },
    ])
  })

  test('a call whose leases are over is given up, and its place is free', async () => {
    const { world, worker } = await bind({ leaseMs: 1000, maxRetries: 0 })
    callsOf(worker)
    await world.pass(1000)
    expect(dataOf(callsOf(worker))).toEqual([[3]])
    expect(await world.done('queue::stats', { queue: 'orders' })).toMatchObject({ dlq_depth: 2 })
  })

  test('an expression chooses among them', async () => {
    const { world, worker } = await bind({}, { condition: 'event > 1' })
    expect(dataOf(callsOf(worker))).toEqual([[2]])
    expect(await world.done('queue::stats', { queue: 'orders' })).toMatchObject({ depth: 2 })
  })
})

describe('conditions', () => {
  test('an expression or a function that says no: the message is done without its function', async () => {
    const world = await createQueues()
    const worker = await world.worker('mail', 'audit', 'check')
    await world.bind(worker, 't1', 'durable:subscriber', 'mail', { topic: 'o', condition: 'n > 1' })
    await world.bind(worker, 't2', 'durable:subscriber', 'audit', {
      topic: 'o',
      condition_function_id: 'check',
    })
    await world.publish('o', { n: 1 })
    const [check] = callsOf(worker)
    expect(check).toMatchObject({ function_id: 'check', data: { n: 1 } })
    await world.answer(worker, check, { result: false })
    expect(callsOf(worker)).toEqual([])
    expect(await world.done('engine::queue::topic_stats', { topic: 'o' })).toMatchObject({ depth: 0 })
  })

  test('one that fails is a failed attempt', async () => {
    const world = await createQueues()
    const worker = await world.worker('audit', 'check')
    await world.bind(worker, 't2', 'durable:subscriber', 'audit', {
      topic: 'o',
      condition_function_id: 'check',
      queue_config: { maxRetries: 0 },
    })
    await world.publish('o', 1)
    await world.answer(worker, callsOf(worker)[0], failure('broken'))
    expect(await world.done('engine::queue::dlq_messages', { topic: 'o' })).toMatchObject([
      { error: 'SHOP_CLOSED: broken' },
    ])
  })
})

describe('a trigger of type queue', () => {
  test('takes the messages of a named queue that name no function', async () => {
    const world = await createQueues({ queue_configs: { q: {} } })
    const worker = await world.worker('work')
    await world.bind(worker, 't1', 'queue', 'work', { source: 'q', concurrency: 1 })
    await world.done('queue::push', { queue: 'q', data: 1 })
    await world.done('queue::push', { queue: 'q', data: 2 })
    expect(dataOf(callsOf(worker))).toEqual([1])
  })

  test('or subscribes to a topic', async () => {
    const world = await createQueues()
    const worker = await world.worker('work')
    await world.bind(worker, 't1', 'queue', 'work', { queue: 'orders' })
    await world.publish('orders', 1)
    expect(dataOf(callsOf(worker))).toEqual([1])
  })

  test('without a topic is registered all the same, with a warning', async () => {
    const world = await createQueues()
    const worker = await world.worker('work')
    await world.bind(worker, 't1', 'durable:subscriber', 'work', { topic: '' })
    expect(world.log.lines.some(({ message }) => message.includes('names no topic'))).toBe(true)
  })
})

test('a key of queue_config that nobody knows is told in the log, with the nearest one', async () => {
  const world = await createQueues()
  const worker = await world.worker('work')
  await world.bind(worker, 't1', 'durable:subscriber', 'work', { topic: 'q', queue_config: { batchsize: 3 } })
  expect(world.log.lines.map(({ message }) => message)).toContain(
    "durable:subscriber trigger: unknown key 'queue_config.batchsize' has no effect; did you mean 'batchSize'?",
  )
})
