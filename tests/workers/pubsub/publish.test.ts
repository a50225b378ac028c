/** `publish` and `subscribe` (`docs/pubsub.md`). */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import { unregisterFunction, unregisterTrigger } from '../../support/world.ts'
import { answers, callsOf, createPubsub, dataOf } from './support.ts'

describe('a message', () => {
  test('reaches every subscriber of its topic, and nobody else', async () => {
    const world = await createPubsub()
    const [mail, stock] = [world.worker('mail::send'), world.worker('stock::count')]
    await world.subscribe(mail, 't1', 'mail::send', { topic: 'orders.created' })
    await world.subscribe(stock, 't2', 'stock::count', { topic: 'orders.created' })
    await world.subscribe(stock, 't3', 'stock::count', { topic: 'orders.cancelled' })
    expect((await world.publish('orders.created', { id: 7 })).result).toBeUndefined()
    expect(callsOf(mail)).toMatchObject([{ function_id: 'mail::send', data: { id: 7 } }])
    expect(callsOf(stock)).toMatchObject([{ function_id: 'stock::count', data: { id: 7 } }])
  })

  test('is the data of the publisher to the last digit, without the name of the caller', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f')
    await world.subscribe(worker, 't', 'a::f', { topic: 't' })
    const text = '{"n":12345678901234567890, "f":1.0,"k":"\\u00e9"}'
    const publisher = world.join()
    publisher.saysText(
      `{"type":"invokefunction","function_id":"publish","data":{ "data" : ${text} , "topic":"t","more":[1]}}`,
    )
    await world.settled()
    const [sent] = worker.hearsText()
    expect(sent).toContain(`"data":${text}`)
  })

  test.each([null, 5, 'text', [1, 2], true])('may be %p', async data => {
    const world = await createPubsub()
    const worker = world.worker('a::f')
    await world.subscribe(worker, 't', 'a::f', { topic: 't' })
    await world.publish('t', data)
    expect(dataOf(worker)).toEqual([data])
  })

  test('comes twice to a function that has subscribed twice', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f')
    await world.subscribe(worker, 't1', 'a::f', { topic: 't' })
    await world.subscribe(worker, 't2', 'a::f', { topic: 't' })
    await world.publish('t', 1)
    expect(dataOf(worker)).toEqual([1, 1])
  })

  test('brings the metadata of the trigger, its topic and its time, no trace, and how deep it lies', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f')
    const metadata = [
      undefined,
      { team: 'x' },
      { topic: 'own', more: 1 },
      { topic: 1, published_at: 2 },
      'text',
      {},
    ]
    for (const [index, given] of metadata.entries()) {
      await world.subscribe(worker, `t${index}`, 'a::f', { topic: 'a"b' }, { metadata: given })
    }
    const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
    await world.ask('publish', { topic: 'a"b', data: 1 }, { traceparent, baggage: 'user=7' })
    const calls = callsOf(worker)
    const published_at = Math.floor(world.clock.now())
    expect(calls.map(call => call.metadata)).toEqual([
      { topic: 'a"b', published_at },
      { topic: 'a"b', published_at, team: 'x' },
      { topic: 'own', published_at, more: 1 },
      { topic: 1, published_at: 2 },
      'text',
      { topic: 'a"b', published_at },
    ])
    expect(calls[0]).toMatchObject({ baggage: 'iii-depth=1,iii.function.id=a::f' })
    expect(calls[0]).not.toHaveProperty('traceparent')
  })

  test('of one publisher keeps its place among the others', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f')
    await world.subscribe(worker, 't', 'a::f', { topic: 't' })
    await world.subscribe(worker, 'u', 'a::f', { topic: 'u', concurrency: 1000 })
    const publisher = world.join()
    for (let n = 0; n < 200; n++) {
      publisher.says(
        { type: 'invokefunction', function_id: 'publish', data: { topic: 't', data: ['t', n] } },
        { type: 'invokefunction', function_id: 'publish', data: { topic: 'u', data: ['u', n] } },
      )
    }
    await world.settled()
    const calls = dataOf(worker) as [string, number][]
    for (const topic of ['t', 'u']) {
      const numbers = calls.filter(([of]) => of === topic).map(([, n]) => n)
      expect(numbers).toEqual(Array.from({ length: 200 }, (_, n) => n))
    }
  })

  test('tells how many got it when that is asked for', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f')
    await world.subscribe(worker, 't1', 'a::f', { topic: 't' })
    await world.subscribe(worker, 't2', 'a::f', { topic: 't', condition: 'n > 1' })
    const receipt = async (topic: string, data: unknown): Promise<unknown> =>
      (await world.publish(topic, data, { with_receipt: true })).result
    expect(await receipt('t', { n: 2 })).toEqual({ subscribers: 2 })
    expect(await receipt('t', { n: 1 })).toEqual({ subscribers: 1 })
    expect(await receipt('nobody', 1)).toEqual({ subscribers: 0 })
  })
})

test.each([
  [{ topic: '', data: 1 }, 'topic_not_set', 'Topic is not set'],
  [{ data: 1 }, 'deserialization_error', 'Failed to deserialize input for publish: missing field `topic`'],
  [{ topic: 't' }, 'deserialization_error', 'Failed to deserialize input for publish: missing field `data`'],
  [{ topic: 5, data: 1 }, 'deserialization_error', 'expected a string'],
  [{ topic: null, data: 1 }, 'deserialization_error', 'expected a string'],
  [[1], 'deserialization_error', 'expected an object'],
  ['text', 'deserialization_error', 'expected an object'],
  [{ topic: 'x'.repeat(limits.topicLength + 1), data: 1 }, 'topic_too_long', 'characters'],
])('publish refuses what it cannot read: case %#', async (input, code, message) => {
  const world = await createPubsub()
  const { error } = await world.ask('publish', input)
  expect(error?.code).toBe(code)
  expect(error?.message).toContain(message)
})

describe('a subscription', () => {
  test('ends alone', async () => {
    const world = await createPubsub()
    const [one, other] = [world.worker('a::f'), world.worker('b::f')]
    await world.subscribe(one, 't1', 'a::f', { topic: 't' })
    await world.subscribe(other, 't2', 'b::f', { topic: 't' })
    await world.subscribe(other, 't3', 'b::f', { topic: 't' })
    other.says(unregisterTrigger('t3'))
    await world.publish('t', 1)
    expect([dataOf(one), dataOf(other)]).toEqual([[1], [1]])
    one.leaves()
    await world.settled()
    await world.publish('t', 2)
    expect(dataOf(other)).toEqual([2])
    expect(Object.keys(await world.rows())).toEqual(['t2'])
  })

  test('that comes again has its new topic only', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f')
    await world.subscribe(worker, 't', 'a::f', { topic: 'old' })
    await world.subscribe(worker, 't', 'a::f', { topic: 'new' })
    await world.publish('old', 1)
    await world.publish('new', 2)
    expect(dataOf(worker)).toEqual([2])
    expect((await world.rows()).t).toMatchObject({ topic: 'new', delivered: 1 })
  })

  test.each([{}, { topic: '' }, { topic: 5 }, { topic: null }, 'text', [1], null])(
    'without a topic is warned of and never fires: %p',
    async config => {
      const world = await createPubsub()
      const worker = world.worker('a::f')
      expect(await world.subscribe(worker, 't', 'a::f', config)).toBeUndefined()
      expect(world.log.warnings().join()).toContain('topic must be a text that is not empty')
      await world.publish('t', 1)
      expect(dataOf(worker)).toEqual([])
    },
  )

  test.each([
    [{ topic: 't', condition: 'a ==' }, 'condition: Unexpected token: EOF (at character 5)'],
    [{ topic: 't', condition_function_id: 5 }, 'condition_function_id must be'],
    [{ topic: 't', concurrency: 0 }, 'concurrency must be'],
    [{ topic: 't', timeout_ms: 'soon' }, 'timeout_ms must be'],
    [{ topic: 't', group: ' ' }, 'group must be'],
    [{ topic: 'x'.repeat(limits.topicLength + 1) }, 'topic is longer'],
    [{ topic: `${'*.'.repeat(limits.patternParts)}a` }, 'topic is a pattern of 33 parts, the most are 32'],
  ])('is refused: case %#', async (config, why) => {
    const world = await createPubsub()
    const worker = world.worker('a::f')
    const refused = await world.subscribe(worker, 't', 'a::f', config)
    expect(refused?.code).toBe('trigger_registration_failed')
    expect(refused?.message).toContain(why)
  })

  test('with a key that nobody knows is accepted with a warning', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f')
    expect(await world.subscribe(worker, 't', 'a::f', { topic: 't', subject: 1 })).toBeUndefined()
    expect(world.log.warnings().join()).toContain("unknown config key 'subject'")
  })

  test('whose function nobody has drops its messages, and shows how many', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f')
    await world.subscribe(worker, 't', 'a::f', { topic: 't' })
    await world.publish('t', 1)
    worker.says(unregisterFunction('a::f'))
    await world.publish('t', 2)
    await world.publish('t', 3)
    const { t } = await world.rows()
    expect(t).toMatchObject({ delivered: 1, dropped: 2, last_error: 'function_not_found' })
    expect(world.log.warnings()).toContain('an event was not delivered')
  })

  test('whose answers are asked for counts errors and time-outs', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f')
    await world.subscribe(worker, 't', 'a::f', { topic: 't', timeout_ms: 500 })
    for (const n of [1, 2, 3]) await world.publish('t', n)
    const [first, second] = callsOf(worker)
    answers(worker, first, { result: 1 })
    answers(worker, second, { error: { code: 'invocation_failed', message: 'boom' } })
    await world.settled()
    expect((await world.rows()).t).toMatchObject({
      delivered: 1,
      failed: 1,
      waiting: 1,
      last_error: 'invocation_failed: boom',
    })
    world.clock.advance(1000)
    await world.settled()
    const { t } = await world.rows()
    expect(t).toMatchObject({ delivered: 1, failed: 2, waiting: 0 })
    expect(t!.last_error).toStartWith('invocation_timeout')
  })
})

describe('a condition', () => {
  test('that is an expression decides without a call', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f')
    await world.subscribe(worker, 't', 'a::f', { topic: 't', condition: 'status == "pending"' })
    for (const status of ['pending', 'done']) await world.publish('t', { status })
    await world.publish('t', 5)
    expect(dataOf(worker)).toEqual([{ status: 'pending' }])
    expect((await world.rows()).t).toMatchObject({ delivered: 1, skipped: 2, failed: 0 })
  })

  test('that is a function says no with false only', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f', 'a::may')
    await world.subscribe(
      worker,
      't',
      'a::f',
      { topic: 't', condition_function_id: 'a::may' },
      { metadata: 7 },
    )
    for (const outcome of [{ result: true }, { result: false }, { result: 0 }, {}, { result: null }]) {
      await world.publish('t', outcome)
      const [asked] = callsOf(worker)
      expect(asked).toMatchObject({ function_id: 'a::may', data: outcome })
      expect(asked).not.toHaveProperty('metadata')
      answers(worker, asked, outcome)
      await world.settled()
      const ran = callsOf(worker)
      expect(ran.length).toBe(outcome.result === false ? 0 : 1)
      if (ran.length > 0) expect(ran[0]).toMatchObject({ function_id: 'a::f', data: outcome, metadata: 7 })
    }
  })

  test('that fails or is not there keeps the function from running, and shows', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f', 'a::may')
    await world.subscribe(worker, 't', 'a::f', { topic: 't', condition_function_id: 'a::may' })
    await world.subscribe(worker, 'u', 'a::f', { topic: 't', condition_function_id: 'a::nobody' })
    await world.subscribe(worker, 'v', 'a::f', { topic: 't', condition: 'n > "text"' })
    await world.publish('t', { n: 1 })
    const [asked, ...others] = callsOf(worker)
    expect(others).toEqual([])
    answers(worker, asked, { error: { code: 'invocation_failed', message: 'boom' } })
    await world.settled()
    expect(callsOf(worker)).toEqual([])
    const { t, u, v } = await world.rows()
    expect([t!.failed, u!.failed, v!.failed]).toEqual([1, 1, 1])
    expect(u!.last_error).toStartWith('function_not_found')
    expect(world.log.warnings()).toContain('the condition of a trigger failed')
  })

  test('of both kinds needs both', async () => {
    const world = await createPubsub()
    const worker = world.worker('a::f', 'a::may')
    await world.subscribe(worker, 't', 'a::f', {
      topic: 't',
      condition_function_id: 'a::may',
      condition: 'n > 1',
    })
    await world.publish('t', { n: 1 })
    expect(callsOf(worker)).toEqual([])
    await world.publish('t', { n: 2 })
    expect(callsOf(worker)).toMatchObject([{ function_id: 'a::may' }])
  })
})

describe('a handler that publishes what it is called with', () => {
  test('is stopped at the depth of the settings, with an error that says why', async () => {
    const world = await createPubsub({ depth_limit: 5 })
    const worker = world.worker('a::f')
    await world.subscribe(worker, 't', 'a::f', { topic: 't' })
    await world.publish('t', 1)
    const depths: unknown[] = []
    for (let calls = callsOf(worker); calls.length > 0; calls = callsOf(worker)) {
      const baggage = calls[0]?.baggage
      depths.push(baggage)
      // As clients do it: the baggage of a call goes along with the calls its handler makes.
      worker.calls('publish', { topic: 't', data: 1 }, { baggage })
      await world.settled()
    }
    expect(depths.length).toBe(5)
    expect(depths.at(-1)).toBe('iii-depth=5,iii.function.id=a::f')
    expect((await world.rows()).t).toMatchObject({ delivered: 5, dropped: 1 })
    const [line] = world.log.lines.filter(({ level }) => level === 'error')
    expect(line?.fields).toMatchObject({ function_id: 'a::f', trigger_type: 'subscribe' })
    expect(line?.fields.error).toContain('5 are the most')
  })
})

test('the function that settings would be told to is for the engine only', async () => {
  const { engine } = await createPubsub()
  const own = engine.state.directory.functions.byNamespace.get('default')!
  const definition = own.get('iii-pubsub::on-config-change')?.builtIn?.definition
  expect(definition?.metadata as string | undefined).toBe('{"internal":true}')
})
