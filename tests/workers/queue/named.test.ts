/** Named queues: calls that go through a queue. */
import { describe, expect, test } from 'bun:test'
import { callsOf, createQueues, dataOf, failure } from './world.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

describe('a call with action enqueue', () => {
  test('is answered with a receipt, and its function is called with the data', async () => {
    const world = await createQueues()
    const worker = await world.worker('pay::process')
    const { result } = await world.enqueue('default', 'pay::process', { n: 1 })
    expect(result).toEqual({ messageReceiptId: expect.stringMatching(UUID) })
    const [call] = callsOf(worker)
    expect(call).toMatchObject({ function_id: 'pay::process', data: { n: 1 } })
    expect(call!.metadata).toEqual({
      message_id: (result as { messageReceiptId: string }).messageReceiptId,
      queue: 'default',
      attempt: 1,
      enqueued_at: expect.any(Number),
      lease_id: expect.any(String),
      lease_until: expect.any(Number),
    })
    await world.answer(worker, call)
    expect(await world.done('engine::queue::topic_stats', { queue: 'default' })).toMatchObject({ depth: 0 })
  })

  test('brings its metadata to the handler, beside what is known of the message', async () => {
    const world = await createQueues()
    const worker = await world.worker('pay::process')
    await world.enqueue('default', 'pay::process', { n: 1 }, { metadata: { tenant: 'a' } })
    expect(worker.hears()).toMatchObject([
      { function_id: 'pay::process', data: { n: 1 }, metadata: { attempt: 1, metadata: { tenant: 'a' } } },
    ])
  })

  test('has its trace restored round the handler, with the function named in the baggage', async () => {
    const world = await createQueues()
    const worker = await world.worker('pay::process')
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await world.enqueue('default', 'pay::process', {}, { traceparent, baggage: 'team=x' })
    const [call] = callsOf(worker)
    expect(String(call!.traceparent)).toContain('0af7651916cd43dd8448eb211c80319c')
    expect(call!.baggage).toContain('team=x')
    expect(call!.baggage).toContain('iii.function.id=')
  })

  test('to a queue that nobody has configured is refused', async () => {
    const world = await createQueues()
    expect(await world.enqueue('other', 'pay::process', {})).toMatchObject({
      error: { code: 'enqueue_error', message: expect.stringContaining("Queue 'other' not found") },
    })
  })

  test('whose function fails comes again after 50, 100 and 200 ms; after 4 attempts it is dead', async () => {
    const world = await createQueues({ queue_configs: { q: { max_retries: 4, backoff_ms: 50 } } })
    const worker = await world.worker('pay::process')
    await world.enqueue('q', 'pay::process', 'x')
    const at: number[] = []
    const begin = world.clock.now()
    for (let ms = 0; ms < 1000; ms += 10) {
      for (const call of callsOf(worker)) {
        at.push(world.clock.now() - begin)
        await world.answer(worker, call, failure(`attempt ${at.length}`))
      }
      await world.pass(10)
    }
    expect(at).toEqual([0, 50, 150, 350])
    const [dead] = await world.done<{ error: string; retries: number }[]>('engine::queue::dlq_messages', {
      topic: 'q',
    })
    expect(dead).toMatchObject({ payload: 'x', retries: 4, error: 'SHOP_CLOSED: attempt 4' })
  })

  test('of a queue with max_retries 0 is tried once', async () => {
    const world = await createQueues({ queue_configs: { q: { max_retries: 0 } } })
    const worker = await world.worker('pay::process')
    await world.enqueue('q', 'pay::process', {})
    await world.answer(worker, callsOf(worker)[0], failure())
    await world.pass(100_000)
    expect(callsOf(worker)).toEqual([])
    expect(await world.done('engine::queue::topic_stats', { queue: 'q' })).toMatchObject({ dlq_depth: 1 })
  })
})

describe('a function that is away', () => {
  test('has its messages parked, with the reason, and no attempt is burned', async () => {
    const world = await createQueues()
    const { result } = await world.enqueue('default', 'pay::process', { n: 1 })
    const message_id = (result as { messageReceiptId: string }).messageReceiptId
    await world.pass(3_600_000)
    expect(await world.done('queue::message', { message_id })).toMatchObject({
      reason: 'no_worker',
      state: 'parked',
      attempt: 0,
    })
    const worker = await world.worker('pay::process')
    worker.hears()
    const late = await world.worker()
    late.hears()
    await world.settled()
    expect(await world.done('queue::message', { message_id })).toMatchObject({ reason: 'leased', attempt: 1 })
  })

  test('is in nobody’s way', async () => {
    const world = await createQueues({ queue_configs: { q: { concurrency: 1 } } })
    const worker = await world.worker('here')
    for (let count = 0; count < 30; count++) await world.enqueue('q', 'away', count)
    await world.enqueue('q', 'here', 'x')
    expect(dataOf(callsOf(worker))).toEqual(['x'])
  })

  test('is a failed attempt where the queue says so', async () => {
    const world = await createQueues({ queue_configs: { q: { missing_function: 'fail', max_retries: 1 } } })
    await world.enqueue('q', 'away', {})
    expect(await world.done('engine::queue::dlq_messages', { topic: 'q' })).toMatchObject([
      { error: expect.stringContaining('function_not_found') },
    ])
  })
})

describe('a worker that dies in the middle of it', () => {
  test('has its messages handed to another one at once, an attempt later', async () => {
    const world = await createQueues()
    const first = await world.worker('pay::process')
    await world.enqueue('default', 'pay::process', 'x')
    expect(callsOf(first)).toHaveLength(1)
    first.leaves()
    await world.settled()
    const other = world.join()
    other.says({ type: 'registerfunction', id: 'pay::process' })
    await world.settled()
    const [call] = callsOf(other)
    expect(call).toMatchObject({ data: 'x', metadata: { attempt: 2 } })
  })
})

describe('the concurrency of a queue', () => {
  test('bounds what its functions have at once, all together', async () => {
    const world = await createQueues({ queue_configs: { q: { concurrency: 2 } } })
    const worker = await world.worker('one', 'other')
    for (const id of ['one', 'other', 'one', 'other']) await world.enqueue('q', id, id)
    const calls = callsOf(worker)
    expect(calls).toHaveLength(2)
    await world.answer(worker, calls[0])
    expect(callsOf(worker)).toHaveLength(1)
  })
})

describe('a hung handler', () => {
  test('keeps its place until the lease is over; its late answer counts no more', async () => {
    const world = await createQueues({
      queue_configs: { q: { lease_ms: 1000, concurrency: 1, backoff_ms: 1 } },
    })
    const worker = await world.worker('slow')
    await world.enqueue('q', 'slow', 'x')
    const [call] = callsOf(worker)
    await world.pass(999)
    expect(callsOf(worker)).toEqual([])
    await world.pass(1)
    await world.pass(1)
    expect(callsOf(worker)).toMatchObject([{ data: 'x', metadata: { attempt: 2 } }])
    await world.answer(worker, call)
    expect(await world.done('engine::queue::topic_stats', { queue: 'q' })).toMatchObject({ depth: 1 })
  })

  test('goes on when it extends its lease', async () => {
    const world = await createQueues({ queue_configs: { q: { lease_ms: 1000 } } })
    const worker = await world.worker('slow')
    await world.enqueue('q', 'slow', 'x')
    const [call] = callsOf(worker)
    const { message_id: id, lease_id } = call!.metadata as Record<string, string>
    await world.pass(900)
    expect(await world.done('queue::extend', { id, lease_id, lease_ms: 5000 })).toMatchObject({ ok: true })
    await world.pass(4999)
    await world.answer(worker, call)
    expect(await world.done('engine::queue::topic_stats', { queue: 'q' })).toMatchObject({ depth: 0 })
  })
})

describe('a fifo queue', () => {
  const config = { queue_configs: { q: { type: 'fifo', message_group_field: 'order', backoff_ms: 50 } } }

  test('has messages of a group in order, groups in parallel, and a failed one is tried again in its place', async () => {
    const world = await createQueues(config)
    const worker = await world.worker('ship')
    for (const [order, step] of [
      ['a', 1],
      ['a', 2],
      ['b', 1],
    ])
      await world.enqueue('q', 'ship', { order, step })
    const calls = callsOf(worker)
    expect(dataOf(calls)).toEqual([
      { order: 'a', step: 1 },
      { order: 'b', step: 1 },
    ])
    await world.answer(worker, calls[0], failure())
    expect(callsOf(worker)).toEqual([])
    await world.pass(51)
    const [again] = callsOf(worker)
    expect(again).toMatchObject({ data: { order: 'a', step: 1 }, metadata: { attempt: 2, group: 'a' } })
    await world.answer(worker, again)
    expect(dataOf(callsOf(worker))).toEqual([{ order: 'a', step: 2 }])
  })

  test('refuses what has no group', async () => {
    const world = await createQueues(config)
    expect((await world.enqueue('q', 'ship', { step: 1 })).error?.message).toContain(
      "requires field 'order' in data, but it was not found",
    )
    expect((await world.enqueue('q', 'ship', { order: null })).error?.message).toContain(
      "field 'order' in data, but it must not be null",
    )
  })

  test('needs to know what a group is', async () => {
    expect(createQueues({ queue_configs: { q: { type: 'fifo' } } })).rejects.toThrow('message_group_field')
  })
})

describe('a queue with a rate', () => {
  test('begins no more messages in a second, and those that wait say so', async () => {
    const world = await createQueues({ queue_configs: { q: { rate_per_second: 10 } } })
    const worker = await world.worker('mail')
    const receipts: string[] = []
    for (let n = 0; n < 25; n++) {
      const { result } = await world.enqueue('q', 'mail', n)
      receipts.push((result as { messageReceiptId: string }).messageReceiptId)
    }
    expect(callsOf(worker)).toHaveLength(1)
    expect(await world.done('queue::message', { message_id: receipts.at(-1) })).toMatchObject({
      reason: 'rate',
    })
    let count = 0
    for (let ms = 0; ms < 2000; ms += 50) {
      await world.pass(50)
      for (const call of callsOf(worker)) {
        count++
        await world.answer(worker, call)
      }
    }
    expect(count).toBeGreaterThanOrEqual(19)
    expect(count).toBeLessThanOrEqual(20)
  })
})

describe('a queue with a maximum', () => {
  test('refuses what is too much', async () => {
    const world = await createQueues({ queue_configs: { q: { max_messages: 2 } } })
    for (const n of [1, 2]) await world.done('queue::push', { queue: 'q', data: n })
    expect((await world.ask('queue::push', { queue: 'q', data: 3 })).error).toMatchObject({
      code: 'queue_full',
      message: expect.stringContaining('The queue "q" has '),
    })
    expect((await world.enqueue('q', 'mail', 3)).error?.message).toContain('queue_full')
  })

  test('or drops the oldest', async () => {
    const world = await createQueues({ queue_configs: { q: { max_messages: 2, lossy: true } } })
    for (const n of [1, 2, 3]) await world.done('queue::push', { queue: 'q', data: n })
    const { messages } = await world.done<{ messages: { data: number }[] }>('queue::pop', {
      queue: 'q',
      max: 9,
    })
    expect(messages.map(({ data }) => data)).toEqual([2, 3])
  })
})

describe('a queue with keys', () => {
  test('has so many of one key under way at once, whatever waits before the others', async () => {
    const config = { concurrency_key_field: 'shop', concurrency_per_key: 2 }
    const world = await createQueues({ queue_configs: { q: config } })
    const worker = await world.worker('sell')
    for (const shop of ['a', 'a', 'a', 'b']) await world.enqueue('q', 'sell', { shop })
    const calls = callsOf(worker)
    expect(dataOf(calls)).toEqual([{ shop: 'a' }, { shop: 'a' }, { shop: 'b' }])
    const { messages } = await world.done<{ messages: object[] }>('queue::messages', {
      queue: 'q',
      state: 'ready',
    })
    expect(messages).toMatchObject([{ reason: 'key', state: 'ready' }])
    await world.answer(worker, calls[0])
    expect(dataOf(callsOf(worker))).toEqual([{ shop: 'a' }])
  })
})
