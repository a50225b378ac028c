/** The functions that tell which queues there are, and how full they are. */
import { describe, expect, test } from 'bun:test'
import { callsOf, createQueues, failure } from './world.ts'

describe('the functions of the page', () => {
  test('have its texts for what is empty, and refuse what is missing', async () => {
    const world = await createQueues()
    const told = async (id: string, input: object) => {
      const { error } = await world.ask(id, input)
      return [error?.code, error?.message]
    }
    expect(await told('iii::durable::publish', { topic: '', data: 1 })).toEqual([
      'topic_not_set',
      'Topic is not set',
    ])
    expect(await told('iii::queue::redrive', { queue: '' })).toEqual([
      'queue_not_set',
      'Queue name is required',
    ])
    expect(await told('iii::queue::redrive_message', { topic: 'q', message_id: '' })).toEqual([
      'message_id_not_set',
      'Message ID is required',
    ])
    for (const name of ['topic_stats', 'dlq_messages'])
      expect(await told(`engine::queue::${name}`, { topic: '' })).toEqual([
        'topic_required',
        'topic is required',
      ])
    for (const id of ['iii::durable::publish', 'iii::queue::redrive', 'engine::queue::topic_stats'])
      expect((await told(id, {}))[0]).toBe('deserialization_error')
  })

  test('answer for names that nobody knows: nothing', async () => {
    const world = await createQueues()
    expect(await world.done('iii::queue::redrive', { queue: 'x' })).toEqual({ queue: 'x', redriven: 0 })
    expect(
      await world.done('iii::queue::discard_message', { queue: 'x', message_id: crypto.randomUUID() }),
    ).toMatchObject({ redriven: 0 })
    expect(await world.done('engine::queue::topic_stats', { topic: 'x' })).toMatchObject({
      depth: 0,
      consumer_count: 0,
      dlq_depth: 0,
      config: null,
    })
    expect(await world.done('engine::queue::dlq_messages', { topic: 'x' })).toEqual([])
  })

  test('list named queues and topics', async () => {
    const world = await createQueues({ queue_configs: { mails: { concurrency: 3 } } })
    const worker = await world.worker('work')
    await world.bind(worker, 't1', 'durable:subscriber', 'work', { topic: 'orders' })
    expect(await world.done('engine::queue::list_topics', {})).toEqual([
      { name: 'default', broker_type: 'builtin', subscriber_count: 10 },
      { name: 'mails', broker_type: 'builtin', subscriber_count: 3 },
      { name: 'orders', broker_type: 'builtin', subscriber_count: 1 },
    ])
    expect(await world.done('engine::queue::dlq_topics', {})).toEqual([
      { topic: '__fn_queue::default', broker_type: 'builtin', message_count: 0 },
      { topic: '__fn_queue::mails', broker_type: 'builtin', message_count: 0 },
    ])
  })

  test('count a topic and the named queue of its name apart', async () => {
    const world = await createQueues({ queue_configs: { old: { max_retries: 1 } } })
    const worker = await world.worker('work')
    await world.bind(worker, 't1', 'durable:subscriber', 'work', {
      topic: 'old',
      queue_config: { maxRetries: 0, concurrency: 1 },
    })
    for (const data of [1, 2, 3]) await world.publish('old', data)
    await world.answer(worker, callsOf(worker)[0], failure())
    await world.done('queue::push', { queue: 'old', data: 'queued' })
    expect((await world.done<{ queues: unknown[] }>('queue::list', {})).queues.slice(1)).toMatchObject([
      { queue: 'old', kind: 'queue', depth: 1, dlq_depth: 0, consumer_count: 10 },
      { queue: 'old', kind: 'topic', depth: 2, dlq_depth: 1, consumer_count: 1, config: null },
    ])
    // A name that is configured is that of the queue.
    expect(await world.done('queue::stats', { queue: 'old' })).toMatchObject({ depth: 1, consumer_count: 10 })
    expect((await world.done<unknown[]>('engine::queue::list_topics', {})).slice(1)).toEqual([
      { name: 'old', broker_type: 'builtin', subscriber_count: 10 },
    ])
    expect((await world.done<unknown[]>('engine::queue::dlq_topics', {})).slice(1)).toMatchObject([
      { topic: '__fn_queue::old', message_count: 0 },
      { topic: 'old', message_count: 1 },
    ])
  })

  test('count the functions that are there, and have messages of a queue handed to them', async () => {
    const world = await createQueues()
    const functionsOf = async (queue: string) =>
      (await world.done<{ functions: number }>('queue::stats', { queue })).functions
    expect(await functionsOf('default')).toBe(0)
    await world.enqueue('default', 'pay', 1)
    expect(await functionsOf('default')).toBe(0)
    const worker = await world.worker('pay', 'work')
    for (const id of ['t1', 't2'])
      await world.bind(worker, id, 'durable:subscriber', 'work', { topic: 'orders' })
    expect(await functionsOf('default')).toBe(1)
    expect(await world.done('queue::stats', { queue: 'orders' })).toMatchObject({
      functions: 1,
      consumer_count: 2,
    })
    worker.leaves()
    await world.settled()
    expect([await functionsOf('default'), await functionsOf('orders')]).toEqual([0, 0])
  })

  test('take a priority above the highest one of its queue as that one, whoever has said it', async () => {
    const world = await createQueues({ queue_configs: { q: { max_priority: 10, priority_field: 'p' } } })
    const push = (data: object, more: object = {}) => world.done('queue::push', { queue: 'q', data, ...more })
    await push({ p: 10 })
    await push({}, { priority: 99 })
    await push({ p: 300 })
    const { messages } = await world.done<{ messages: object[] }>('queue::messages', { queue: 'q' })
    expect(messages).toMatchObject([{ priority: 10 }, { priority: 10 }, { priority: 10 }])
  })

  test('say how old the oldest message is, what happens in a second, and what is parked', async () => {
    const world = await createQueues()
    await world.enqueue('default', 'away', 1)
    await world.pass(5000)
    const stats = { oldest_ms: 5000, parked: 1, parked_for: [{ reason: 'no_worker', function_id: 'away' }] }
    expect(await world.done('queue::stats', { queue: 'default' })).toMatchObject({
      ...stats,
      rates: { published: 1 / 60, done: 0, failed: 0 },
    })
    expect(await world.done('queue::list', {})).toMatchObject({ queues: [{ queue: 'default', ...stats }] })
    expect(await world.done('engine::queue::topic_stats', { topic: 'nobody' })).toMatchObject({
      oldest_ms: null,
      parked: 0,
    })
  })
})
