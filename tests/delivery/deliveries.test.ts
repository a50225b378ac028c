/** How events reach functions (`docs/delivery.md`). */
import { describe, expect, test } from 'bun:test'
import type { Deliveries, DeliveryOptions } from '../../src/delivery/deliveries.ts'
import { depthOf, withDepth } from '../../src/delivery/depth.ts'
import { toJsonText } from '../../src/protocol/jsonText.ts'
import { createStage } from './stage.ts'

function send(deliveries: Deliveries, ids: readonly string[], value: unknown, baggage?: string): number {
  const subscriptions = ids.map(id => deliveries.get(id)!)
  const cause = { traceparent: undefined, baggage }
  return deliveries.deliver(subscriptions, { data: toJsonText(value), cause })
}

const microtasks = async (): Promise<void> => {
  for (let n = 0; n < 5; n++) await Promise.resolve()
}

describe('triggers whose answers nobody needs', () => {
  test('are told together, in order, each with its metadata', () => {
    const { deliveries, add, told, calls } = createStage()
    add('a')
    add('b')
    expect(send(deliveries, ['a', 'b'], { n: 1 }, 'x=1')).toBe(2)
    expect(calls).toEqual([])
    expect(told.map(({ targets, data }) => [targets, data])).toEqual([
      [
        [
          { functionId: 'f::a', namespace: 'team', metadata: toJsonText({ of: 'a' }) },
          { functionId: 'f::b', namespace: 'team', metadata: toJsonText({ of: 'b' }) },
        ],
        toJsonText({ n: 1 }),
      ],
    ])
    expect(told[0]!.more.baggage).toBe('iii-depth=1,x=1')
  })

  test('count what could not be handed over', () => {
    const { deliveries, add, told, log } = createStage()
    const [a, b] = [add('a'), add('b')]
    send(deliveries, ['a', 'b'], 1)
    told[0]!.more.lost!(1, 'function_not_found')
    expect(a.counters).toMatchObject({ delivered: 1, dropped: 0 })
    expect(b.counters).toMatchObject({ delivered: 0, dropped: 1, lastError: 'function_not_found' })
    expect(log.warnings()).toEqual(['an event was not delivered'])
  })

  test('count what is sent when the engine is gone', () => {
    const { deliveries, add, close } = createStage()
    const a = add('a')
    close()
    send(deliveries, ['a'], 1)
    expect(a.counters).toMatchObject({ delivered: 0, dropped: 1 })
  })
})

describe('a trigger whose answers are waited for', () => {
  test('has its events in order, as many at once as it may', async () => {
    const { deliveries, add, taken } = createStage()
    const a = add('a', { concurrency: 2, timeoutMs: 77 })
    for (let n = 0; n < 5; n++) send(deliveries, ['a'], n)
    const first = taken()
    expect(first.map(({ value, timeoutMs }) => [value, timeoutMs])).toEqual([
      [0, 77],
      [1, 77],
    ])
    expect(a.waiting()).toEqual({ messages: 5, bytes: 5 })
    first[1]!.answer()
    expect(taken().map(({ value }) => value)).toEqual([2])
    first[0]!.answer({ error: { code: 'boom', message: 'no' } })
    const rest = taken()
    expect(rest.map(({ value }) => value)).toEqual([3])
    expect(a.counters).toMatchObject({ delivered: 1, failed: 1, lastError: 'boom: no' })
  })

  test('calls its handler in the order of the events when conditions answer in another', () => {
    const { deliveries, add, taken } = createStage()
    const a = add('a', { conditionFunctionId: 'f::may' })
    for (let n = 0; n < 4; n++) send(deliveries, ['a'], n)
    const asked = taken()
    expect(asked.map(({ functionId, value }) => [functionId, value])).toEqual(
      [0, 1, 2, 3].map(n => ['f::may', n]),
    )
    expect(asked[0]!.metadata).toBeUndefined()
    asked[3]!.answer({ result: true })
    asked[1]!.answer({ result: false })
    asked[2]!.answer({})
    expect(taken()).toEqual([])
    asked[0]!.answer({ result: null })
    expect(taken().map(({ functionId, value }) => [functionId, value])).toEqual(
      [0, 2, 3].map(n => ['f::a', n]),
    )
    expect(a.counters.skipped).toBe(1)
  })

  test('drops what finds no room, and tells of the 1st, 10th, 100th …', () => {
    const { deliveries, add, log, taken } = createStage({ deliveryQueueMessages: 3 })
    const a = add('a', { concurrency: 1 })
    for (let n = 0; n < 103; n++) send(deliveries, ['a'], n)
    expect(a.counters.dropped).toBe(100)
    expect(a.waiting().messages).toBe(3)
    expect(log.lines.map(({ fields }) => fields.count)).toEqual([1, 10, 100])
    for (let [call] = taken(); call !== undefined; [call] = taken()) call.answer()
    expect(a.counters.delivered).toBe(3)
    expect(a.waiting()).toEqual({ messages: 0, bytes: 0 })
  })

  test('has a bound of bytes, which one large event may exceed alone', () => {
    const { deliveries, add } = createStage({ deliveryQueueBytes: 100 })
    const a = add('a', { concurrency: 1 })
    send(deliveries, ['a'], 'x'.repeat(500))
    send(deliveries, ['a'], 'y')
    expect(a.counters.dropped).toBe(1)
    expect(a.waiting().messages).toBe(1)
  })

  test('delays no other', () => {
    const { deliveries, add, taken } = createStage({ deliveryQueueMessages: 2 })
    add('slow', { concurrency: 1 })
    const quick = add('quick', { concurrency: 1 })
    for (let n = 0; n < 50; n++) {
      send(deliveries, ['slow', 'quick'], n)
      for (const call of taken()) if (call.functionId === 'f::quick') call.answer()
    }
    expect(quick.counters).toMatchObject({ delivered: 50, dropped: 0 })
  })

  test('that goes takes with it what waits; its handler may end', async () => {
    const { deliveries, add, taken } = createStage()
    const a = add('a', { concurrency: 1 })
    const b = add('b', { conditionFunctionId: 'f::may' })
    for (let n = 0; n < 3; n++) send(deliveries, ['a', 'b'], n)
    const calls = taken()
    deliveries.remove('a')
    deliveries.remove('b')
    const idle = deliveries.idle()
    for (const call of calls) call.answer({ result: true })
    await idle
    expect(taken()).toEqual([])
    expect(a.counters).toMatchObject({ delivered: 1, dropped: 2 })
    expect(b.counters).toMatchObject({ delivered: 0, dropped: 3 })
    expect(deliveries.deliver([a], { data: toJsonText(1) })).toBe(0)
  })

  test('that comes again goes on counting, with its new options', () => {
    const { deliveries, add, taken, told } = createStage()
    add('a', { concurrency: 1 })
    send(deliveries, ['a'], 1)
    const a = add('a')
    send(deliveries, ['a'], 2)
    expect(told.length).toBe(1)
    taken()[0]!.answer()
    expect(a.counters.delivered).toBe(2)
  })

  test('goes on for thousands of events in a row', () => {
    const { deliveries, add, taken } = createStage()
    const a = add('a', { concurrency: 3 })
    const seen: unknown[] = []
    for (let n = 0; n < 5000; n++) {
      send(deliveries, ['a'], n)
      if (n % 7 === 0)
        for (const call of taken()) {
          seen.push(call.value)
          call.answer()
        }
    }
    for (let calls = taken(); calls.length > 0; calls = taken())
      for (const call of calls) {
        seen.push(call.value)
        call.answer()
      }
    expect(seen).toEqual(Array.from({ length: 5000 }, (_, n) => n))
    expect(a.counters).toMatchObject({ delivered: 5000, dropped: 0 })
  })
})

test('idle waits for the last answer', async () => {
  const { deliveries, add, taken } = createStage()
  await deliveries.idle()
  add('a', { waits: true })
  add('b', { conditionFunctionId: 'f::may' })
  send(deliveries, ['a', 'b'], 1)
  let isIdle = false
  void deliveries.idle().then(() => (isIdle = true))
  const [handler, condition] = taken()
  handler!.answer()
  await microtasks()
  expect(isIdle).toBe(false)
  condition!.answer({ result: true })
  await microtasks()
  expect(isIdle).toBe(false)
  taken()[0]!.answer()
  await microtasks()
  expect(isIdle).toBe(true)
})

describe('the depth of an event', () => {
  test('is one more than that of the call that made it', () => {
    const { deliveries, add, told, calls } = createStage({ deliveryDepth: 3 })
    add('a')
    add('b', { waits: true })
    for (const baggage of [undefined, 'iii-depth=1', 'a=1,iii-depth=2,b=2', 'iii-depth=3'])
      send(deliveries, ['a', 'b'], 1, baggage)
    const expected = ['iii-depth=1', 'iii-depth=2', 'iii-depth=3,a=1,b=2']
    expect(told.map(({ more }) => more.baggage)).toEqual(expected)
    expect(calls.map(({ baggage }) => baggage)).toEqual(expected)
  })

  test('beyond the bound keeps it from everyone, with an error', () => {
    const { deliveries, add, log } = createStage({ deliveryDepth: 3 })
    const a = add('a')
    expect(send(deliveries, ['a'], 1, 'iii-depth=3')).toBe(0)
    expect(a.counters).toMatchObject({ delivered: 0, dropped: 1 })
    expect(log.lines.map(({ level }) => level)).toEqual(['error'])
  })

  test.each([
    [undefined, 0],
    ['', 0],
    ['iii-depth=7', 7],
    [' a=b , iii-depth = 7 ;p=1, c=d', 7],
    ['xiii-depth=7', 0],
    ['iii-depth=x', 0],
    ['iii-depth=99999999999999', 0],
  ])('in %p is %p', (baggage, depth) => {
    expect(depthOf(baggage)).toBe(depth)
    expect(depthOf(withDepth(baggage, 9))).toBe(9)
    expect(withDepth(baggage, 9).match(/iii-depth=9/g)?.length).toBe(1)
  })
})

describe('who has delivered an event is told once how it ended', () => {
  function deliver(options: DeliveryOptions, limits: Parameters<typeof createStage>[0] = {}) {
    const stage = createStage(limits)
    const subscription = stage.add('a', { waits: true, ...options })
    const endings: unknown[] = []
    const over = (_: unknown, ending: unknown): void => void endings.push(ending)
    const go = () => stage.deliveries.deliver([subscription], { data: toJsonText({ n: 1 }), over })
    go()
    return { ...stage, endings, go }
  }
  const error = { code: 'nope', message: 'no' }

  test('with its answer', () => {
    const { calls, endings } = deliver({})
    expect(endings).toEqual([])
    calls[0]!.answer({ result: { ok: 1 } })
    expect(endings).toEqual([{ kind: 'delivered', result: '{"ok":1}' }])
  })
  test('with its error', () => {
    const { calls, endings } = deliver({})
    calls[0]!.answer({ error })
    expect(endings).toEqual([{ kind: 'failed', of: 'handler', error }])
  })
  test('because a condition said no, or failed', () => {
    const byFunction = deliver({ conditionFunctionId: 'may' })
    byFunction.calls[0]!.answer({ result: false })
    byFunction.go()
    byFunction.calls[1]!.answer({ error })
    expect(byFunction.endings).toEqual([{ kind: 'skipped' }, { kind: 'failed', of: 'condition', error }])
    const byExpression = deliver({ condition: { text: 'no', holds: () => 'skip' } })
    expect(byExpression.endings).toEqual([{ kind: 'skipped' }])
  })
  test('because there was no room, or its trigger has gone', () => {
    const { deliveries, calls, endings, go } = deliver({ concurrency: 1 }, { deliveryQueueMessages: 2 })
    go()
    go()
    expect(endings).toEqual([{ kind: 'dropped', why: '2 events wait for it already' }])
    deliveries.remove('a')
    go()
    calls[0]!.answer()
    const gone = { kind: 'dropped', why: 'the trigger is gone' }
    expect(endings.slice(1)).toEqual([gone, gone, { kind: 'delivered', result: undefined }])
  })
})
