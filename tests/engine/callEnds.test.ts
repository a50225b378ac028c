/** How calls end other than by their answer, and whose answer counts (`docs/protocol/json.md#how-a-call-ends`). */
import { describe, expect, test } from 'bun:test'
import {
  answerTo,
  createWorld,
  inMsgpack,
  type Puppet,
  registerFunction,
  type World,
} from '../support/world.ts'
import { deliveredAs, errorOf, leftovers } from './support.ts'

const STOPPED = { code: 'invocation_stopped', message: 'Invocation stopped' }
const SAME_ID = 'c2a40000-0000-4000-8000-000000000001'

function pair(): { world: World; caller: Puppet; callee: Puppet } {
  const world = createWorld()
  const [caller, callee] = [world.join(), world.join()]
  callee.says(registerFunction('x::f'))
  return { world, caller, callee }
}

describe('when the executing worker leaves', () => {
  test('every caller hears that the call was stopped, with its own trace headers', () => {
    const { world, caller, callee } = pair()
    const other = world.join()
    const ids = [caller.calls('x::f', {}, { baggage: 'a=1' }), caller.calls('x::f')]
    other.calls('x::f')
    callee.leaves()
    expect(caller.hears()).toEqual([
      {
        type: 'invocationresult',
        invocation_id: ids[0],
        function_id: 'x::f',
        error: STOPPED,
        baggage: 'a=1',
      },
      { type: 'invocationresult', invocation_id: ids[1], function_id: 'x::f', error: STOPPED },
    ])
    expect(other.hears()).toMatchObject([{ error: STOPPED }])
    expect(world.engine.callsInFlight()).toBe(0)
  })

  test('a built-in that called it hears the same', () => {
    const { world, callee } = pair()
    const http = world.builtIn()
    http.calls('x::f')
    callee.leaves()
    expect(http.hears()).toMatchObject([{ error: STOPPED }])
  })

  test('calls of itself are forgotten', () => {
    const { world, caller, callee } = pair()
    callee.calls('x::f')
    callee.leaves()
    caller.leaves()
    expect(leftovers(world)).toEqual({})
  })
})

describe('when the caller leaves', () => {
  test('its calls are forgotten, the executing worker is not told, and its answer is dropped and counted', () => {
    const { world, caller, callee } = pair()
    caller.calls('x::f')
    const [call] = callee.hears()
    caller.leaves()
    expect(world.engine.callsInFlight()).toBe(0)
    callee.says(answerTo(call, { result: 1 }))
    expect(callee.hears()).toEqual([])
    expect(world.engine.state.counters.lateResults).toBe(1)
  })

  test('nothing of its calls stays, wherever they went', () => {
    const { world, caller, callee } = pair()
    const other = world.join()
    other.says(registerFunction('y::g'))
    for (let i = 0; i < 20; i++) caller.calls(i % 2 === 0 ? 'x::f' : 'y::g', {}, { timeout_ms: 5000 + i })
    for (const call of other.hears().slice(3, 7)) other.says(answerTo(call))
    for (const worker of [caller, other, callee]) worker.leaves()
    expect(leftovers(world)).toEqual({})
  })
})

describe('a deadline', () => {
  test('named by the caller ends the call; the answer that comes later is dropped and counted', () => {
    const { world, caller, callee } = pair()
    const id = caller.calls('x::f', {}, { timeout_ms: 1000, baggage: 'a=1' })
    world.clock.advance(999)
    expect(caller.hears()).toEqual([])
    world.clock.advance(51)
    const [answer] = caller.hears()
    expect(answer).toMatchObject({ invocation_id: id, function_id: 'x::f', baggage: 'a=1' })
    expect(errorOf(answer).code).toBe('invocation_timeout')
    expect(errorOf(answer).message).toMatch(/^No answer within 10\d\d ms$/)
    callee.says(answerTo(callee.hears()[0], { result: 1 }))
    expect(caller.hears()).toEqual([])
    expect(world.engine.state.counters).toMatchObject({ timeouts: 1, lateResults: 1, answers: 0 })
    expect(world.engine.callsInFlight()).toBe(0)
  })

  test('does not end a call that was answered in time', () => {
    const { world, caller, callee } = pair()
    caller.calls('x::f', {}, { timeout_ms: 1000 })
    callee.says(answerTo(callee.hears()[0]))
    caller.hears()
    world.clock.advance(10_000)
    expect(caller.hears()).toEqual([])
    expect(world.clock.pending()).toBe(0)
  })

  test('of many calls ends each at its own time', () => {
    const { world, caller } = pair()
    const byTime = [100, 300, 30_000, 200].map(timeout_ms => ({
      timeout_ms,
      id: caller.calls('x::f', {}, { timeout_ms }),
    }))
    const ended: unknown[] = []
    for (let passed = 0; passed < 30_100; passed += 50) {
      world.clock.advance(50)
      ended.push(...caller.hears().map(message => message.invocation_id))
    }
    expect(ended).toEqual(byTime.sort((a, b) => a.timeout_ms - b.timeout_ms).map(({ id }) => id))
  })

  test('is 30 seconds for a built-in that names none', () => {
    const { world } = pair()
    const http = world.builtIn()
    http.calls('x::f')
    world.clock.advance(29_999)
    expect(http.hears()).toEqual([])
    world.clock.advance(60)
    expect(errorOf(http.hears()[0]).code).toBe('invocation_timeout')
  })

  test('has a bound for a worker that names none, and is never later', () => {
    const world = createWorld({ limits: { callAgeMs: 60_000 } })
    const [caller, callee] = [world.join(), world.join()]
    callee.says(registerFunction('x::f'))
    caller.calls('x::f')
    caller.calls('x::f', {}, { timeout_ms: 1e12 })
    world.clock.advance(59_999)
    expect(caller.hears()).toEqual([])
    world.clock.advance(60)
    expect(caller.hears()).toHaveLength(2)
  })
})

describe('a cancelled call', () => {
  test('is forgotten without an answer, and its late answer dropped', () => {
    const { world, caller, callee } = pair()
    const id = caller.calls('x::f')
    caller.says({ type: 'cancelinvocation', invocation_id: id })
    expect(world.engine.callsInFlight()).toBe(0)
    callee.says(answerTo(callee.hears()[0], { result: 1 }))
    expect(caller.hears()).toEqual([])
    expect(world.engine.state.counters.lateResults).toBe(1)
  })

  test('is the own one only: ids of others and unknown ids change nothing', () => {
    const { world, caller, callee } = pair()
    const other = world.join()
    const id = caller.calls('x::f')
    other.says({ type: 'cancelinvocation', invocation_id: id })
    caller.says({ type: 'cancelinvocation', invocation_id: SAME_ID })
    callee.says(answerTo(callee.hears()[0], { result: 1 }))
    expect(caller.hears()).toMatchObject([{ invocation_id: id, result: 1 }])
  })
})

describe('one invocation id used twice', () => {
  test('by two callers: each gets its own answer under the id it chose', () => {
    const { world, caller, callee } = pair()
    const other = world.join()
    for (const worker of [caller, other]) {
      worker.says({ type: 'invokefunction', invocation_id: SAME_ID, function_id: 'x::f', data: {} })
    }
    const calls = callee.hears()
    expect(calls[0]?.invocation_id).toEqual(deliveredAs(SAME_ID))
    expect(calls[1]?.invocation_id).not.toBe(SAME_ID)
    callee.says(answerTo(calls[1], { result: 'second' }), answerTo(calls[0], { result: 'first' }))
    expect(caller.hears()).toMatchObject([{ invocation_id: SAME_ID, result: 'first' }])
    expect(other.hears()).toMatchObject([{ invocation_id: SAME_ID, result: 'second' }])
  })

  test('by one caller for one function: both are answered', () => {
    const { caller, callee } = pair()
    for (let i = 0; i < 2; i++) {
      caller.says({ type: 'invokefunction', invocation_id: SAME_ID, function_id: 'x::f', data: {} })
    }
    for (const call of callee.hears()) callee.says(answerTo(call, { result: 1 }))
    expect(caller.hears().map(message => message.invocation_id)).toEqual([SAME_ID, SAME_ID])
  })

  // A puppet of msgpack knows its calls by their ids.
  test.skipIf(inMsgpack)('by one caller for functions of two workers: both are answered', () => {
    const { world, caller, callee } = pair()
    const second = world.join()
    second.says(registerFunction('y::g'))
    for (const function_id of ['x::f', 'y::g']) {
      caller.says({ type: 'invokefunction', invocation_id: SAME_ID, function_id, data: {} })
    }
    for (const worker of [callee, second]) worker.says(answerTo(worker.hears()[0]))
    expect(caller.hears().map(message => message.function_id)).toEqual(['x::f', 'y::g'])
    expect(world.engine.callsInFlight()).toBe(0)
  })

  test('on purpose, with an id the engine is about to use: nothing is lost', () => {
    const { world, caller, callee } = pair()
    const other = world.join()
    const twice = (id: string): void => {
      for (const worker of [caller, other]) {
        worker.says({ type: 'invokefunction', invocation_id: id, function_id: 'x::f', data: {} })
      }
    }
    twice(SAME_ID)
    const seen = callee.hears()
    const engineId = seen[1]?.invocation_id as string
    const next =
      engineId.slice(0, 24) + (Number.parseInt(engineId.slice(24), 16) + 1).toString(16).padStart(12, '0')
    caller.says({ type: 'invokefunction', invocation_id: next, function_id: 'x::f', data: {} })
    twice(SAME_ID)
    const calls = [...seen, ...callee.hears()]
    expect(new Set(calls.map(call => call.invocation_id)).size).toBe(5)
    for (const call of calls) callee.says(answerTo(call))
    expect(caller.hears()).toHaveLength(3)
    expect(other.hears()).toHaveLength(2)
  })
})

describe('an answer', () => {
  test('from a connection the call was not sent to is dropped and counted; the right one still counts', () => {
    const { world, caller, callee } = pair()
    const stranger = world.join()
    const id = caller.calls('x::f')
    const [call] = callee.hears()
    stranger.says(answerTo(call, { result: 'forged' }))
    caller.says(answerTo(call, { result: 'forged' }))
    expect(caller.hears()).toEqual([])
    callee.says(answerTo(call, { result: 'real' }))
    expect(caller.hears()).toMatchObject([{ invocation_id: id, result: 'real' }])
    expect(world.engine.state.counters.lateResults).toBe(2)
    expect(world.engine.state.connections.get(stranger.id)?.counters.lateResults).toBe(1)
  })

  test('counts once', () => {
    const { world, caller, callee } = pair()
    caller.calls('x::f')
    const [call] = callee.hears()
    callee.says(answerTo(call, { result: 1 }), answerTo(call, { result: 2 }))
    expect(caller.hears()).toMatchObject([{ result: 1 }])
    expect(world.engine.state.counters).toMatchObject({ calls: 1, answers: 1, lateResults: 1 })
  })

  test('to an unknown call is counted, and logged now and then with the name of the worker', () => {
    const { world } = pair()
    const a = world.join({ name: 'confused' })
    for (let i = 0; i < 100; i++) a.says(answerTo({ type: '', invocation_id: SAME_ID, function_id: 'x' }))
    expect(world.engine.state.counters.lateResults).toBe(100)
    expect(world.log.lines.map(({ level, fields }) => [level, fields.worker_name, fields.count])).toEqual([
      ['warn', 'confused', 1],
      ['warn', 'confused', 10],
      ['warn', 'confused', 100],
    ])
  })

  test('of a worker that was given the call while an older connection of it lives goes by connection', () => {
    const { world, caller, callee } = pair()
    caller.calls('x::f')
    const [call] = callee.hears()
    const again = world.connect()
    again.says({ type: 'reattach', previous_worker_id: callee.id, reattach_token: callee.token })
    expect(caller.hears()).toMatchObject([{ error: STOPPED }])
    again.says(answerTo(call, { result: 1 }))
    expect(caller.hears()).toEqual([])
  })
})

// Calls between msgpack links do not pass through `send`.
test.skipIf(inMsgpack)(
  'a call is in the table before it is sent: an answer as fast as can be is not lost',
  () => {
    const { caller, callee } = pair()
    const send = callee.link.send.bind(callee.link)
    callee.link.send = frame => {
      send(frame)
      for (const call of callee.hears()) callee.says(answerTo(call, { result: 'fast' }))
    }
    caller.calls('x::f')
    expect(caller.hears()).toMatchObject([{ result: 'fast' }])
  },
)
