/** Settings of queues that are others while messages wait and handlers run. */
import { describe, expect, test } from 'bun:test'
import { registerFunction } from '../../support/world.ts'
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

  test('messages of a queue that is configured again come when their function does', async () => {
    const before = await createQueues(queues({ q: {} }))
    await before.enqueue('q', 'f', 'waits')
    const world = await createQueues(queues({}), await before.kill())
    await world.configure(queues({ q: {} }))
    const worker = await world.worker('another')
    worker.says(registerFunction('f'))
    await world.settled()
    expect(dataOf(callsOf(worker))).toEqual(['waits'])
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

  test('who waits for messages of a queue that goes has them when it is back', async () => {
    const world = await createQueues(queues({ q: { rate_per_second: 1 } }))
    const id = world.caller.calls('queue::pop', { queue: 'q', wait_ms: 60_000 })
    await world.settled()
    await world.configure(queues({}))
    await world.configure(queues({ q: {} }))
    await world.done('queue::push', { queue: 'q', data: 1 })
    expect(world.answerOf(id)).toMatchObject({ result: { messages: [{ data: 1 }] } })
  })

  test('what waits in a queue that is back is there for who waits', async () => {
    const world = await createQueues(queues({ q: {} }))
    await world.done('queue::push', { queue: 'q', data: 1 })
    const popped = await world.done<{ messages: { id: string; lease_id: string }[] }>('queue::pop', {
      queue: 'q',
    })
    const id = world.caller.calls('queue::pop', { queue: 'q', wait_ms: 60_000 })
    await world.configure(queues({}))
    await world.done('queue::release', popped.messages[0])
    expect(world.answerOf(id)).toBeUndefined()
    await world.configure(queues({ q: {} }))
    expect(world.answerOf(id)).toMatchObject({ result: { messages: [{ data: 1 }] } })
  })

  test('a message that its function has when its topic becomes a queue is not handed out again', async () => {
    const world = await createQueues()
    const worker = await world.worker('f')
    await world.bind(worker, 't1', 'queue', 'f', { queue: 't', queue_config: { concurrency: 1 } })
    for (const n of [1, 2]) await world.publish('t', n)
    const [first] = callsOf(worker)
    await world.configure(queues({ t: {} }))
    await world.answer(worker, first)
    const more = callsOf(worker)
    expect(dataOf(more)).toEqual([2])
    for (const call of more) await world.answer(worker, call)
    await world.pass(1_000_000)
    expect(callsOf(worker)).toEqual([])
    expect(await world.done('queue::stats', { queue: 't' })).toMatchObject({ depth: 0, dlq_depth: 0 })
  })

  test('what a function has not handled of a topic that is a queue at the next start goes along', async () => {
    const first = await createQueues()
    const worker = await first.worker('f')
    await first.bind(worker, 't1', 'queue', 'f', { queue: 't' })
    await first.unbind(worker, 't1')
    await first.publish('t', 'for f')
    await first.publish('nobody', 'for whoever comes')
    const second = await createQueues(queues({ t: {}, nobody: {} }), await first.kill())
    const again = await second.worker('f', 'g')
    await second.bind(again, 't1', 'queue', 'f', { queue: 't' })
    await second.bind(again, 't2', 'queue', 'g', { queue: 'nobody' })
    const calls = callsOf(again).map(({ function_id, data }) => [function_id, data])
    expect(calls.toSorted()).toEqual([
      ['f', 'for f'],
      ['g', 'for whoever comes'],
    ])
  })
})
