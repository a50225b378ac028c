/** Settings of queues that are others while messages wait and handlers run. */
import { describe, expect, test } from 'bun:test'
import { callsOf, createQueues, dataOf, failure } from './world.ts'

const queues = (queue_configs: object) => ({ queue_configs })

describe('settings that change', () => {
  test('a rate that is lower holds at once, and one that goes holds nobody up', async () => {
    const world = await createQueues(queues({ q: {} }))
    const worker = await world.worker('f')
    await world.enqueue('q', 'f', 'before')
    expect(dataOf(callsOf(worker))).toEqual(['before'])
    await world.configure(queues({ q: { rate_per_second: 10 } }))
    for (let n = 0; n < 5; n++) await world.enqueue('q', 'f', n)
    expect(dataOf(callsOf(worker))).toEqual([])
    await world.pass(100)
    expect(dataOf(callsOf(worker))).toEqual([0])
    await world.configure(queues({ q: {} }))
    expect(dataOf(callsOf(worker))).toEqual([1, 2, 3, 4])
  })

  test('a lower concurrency lets what runs end, and begins nothing before there is a place', async () => {
    const world = await createQueues(queues({ q: { concurrency: 2 } }))
    const worker = await world.worker('f')
    for (let n = 0; n < 4; n++) await world.enqueue('q', 'f', n)
    const [first, second] = callsOf(worker)
    await world.configure(queues({ q: { concurrency: 1 } }))
    await world.answer(worker, first)
    expect(callsOf(worker)).toEqual([])
    await world.answer(worker, second)
    expect(dataOf(callsOf(worker))).toEqual([2])
  })

  test('the attempts and the back-off of a message are those of its next attempt', async () => {
    const world = await createQueues(queues({ q: { max_retries: 1 } }))
    const worker = await world.worker('f')
    await world.enqueue('q', 'f', 'begun before')
    const [begun] = callsOf(worker)
    await world.configure(queues({ q: { max_retries: 2, backoff_ms: 40 } }))
    await world.enqueue('q', 'f', 'begun after')
    const [after] = callsOf(worker)
    await world.answer(worker, begun, failure())
    await world.answer(worker, after, failure())
    await world.pass(39)
    expect(callsOf(worker)).toEqual([])
    await world.pass(1)
    expect(dataOf(callsOf(worker))).toEqual(['begun after'])
    expect(await world.done('queue::stats', { queue: 'q' })).toMatchObject({ dlq_depth: 1 })
  })

  test('a queue that becomes fifo has new messages in groups, and its bounds refuse', async () => {
    const world = await createQueues(queues({ q: {} }))
    const worker = await world.worker('f')
    await world.configure(queues({ q: { type: 'fifo', message_group_field: 'k', max_messages: 2 } }))
    expect(await world.enqueue('q', 'f', {})).toMatchObject({ error: { code: 'enqueue_error' } })
    await world.enqueue('q', 'f', { k: 'a', n: 1 })
    await world.enqueue('q', 'f', { k: 'a', n: 2 })
    expect(dataOf(callsOf(worker))).toEqual([{ k: 'a', n: 1 }])
    expect(await world.enqueue('q', 'f', { k: 'b' })).toMatchObject({
      error: { message: expect.stringContaining('2') },
    })
    await world.configure(queues({ q: { type: 'fifo', message_group_field: 'k' } }))
    await world.enqueue('q', 'f', { k: 'b' })
    expect(dataOf(callsOf(worker))).toEqual([{ k: 'b' }])
  })

  test('what topics have without another word holds for triggers that are there; their own stays', async () => {
    const world = await createQueues()
    const worker = await world.worker('usual', 'own')
    await world.bind(worker, 't1', 'durable:subscriber', 'usual', { topic: 't' })
    const own = { topic: 't', queue_config: { concurrency: 1 } }
    await world.bind(worker, 't2', 'durable:subscriber', 'own', own)
    await world.configure({ adapter: { config: { concurrency: 2, mode: 'fifo' } } })
    for (let n = 0; n < 3; n++) await world.publish('t', n)
    const calls = callsOf(worker).map(({ function_id, data }) => [function_id, data])
    // All messages of a topic that is fifo are one group.
    expect(calls.toSorted()).toEqual([
      ['own', 0],
      ['usual', 0],
    ])
    await world.configure({ adapter: { config: { concurrency: 2 } } })
    for (let n = 3; n < 6; n++) await world.publish('t', n)
    const more = callsOf(worker).map(({ function_id, data }) => [function_id, data])
    expect(more).toEqual([['usual', 3]])
  })

  test('what a handler has of a queue that goes may end, and counts', async () => {
    const world = await createQueues(queues({ q: {} }))
    const worker = await world.worker('f')
    await world.enqueue('q', 'f', 1)
    const [call] = callsOf(worker)
    await world.configure(queues({}))
    await world.answer(worker, call)
    expect(await world.done('queue::stats', { queue: 'q' })).toMatchObject({ depth: 0, config: null })
  })

  test('a message that fails after its queue has gone waits, and goes on when the queue is back', async () => {
    const world = await createQueues(queues({ q: { backoff_ms: 10 } }))
    const worker = await world.worker('f')
    await world.enqueue('q', 'f', 1)
    const [call] = callsOf(worker)
    await world.configure(queues({}))
    await world.answer(worker, call, failure())
    await world.pass(1000)
    expect(callsOf(worker)).toEqual([])
    expect(await world.done('queue::messages', { queue: 'q' })).toMatchObject({
      messages: [{ reason: 'not_configured', attempt: 1 }],
    })
    await world.configure(queues({ q: {} }))
    expect(callsOf(worker)).toMatchObject([{ data: 1, metadata: { attempt: 2 } }])
  })

  test('dead messages of a queue that has gone are listed, and wait when they are tried again', async () => {
    const world = await createQueues(queues({ q: { max_retries: 1 } }))
    const worker = await world.worker('f')
    await world.enqueue('q', 'f', 1)
    await world.answer(worker, callsOf(worker)[0], failure())
    await world.configure(queues({}))
    expect(await world.done('engine::queue::dlq_messages', { queue: 'q' })).toMatchObject([{ payload: 1 }])
    expect(await world.done('iii::queue::redrive', { queue: 'q' })).toMatchObject({ redriven: 1 })
    expect(callsOf(worker)).toEqual([])
    await world.configure(queues({ q: {} }))
    expect(dataOf(callsOf(worker))).toEqual([1])
  })
})
