/** Messages for whoever takes them. */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import { createQueues, type QueueWorld } from './world.ts'

interface Popped {
  readonly id: string
  readonly data: unknown
  readonly attempt: number
  readonly lease_id: string
  readonly lease_until: number
}

async function pop(world: QueueWorld, more: object = {}): Promise<Popped[]> {
  const { messages } = await world.done<{ messages: Popped[] }>('queue::pop', { queue: 'default', ...more })
  return messages
}

describe('queue::push and queue::pop', () => {
  test('a message waits for whoever takes it, and is done when that is said', async () => {
    const world = await createQueues()
    const { messageReceiptId } = await world.done<{ messageReceiptId: string }>('queue::push', {
      queue: 'default',
      data: { n: 1 },
      metadata: { by: 'ada' },
    })
    const [message] = await pop(world)
    expect(message).toMatchObject({
      id: messageReceiptId,
      data: { n: 1 },
      attempt: 1,
      metadata: { by: 'ada' },
      queue: 'default',
    })
    expect(await pop(world)).toEqual([])
    const { id, lease_id } = message!
    expect(await world.done('queue::ack', { id, lease_id })).toEqual({ ok: true })
    expect((await world.ask('queue::ack', { id, lease_id })).error?.code).toBe('lease_over')
  })

  test('many at once', async () => {
    const world = await createQueues()
    const messages = [1, 2, 3].map(data => ({ data }))
    const { receipts } = await world.done<{ receipts: object[] }>('queue::push', {
      queue: 'default',
      messages,
    })
    expect(receipts).toHaveLength(3)
    const popped = await pop(world, { max: 10 })
    expect(popped.map(({ data }) => data)).toEqual([1, 2, 3])
    const ends = popped.map(({ id, lease_id }) => ({ id, lease_id }))
    expect(
      await world.done('queue::ack', { messages: [...ends, { id: 'x', lease_id: 'nobody’s' }] }),
    ).toMatchObject({ results: [{ ok: true }, { ok: true }, { ok: true }, { ok: false }] })
  })

  test('messages that are due are taken one by one, while another one has become due since', async () => {
    const world = await createQueues()
    for (const delay_ms of [10, 10, 10, 20])
      await world.done('queue::push', { queue: 'default', data: delay_ms, delay_ms })
    const taken: unknown[] = []
    for (let round = 0; round < 4; round++) {
      await world.pass(15)
      taken.push(...(await pop(world)).map(({ data }) => data))
    }
    expect(taken).toEqual([10, 10, 10, 20])
  })

  test('no more at once than an answer can hold, and what it does not hold is nobody’s', async () => {
    const world = await createQueues()
    const data = 'x'.repeat(limits.queuePortionLength / 2 - 2)
    for (let count = 0; count < 3; count++) await world.done('queue::push', { queue: 'default', data })
    expect(await pop(world, { max: 10 })).toHaveLength(2)
    expect(await world.done('queue::stats', { queue: 'default' })).toMatchObject({ depth: 3, leased: 2 })
    expect(await pop(world, { max: 10 })).toMatchObject([{ attempt: 1 }])
  })

  test('one for the end of time can be listed and purged', async () => {
    const world = await createQueues()
    const far = Number.MAX_SAFE_INTEGER
    await world.done('queue::push', { queue: 'default', data: 1, delay_ms: far })
    await world.done('queue::push', {
      queue: 'default',
      data: 2,
      run_at: far,
      dedupe_key: 'x',
      dedupe_window_ms: far,
    })
    const { messages } = await world.done<{ messages: object[] }>('queue::messages', { queue: 'default' })
    expect(messages).toMatchObject([{ reason: 'scheduled' }, { reason: 'scheduled' }])
    expect(await world.done('queue::purge', { queue: 'default' })).toMatchObject({ purged: 2 })
  })

  test('a queue as it is called in lists of dead messages is the same queue', async () => {
    const world = await createQueues()
    await world.done('queue::push', { queue: '__fn_queue::default', data: 1 })
    expect(await pop(world)).toMatchObject([{ data: 1, queue: 'default' }])
  })

  test('metadata that is too large is refused, as data is', async () => {
    const world = await createQueues()
    const metadata = 'x'.repeat(limits.valueBytes)
    const { error } = await world.ask('queue::push', { queue: 'default', data: 1, metadata })
    expect(error).toMatchObject({ code: 'VALUE_TOO_LARGE', message: expect.stringContaining('metadata') })
  })

  test('one that is given back has its error and comes again when it says', async () => {
    const world = await createQueues()
    await world.done('queue::push', { queue: 'default', data: 'x' })
    const [{ id, lease_id }] = (await pop(world)) as [Popped]
    expect(await world.done('queue::nack', { id, lease_id, error: 'no ink', delay_ms: 500 })).toEqual({
      ok: true,
      dead: false,
    })
    expect(await world.done('queue::message', { message_id: id })).toMatchObject({
      reason: 'backing_off',
      attempts: [{ message: 'no ink' }],
    })
    await world.pass(501)
    expect(await pop(world)).toMatchObject([{ data: 'x', attempt: 2 }])
  })

  test('who waits is told at once', async () => {
    const world = await createQueues()
    const asked = world.caller.calls('queue::pop', { queue: 'default', wait_ms: 10_000 })
    await world.settled()
    expect(world.answerOf(asked)).toBeUndefined()
    await world.done('queue::push', { queue: 'default', data: 'x' })
    await world.settled()
    expect(world.answerOf(asked)).toMatchObject({ result: { messages: [{ data: 'x' }] } })
  })

  test('and waits no longer than it says', async () => {
    const world = await createQueues()
    const asked = world.caller.calls('queue::pop', { queue: 'default', wait_ms: 1000 })
    await world.settled()
    await world.pass(1000)
    expect(world.answerOf(asked)).toMatchObject({ result: { messages: [] } })
  })

  test('what a worker has taken that is gone comes again at once', async () => {
    const world = await createQueues()
    await world.done('queue::push', { queue: 'default', data: 'x' })
    const dead = world.join()
    dead.calls('queue::pop', { queue: 'default' })
    await world.settled()
    expect(await pop(world)).toEqual([])
    // As `engine::workers-available` tells it.
    await world.ask('iii-queue::on-worker-change', { event: 'worker_disconnected', worker_id: dead.id })
    expect(await pop(world)).toMatchObject([{ data: 'x', attempt: 2 }])
  })

  test('a lease that is over is over, and one that is extended goes on', async () => {
    const world = await createQueues()
    await world.done('queue::push', { queue: 'default', data: 'x' })
    const [{ id, lease_id }] = (await pop(world, { lease_ms: 1000 })) as [Popped]
    expect(await world.done('queue::extend', { id, lease_id, lease_ms: 3000 })).toMatchObject({ ok: true })
    await world.pass(2999)
    expect(await world.done('queue::release', { id, lease_id })).toEqual({ ok: true })
    const [again] = await pop(world, { lease_ms: 10 })
    expect(again!.attempt).toBe(1)
    await world.pass(10)
    expect((await world.ask('queue::ack', { id, lease_id: again!.lease_id })).error?.code).toBe('lease_over')
  })

  test('auto_ack: at most once', async () => {
    const world = await createQueues()
    await world.done('queue::push', { queue: 'default', data: 'x' })
    expect(await pop(world, { auto_ack: true })).toHaveLength(1)
    expect(await world.done('queue::stats', { queue: 'default' })).toMatchObject({ depth: 0 })
  })

  test('the same key within its window is the same message', async () => {
    const world = await createQueues()
    const push = { queue: 'default', data: 1, dedupe_key: 'k', dedupe_window_ms: 1000 }
    const first = await world.done<object>('queue::push', push)
    expect(await world.done('queue::push', push)).toEqual({ ...first, duplicate: true })
    await world.pass(1001)
    expect(await world.done<object>('queue::push', push)).not.toHaveProperty('duplicate')
  })

  test('a key outlasts its message, whatever function the second push names', async () => {
    const world = await createQueues()
    const push = { queue: 'default', data: 1, dedupe_key: 'k' }
    const first = await world.done<{ messageReceiptId: string }>('queue::push', push)
    const cancelled = await world.done('queue::cancel', { message_id: first.messageReceiptId })
    expect(cancelled).toMatchObject({ cancelled: 1 })
    const again = { ...push, function_id: 'app::other' }
    expect(await world.done('queue::push', again)).toEqual({ ...first, duplicate: true })
    expect(await world.done('queue::stats', { queue: 'default' })).toMatchObject({ depth: 0 })
  })

  test('debounce: the last message of a key comes, when there was none for a time', async () => {
    const world = await createQueues()
    for (const data of ['a', 'b', 'c']) {
      await world.done('queue::push', { queue: 'default', data, debounce_key: 'k', debounce_ms: 100 })
      await world.pass(90)
      expect(await pop(world)).toEqual([])
    }
    await world.pass(11)
    const [message, ...others] = await pop(world)
    expect(message!.data).toBe('c')
    expect(others).toEqual([])
    // While somebody has it, another one begins anew.
    await world.done('queue::push', { queue: 'default', data: 'd', debounce_key: 'k', debounce_ms: 100 })
    const { id, lease_id } = message!
    await world.ask('queue::nack', { id, lease_id })
    await world.pass(101)
    expect(await pop(world)).toMatchObject([{ data: 'd', attempt: 1 }])
  })

  test('delay_ms and run_at', async () => {
    const world = await createQueues()
    await world.done('queue::push', { queue: 'default', data: 'soon', delay_ms: 100 })
    await world.done('queue::push', {
      queue: 'default',
      data: 'later',
      run_at: Math.floor(world.clock.now()) + 200,
    })
    expect(await pop(world)).toEqual([])
    await world.pass(101)
    expect(await pop(world)).toMatchObject([{ data: 'soon' }])
    await world.pass(101)
    expect(await pop(world)).toMatchObject([{ data: 'later' }])
  })
})

describe('what the functions of queues do not know', () => {
  const refusal = async (world: QueueWorld, id: string, input: object) => (await world.ask(id, input)).error

  test('is refused, with the nearest name, and nothing is done', async () => {
    const world = await createQueues()
    const refused = async (id: string, input: object, why: string) =>
      expect(await refusal(world, id, input)).toMatchObject({
        code: 'deserialization_error',
        message: expect.stringContaining(`${id}: ${why}`),
      })
    const push = { queue: 'default', data: 1 }
    await refused('queue::push', { ...push, delay: 2000 }, 'unknown field `delay`; did you mean `delay_ms`?')
    await refused(
      'queue::push',
      { ...push, function: 'f' },
      'unknown field `function`; did you mean `function_id`?',
    )
    await refused(
      'queue::push',
      { ...push, dedupKey: 'f' },
      'unknown field `dedupKey`; did you mean `dedupe_key`?',
    )
    await refused(
      'queue::push',
      { messages: [{ ...push, delayMs: 1 }] },
      'messages[0]: unknown field `delayMs`;',
    )
    await refused(
      'queue::ack',
      { messages: [{ id: 'm', lease: 'l' }] },
      'messages[0]: unknown field `lease`;',
    )
    await refused('queue::pause', { name: 'default' }, 'unknown field `name`; known are queue, topic')
    await refused(
      'queue::pop',
      { queue: 'default', count: 1 },
      'unknown field `count`; known are queue, topic, max',
    )
    expect(await world.done('queue::stats', { queue: 'default' })).toMatchObject({ depth: 0 })
  })

  test('beside many messages is refused, too', async () => {
    const world = await createQueues()
    const messages = [{ data: 1 }]
    for (const more of [{ metadata: {} }, { data: 1 }, { result: true }])
      expect(await refusal(world, 'queue::push', { queue: 'default', messages, ...more })).toMatchObject({
        message: expect.stringContaining('does not go with `messages`'),
      })
    expect(await refusal(world, 'queue::ack', { id: 'm', messages: [] })).toMatchObject({
      message: expect.stringContaining('field `id` does not go with `messages`'),
    })
  })

  test('passes by where the function is not of ours alone', async () => {
    const world = await createQueues()
    await world.done('iii::durable::publish', { topic: 't', data: 1, other: 1 })
    await world.done('engine::queue::topic_stats', { topic: 't', other: 1 })
    expect(await world.done('iii::queue::redrive', { queue: 't', other: 1 })).toMatchObject({ redriven: 0 })
  })

  test('a run_at that must be seconds is refused, with what to write', async () => {
    const world = await createQueues()
    await world.pass(1e9)
    const push = { queue: 'default', data: 1 }
    const seconds = Math.floor(world.clock.now() / 1000)
    expect(await refusal(world, 'queue::push', { ...push, run_at: seconds })).toMatchObject({
      code: 'deserialization_error',
      message: expect.stringContaining(
        `\`run_at\`: ${seconds} milliseconds since 1970 are over long ago; if they are seconds, write ${seconds}000`,
      ),
    })
    await world.done('queue::push', { ...push, run_at: 0 })
    await world.done('queue::push', { ...push, run_at: Math.floor(world.clock.now()) - 9e8 })
    expect(await pop(world, { max: 5 })).toHaveLength(2)
  })
})

describe('control', () => {
  test('a queue that is paused hands out nothing, also after a restart, and says so', async () => {
    const world = await createQueues()
    const { messageReceiptId } = await world.done<Record<string, string>>('queue::push', {
      queue: 'default',
      data: 1,
    })
    await world.done('queue::pause', { queue: 'default' })
    expect(await pop(world)).toEqual([])
    const next = await createQueues({}, await world.kill())
    expect(await pop(next)).toEqual([])
    expect(await next.done('queue::message', { message_id: messageReceiptId })).toMatchObject({
      reason: 'paused',
      state: 'parked',
    })
    await next.done('queue::resume', { queue: 'default' })
    expect(await pop(next)).toHaveLength(1)
  })

  test('who waits is told when a queue goes on', async () => {
    const world = await createQueues()
    await world.done('queue::pause', { queue: 'default' })
    await world.done('queue::push', { queue: 'default', data: 'x' })
    const asked = world.caller.calls('queue::pop', { queue: 'default', wait_ms: 10_000 })
    await world.settled()
    expect(world.answerOf(asked)).toBeUndefined()
    await world.done('queue::resume', { queue: 'default' })
    await world.settled()
    expect(world.answerOf(asked)).toMatchObject({ result: { messages: [{ data: 'x' }] } })
  })

  test('purge removes all, or those of one state; cancel one', async () => {
    const world = await createQueues()
    const push = (more: object = {}) =>
      world.done<Record<string, string>>('queue::push', { queue: 'default', data: 1, ...more })
    await push()
    await push({ delay_ms: 1000 })
    const { messageReceiptId: message_id } = await push()
    expect(await world.done('queue::cancel', { message_id })).toEqual({ message_id, cancelled: 1 })
    expect((await world.ask('queue::message', { message_id })).error?.code).toBe('NOT_FOUND')
    expect(await world.done('queue::purge', { queue: 'default', state: 'delayed' })).toMatchObject({
      purged: 1,
    })
    expect(await world.done('queue::purge', { queue: 'default' })).toMatchObject({ purged: 1 })
    expect(await world.done('queue::stats', { queue: 'default' })).toMatchObject({ depth: 0 })
  })

  test('a message that is cancelled while somebody has it is gone, whatever that one says', async () => {
    const world = await createQueues()
    await world.done('queue::push', { queue: 'default', data: 1 })
    const [{ id, lease_id }] = (await pop(world)) as [Popped]
    await world.done('queue::cancel', { message_id: id })
    await world.ask('queue::nack', { id, lease_id })
    expect(await world.done('queue::stats', { queue: 'default' })).toMatchObject({ depth: 0, dlq_depth: 0 })
  })

  test('every message names its reason', async () => {
    const world = await createQueues()
    const push = (data: string, more: object = {}) =>
      world.done('queue::push', { queue: 'default', data, ...more })
    await push('leased', { group: 'g' })
    await push('behind', { group: 'g' })
    await pop(world)
    await push('later', { delay_ms: 1000 })
    await push('next')
    await push('away', { function_id: 'nobody' })
    const { messages } = await world.done<{ messages: { data: string; reason: string }[] }>(
      'queue::messages',
      { queue: 'default', with_data: true },
    )
    expect(Object.fromEntries(messages.map(({ data, reason }) => [data, reason]))).toEqual({
      leased: 'leased',
      behind: 'predecessor',
      later: 'scheduled',
      next: 'ready',
      away: 'no_worker',
    })
    const page = { queue: 'default', state: 'ready', limit: 1 }
    const seen: string[] = []
    for (let cursor: string | undefined; ; ) {
      const result = await world.done<{ messages: { data: string }[]; cursor?: string }>('queue::messages', {
        ...page,
        with_data: true,
        cursor,
      })
      seen.push(...result.messages.map(({ data }) => data))
      cursor = result.cursor
      if (cursor === undefined) break
    }
    expect(seen).toEqual(['next'])
  })
})
