/** How far a message is, and what became of it, for whoever has pushed it. */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import { callsOf, createQueues, failure, type QueueWorld } from './world.ts'

async function push(world: QueueWorld, more: object = {}): Promise<string> {
  const { messageReceiptId } = await world.done<{ messageReceiptId: string }>('queue::push', {
    queue: 'default',
    function_id: 'count',
    data: 'x',
    result: true,
    ...more,
  })
  return messageReceiptId
}

describe('queue::result', () => {
  test('gives what the handler has returned, to who waits for it as to who asks later', async () => {
    const world = await createQueues()
    const worker = await world.worker('count')
    const message_id = await push(world)
    expect(await world.done('queue::result', { message_id })).toEqual({
      message_id,
      state: 'waiting',
      reason: 'leased',
    })
    const asked = world.caller.calls('queue::result', { message_id, wait_ms: 10_000 })
    await world.settled()
    expect(world.answerOf(asked)).toBeUndefined()
    await world.answer(worker, callsOf(worker)[0], { result: { n: 7 } })
    const done = { message_id, state: 'done', result: { n: 7 } }
    expect(world.answerOf(asked)).toMatchObject({ result: done })
    expect(await world.done('queue::result', { id: message_id, wait_ms: 10_000 })).toMatchObject(done)
  })

  test('gives the error of a message that is dead', async () => {
    const world = await createQueues({ queue_configs: { default: { max_retries: 1 } } })
    const worker = await world.worker('count')
    const message_id = await push(world)
    const asked = world.caller.calls('queue::result', { message_id, wait_ms: 10_000 })
    await world.settled()
    await world.answer(worker, callsOf(worker)[0], failure('no ink'))
    expect(world.answerOf(asked)).toMatchObject({
      result: { state: 'dead', error: { code: 'SHOP_CLOSED', message: 'no ink' }, attempts: 1 },
    })
  })

  test('says how it stands when the time is over', async () => {
    const world = await createQueues()
    const message_id = await push(world)
    const asked = world.caller.calls('queue::result', { message_id, wait_ms: 1000 })
    await world.settled()
    await world.pass(1000)
    expect(world.answerOf(asked)).toMatchObject({ result: { state: 'waiting', reason: 'no_worker' } })
  })

  test('of a message that is cancelled meanwhile says that there is none', async () => {
    const world = await createQueues()
    const message_id = await push(world)
    const asked = world.caller.calls('queue::result', { message_id, wait_ms: 1000 })
    await world.settled()
    await world.done('queue::cancel', { message_id })
    expect(world.answerOf(asked)).toMatchObject({ error: { code: 'NOT_FOUND' } })
  })

  test('of a message whose result was not asked for says so', async () => {
    const world = await createQueues()
    const worker = await world.worker('count')
    const message_id = await push(world, { result: false })
    await world.answer(worker, callsOf(worker)[0], { result: 1 })
    expect((await world.ask('queue::result', { message_id })).error).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('result: true'),
    })
  })

  test('of one that is too large says how large it was', async () => {
    const world = await createQueues()
    const worker = await world.worker('count')
    const message_id = await push(world)
    await world.answer(worker, callsOf(worker)[0], { result: 'x'.repeat(limits.queueResultBytes) })
    expect(await world.done('queue::result', { message_id })).toMatchObject({
      state: 'done',
      error: { code: 'RESULT_TOO_LARGE' },
    })
  })

  test('is kept as long as the queue says', async () => {
    const world = await createQueues({ queue_configs: { default: { result_ms: 5000 } } })
    const worker = await world.worker('count')
    const message_id = await push(world)
    await world.answer(worker, callsOf(worker)[0], { result: 1 })
    await world.pass(4999)
    expect(await world.done('queue::result', { message_id })).toMatchObject({ result: 1 })
    await world.pass(1)
    expect((await world.ask('queue::result', { message_id })).error?.code).toBe('NOT_FOUND')
  })

  test('of who takes messages is what it says when it is done', async () => {
    const world = await createQueues()
    const message_id = await push(world, { function_id: undefined })
    const { messages } = await world.done<{ messages: { id: string; lease_id: string }[] }>('queue::pop', {
      queue: 'default',
    })
    const { id, lease_id } = messages[0]!
    await world.done('queue::ack', { id, lease_id, result: [1, 2] })
    expect(await world.done('queue::result', { message_id })).toMatchObject({ result: [1, 2] })
  })

  test('is for named queues, and for messages that nothing takes the place of', async () => {
    const world = await createQueues()
    const topic = await world.ask('queue::push', { topic: 'news', data: 1, result: true })
    expect(topic.error).toMatchObject({ code: 'queue_not_found', message: expect.stringContaining('result') })
    const input = { queue: 'default', data: 1, result: true, debounce_key: 'k', debounce_ms: 5 }
    expect((await world.ask('queue::push', input)).error?.code).toBe('deserialization_error')
  })
})

describe('queue::progress', () => {
  test('is shown with the message, until the message is gone', async () => {
    const world = await createQueues()
    const worker = await world.worker('count')
    const message_id = await push(world)
    const [call] = callsOf(worker)
    const { lease_id } = call!.metadata as { lease_id: string }
    for (const percent of [10, 20])
      expect(await world.done('queue::progress', { lease_id, progress: { percent } })).toEqual({ ok: true })
    const shown = { progress: { percent: 20 }, progress_at: expect.any(Number) }
    expect(await world.done('queue::message', { message_id })).toMatchObject({ reason: 'leased', ...shown })
    expect(await world.done('queue::result', { message_id })).toMatchObject({ state: 'waiting', ...shown })
    await world.answer(worker, call, { result: null })
    expect((await world.ask('queue::progress', { lease_id, progress: 3 })).error?.code).toBe('lease_over')
  })

  test('is refused to who has no lease of the message, and when it is too large', async () => {
    const world = await createQueues()
    const worker = await world.worker('count')
    await push(world)
    const { lease_id } = callsOf(worker)[0]!.metadata as { lease_id: string }
    const ask = (input: object) => world.ask('queue::progress', { progress: 1, lease_id, ...input })
    expect((await ask({ message_id: 'another' })).error?.code).toBe('lease_over')
    expect((await ask({ progress: 'x'.repeat(limits.queueProgressBytes) })).error?.code).toBe(
      'deserialization_error',
    )
  })
})
