/** Triggers of type `state` (`docs/state.md#triggers`). */
import { describe, expect, test } from 'bun:test'
import { answerTo, unregisterTrigger } from '../../support/world.ts'
import { callsOf, createState, dataOf, type StateWorld } from './support.ts'

const at = { scope: 'orders', key: 'o1' }
const created = { type: 'state', event_type: 'state:created', ...at, old_value: null, new_value: 1 }

async function open(triggerConfig: unknown = {}, config: unknown = {}) {
  const world = await createState(config)
  const worker = world.worker('target::run')
  const refusal = await world.bind(worker, 't', 'target::run', triggerConfig)
  return { ...world, worker, refusal }
}

test('a mistyped key is named in the log, with the one that was meant, and not each time', async () => {
  const { log, worker, bind, refusal } = await open({ scop: 'orders', ['x'.repeat(200)]: 1 })
  expect(refusal).toBeUndefined()
  for (let times = 2; times < 10; times++) await bind(worker, 't', 'target::run', { scop: 'orders' })
  expect(log.warnings().filter(line => line.includes("'scop'"))).toEqual([
    "state trigger: unknown config key 'scop' has no effect; did you mean 'scope'?",
  ])
})

describe('an event', () => {
  test('says what was written, exactly', async () => {
    const { done, worker, clock } = await open()
    await done('set', { ...at, value: 1 })
    await done('set', { ...at, value: { a: 1 }, ttl_ms: 10 })
    await done('update', { ...at, ops: [{ type: 'increment', path: 'a', by: 1 }] })
    await done('delete', at)
    await done('delete', at)
    expect(dataOf(worker)).toEqual([
      created,
      { ...created, event_type: 'state:updated', old_value: 1, new_value: { a: 1 } },
      { ...created, event_type: 'state:updated', old_value: { a: 1 }, new_value: { a: 2 } },
      { ...created, event_type: 'state:deleted', old_value: { a: 2 }, new_value: null },
      { ...created, event_type: 'state:deleted', old_value: null, new_value: null },
    ])
    clock.advance(1000)
  })

  test('has the values to the last digit', async () => {
    const { join, worker, settled } = await open()
    const value = '{"n":12345678901234567890, "f":1.0}'
    join().saysText(
      `{"type":"invokefunction","function_id":"state::set","data":{"scope":"s","key":"\\u00fc","value":${value}}}`,
    )
    await settled()
    expect(worker.hearsText()[0]).toContain(
      `"data":{"type":"state","event_type":"state:created","scope":"s","key":"ü","old_value":null,"new_value":${value}}`,
    )
  })

  test('is sent when nothing has changed, too, unless only changes are wanted', async () => {
    const world = await open()
    await world.bind(world.worker, 'other', 'target::run', { only_changes: true })
    await world.done('set', { ...at, value: { a: 1, b: 2 } })
    await world.done('set', { ...at, value: { b: 2, a: 1 } })
    await world.done('delete', { ...at, key: 'missing' })
    expect(callsOf(world.worker)).toHaveLength(4)
    await world.done('set', { ...at, value: { a: 1, b: 3 } })
    expect(callsOf(world.worker)).toHaveLength(2)
  })

  test('of a value whose time is over says so', async () => {
    const { done, worker, clock, settled } = await open()
    await done('set', { ...at, value: 1, ttl_ms: 1000 })
    dataOf(worker)
    clock.advance(2000)
    await settled()
    expect(dataOf(worker)).toEqual([
      { ...created, event_type: 'state:deleted', old_value: 1, new_value: null, reason: 'expired' },
    ])
  })

  test('is not sent for what was refused', async () => {
    const { ask, done, worker } = await open()
    await ask('set', { ...at, value: 1, if_version: 5 })
    const operations = [
      { op: 'set', key: 'a', value: 1 },
      { op: 'set', key: 'b', value: 1, if_version: 5 },
    ]
    await ask('batch', { scope: 's', operations })
    await done('get', at)
    expect(callsOf(worker)).toEqual([])
  })

  test('brings the metadata of the trigger', async () => {
    const world = await createState()
    const worker = world.worker('target::run')
    await world.bind(worker, 't', 'target::run', {}, { metadata: { team: 'x' } })
    await world.done('set', { ...at, value: 1 })
    expect(callsOf(worker)).toMatchObject([{ metadata: { team: 'x' } }])
  })
})

describe('events', () => {
  test('come in the order of the writes', async () => {
    const { asks, worker, settled } = await open()
    for (let n = 0; n < 300; n++) asks('set', { scope: 's', key: `k${n % 3}`, value: n })
    await settled()
    expect(dataOf(worker).map(({ new_value }) => new_value)).toEqual(Array.from({ length: 300 }, (_, n) => n))
  })

  test('come one after the other where that is asked for', async () => {
    const { done, worker, says, settled } = await openWithAnswers({ concurrency: 1 })
    for (let n = 0; n < 3; n++) await done('set', { ...at, value: n })
    const seen: unknown[] = []
    for (let n = 0; n < 3; n++) {
      const calls = callsOf(worker)
      expect(calls).toHaveLength(1)
      seen.push((calls[0]!.data as { new_value: number }).new_value)
      says(calls[0]!)
      await settled()
    }
    expect(seen).toEqual([0, 1, 2])
  })

  async function openWithAnswers(config: unknown) {
    const world = await open(config)
    return { ...world, says: (call: Parameters<typeof answerTo>[0]) => world.worker.says(answerTo(call)) }
  }

  test('of a batch come together, in order', async () => {
    const { done, worker } = await open()
    const operations = ['a', 'b', 'a'].map((key, value) => ({ op: 'set', key, value }))
    await done('batch', { scope: 's', operations })
    expect(dataOf(worker).map(({ key, new_value }) => [key, new_value])).toEqual([
      ['a', 0],
      ['b', 1],
      ['a', 2],
    ])
  })
})

describe('a trigger', () => {
  test.each<[unknown, string[]]>([
    [{}, ['a/1', 'a/2', 'b/1', '/1']],
    [null, ['a/1', 'a/2', 'b/1', '/1']],
    [{ scope: null, key: null }, ['a/1', 'a/2', 'b/1', '/1']],
    [{ scope: 'a' }, ['a/1', 'a/2']],
    [{ key: '1' }, ['a/1', 'b/1', '/1']],
    [{ scope: 'a', key: '1' }, ['a/1']],
    [{ scope: '' }, ['/1']],
    [{ scope: 'nobody' }, []],
  ])('with %j hears of %j', async (config, expected) => {
    const { done, worker } = await open(config)
    for (const [scope, key] of [
      ['a', '1'],
      ['a', '2'],
      ['b', '1'],
      ['', '1'],
    ]) {
      await done('set', { scope, key, value: 1 })
    }
    expect(dataOf(worker).map(({ scope, key }) => `${scope}/${key}`)).toEqual(expected)
  })

  test.each([
    [{ scope: 5 }, 'scope must be a text'],
    [{ key: {} }, 'key must be a text'],
    [{ only_changes: 'yes' }, 'only_changes must be true or false'],
    [{ durable: true }, 'durable: true comes with queues'],
    [{ condition: 'new_value ==' }, 'condition:'],
    [{ concurrency: 0 }, 'concurrency must be'],
    [[], 'the config must be an object'],
  ])('with %j is refused', async (config, why) => {
    const { refusal, done, worker } = await open(config)
    expect(refusal).toMatchObject({ code: 'trigger_registration_failed' })
    expect(refusal?.message).toContain(why)
    await done('set', { ...at, value: 1 })
    expect(callsOf(worker)).toEqual([])
  })

  test('that comes again replaces itself, also in another scope', async () => {
    const world = await open({ scope: 'a' })
    await world.bind(world.worker, 't', 'target::run', { scope: 'b' })
    for (const scope of ['a', 'b']) await world.done('set', { scope, key: 'k', value: 1 })
    expect(dataOf(world.worker).map(({ scope }) => scope)).toEqual(['b'])
  })

  test('that comes again and is refused is gone', async () => {
    const world = await open({ scope: 'a' })
    expect(await world.bind(world.worker, 't', 'target::run', { condition: '((' })).toBeDefined()
    await world.done('set', { scope: 'a', key: 'k', value: 1 })
    expect(callsOf(world.worker)).toEqual([])
    expect(await world.bind(world.worker, 't', 'target::run', { scope: 'a' })).toBeUndefined()
    await world.done('set', { scope: 'a', key: 'k', value: 2 })
    expect(callsOf(world.worker)).toHaveLength(1)
  })

  test('that is gone hears nothing', async () => {
    const { done, worker } = await open()
    worker.says(unregisterTrigger('t'))
    await done('set', { ...at, value: 1 })
    expect(callsOf(worker)).toEqual([])
  })

  test('does not fire where triggers are switched off', async () => {
    const { done, worker } = await open({}, { triggers_enabled: false })
    await done('set', { ...at, value: 1 })
    expect(callsOf(worker)).toEqual([])
  })
})

describe('a condition', () => {
  test.each<[string, unknown[]]>([
    ['new_value.status == "pending"', ['pending']],
    ['status == "pending"', ['pending']],
    ['event_type == "state:created"', ['pending']],
    ['has(old_value.status) && old_value.status == "pending"', ['done']],
    ['scope == "elsewhere"', []],
  ])('%s decides', async (condition, expected) => {
    const { done, worker } = await open({ condition })
    await done('set', { ...at, value: { status: 'pending' } })
    await done('set', { ...at, value: { status: 'done' } })
    await done('set', { ...at, value: 5 })
    expect(dataOf(worker).map(({ new_value }) => (new_value as { status: string }).status)).toEqual(
      expected as string[],
    )
  })

  test.each([
    [{ result: false }, 0],
    [{ result: null }, 1],
    [{}, 1],
    [{ error: { code: 'X', message: 'broken' } }, 0],
  ])('that is a function and answers %j', async (outcome, calls) => {
    const world: StateWorld = await createState()
    const worker = world.worker('target::run', 'is::wanted')
    await world.bind(worker, 't', 'target::run', { condition_function_id: 'is::wanted' })
    await world.done('set', { ...at, value: 1 })
    const [asked] = callsOf(worker)
    expect(asked).toMatchObject({ function_id: 'is::wanted', data: created })
    worker.says(answerTo(asked, outcome))
    await world.settled()
    expect(callsOf(worker)).toHaveLength(calls)
  })
})

test('what was delivered and dropped is counted at each trigger', async () => {
  const world = await open({ condition: 'new_value > 1' })
  await world.bind(world.worker, 'lost', 'no::such', {})
  for (const value of [1, 2]) await world.done('set', { ...at, value })
  const id = world.worker.calls('iii-state::triggers', {})
  await world.settled()
  const answer = world.worker.hears().find(({ invocation_id }) => invocation_id === id)
  expect(answer?.result).toMatchObject({
    total: 2,
    triggers: [
      { id: 't', trigger_type: 'state', function_id: 'target::run', delivered: 1, dropped: 0, skipped: 1 },
      { id: 'lost', function_id: 'no::such', delivered: 0, dropped: 2, last_error: 'function_not_found' },
    ],
  })
})

test('a handler that writes what it is called for is stopped after some rounds', async () => {
  const { worker, settled, done, log } = await open({ scope: 'loop' }, { depth_limit: 5 })
  await done('set', { scope: 'loop', key: 'k', value: 0 })
  let rounds = 0
  for (;;) {
    const [call] = callsOf(worker)
    if (call === undefined) break
    rounds++
    expect(rounds).toBeLessThan(100)
    worker.calls('state::set', { scope: 'loop', key: 'k', value: rounds }, { baggage: call.baggage })
    await settled()
  }
  expect(rounds).toBe(5)
  expect(log.lines.some(({ message }) => message.includes('too deep in a chain'))).toBe(true)
})
