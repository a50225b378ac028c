/** What happens when a worker does not read (`docs/protocol/json.md#back-pressure`). */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../src/protocol/limits.ts'
import {
  answerTo,
  createWorld,
  inMsgpack,
  type Puppet,
  registerFunction,
  type World,
} from '../support/world.ts'
import { errorOf } from './support.ts'

const HIGH = limits.outboundHighWaterBytes
const OVERLOADED = limits.overloadedBytes

function withSlowWorker(): { world: World; slow: Puppet; feeder: Puppet; neighbour: Puppet } {
  const world = createWorld()
  const [slow, feeder, neighbour] = [world.join(), world.join(), world.join()]
  slow.says(registerFunction('slow::f'))
  neighbour.says(registerFunction('fast::f'))
  return { world, slow, feeder, neighbour }
}

describe('a worker that does not read', () => {
  test('holds back who feeds it, and nobody else', () => {
    const { slow, feeder, neighbour } = withSlowWorker()
    slow.link.unreadBytes = HIGH
    feeder.calls('slow::f')
    neighbour.calls('fast::f')
    expect([feeder, neighbour, slow].map(worker => worker.link.isPaused)).toEqual([true, false, false])
    expect(slow.hears()).toHaveLength(1)
  })

  test('below the high-water mark holds nobody back', () => {
    const { slow, feeder } = withSlowWorker()
    slow.link.unreadBytes = HIGH - 1
    feeder.calls('slow::f')
    expect(feeder.link.isPaused).toBe(false)
  })

  test('lets everyone go on as soon as it has read', () => {
    const { slow, feeder, neighbour } = withSlowWorker()
    slow.link.unreadBytes = HIGH
    feeder.calls('slow::f')
    neighbour.calls('slow::f')
    slow.drains()
    expect([feeder.link.isPaused, neighbour.link.isPaused]).toEqual([false, false])
  })

  test('lets everyone go on after a second, and holds them back again', () => {
    const { world, slow, feeder } = withSlowWorker()
    slow.link.unreadBytes = HIGH
    feeder.calls('slow::f')
    world.clock.advance(limits.stallMs)
    expect(feeder.link.isPaused).toBe(false)
    feeder.calls('slow::f')
    expect(feeder.link.isPaused).toBe(true)
  })

  test('lets everyone go on when it leaves', () => {
    const { world, slow, feeder } = withSlowWorker()
    slow.link.unreadBytes = HIGH
    feeder.calls('slow::f')
    slow.leaves()
    expect(feeder.link.isPaused).toBe(false)
    world.clock.advance(limits.stallMs / 2)
    expect(world.clock.pending()).toBe(0)
  })

  test('its answers is held back itself; the worker that answers goes on', () => {
    const { slow, neighbour } = withSlowWorker()
    slow.calls('fast::f')
    slow.link.unreadBytes = HIGH
    neighbour.says(answerTo(neighbour.hears()[0], { result: 1 }))
    expect([neighbour.link.isPaused, slow.link.isPaused]).toEqual([false, true])
  })

  test('never holds back a built-in, which serves everyone, nor itself', () => {
    const { world, slow } = withSlowWorker()
    const http = world.builtIn()
    slow.link.unreadBytes = HIGH
    http.calls('slow::f')
    slow.calls('slow::f')
    expect([http.link.isPaused, slow.link.isPaused]).toEqual([false, false])
  })

  test.each([['plain'], ['enqueue']])(
    'far behind is not called any more: %s calls are refused at once',
    kind => {
      const { slow, feeder } = withSlowWorker()
      slow.says(registerFunction('engine::queue::enqueue'))
      slow.link.unreadBytes = OVERLOADED
      const isPlain = kind === 'plain'
      feeder.calls('slow::f', {}, isPlain ? {} : { action: { type: 'enqueue', queue: 'q' } })
      expect(slow.hears()).toEqual([])
      const { code, message } = errorOf(feeder.hears()[0])
      expect(isPlain ? code : message).toStartWith('worker_overloaded')
    },
  )

  test('far behind loses void calls, which is counted and logged', () => {
    const { world, slow, feeder } = withSlowWorker()
    slow.link.unreadBytes = OVERLOADED
    feeder.calls('slow::f', {}, { action: { type: 'void' } })
    expect(world.engine.state.counters.lostVoids).toBe(1)
    expect(world.log.lines).toMatchObject([{ level: 'warn', fields: { reason: 'worker_overloaded' } }])
  })
})

// In msgpack nothing is read of a connection that is held back, so it cannot feed the second.
test.skipIf(inMsgpack)('a worker that feeds two slow ones is held back until both have read', () => {
  const { world, slow, feeder, neighbour } = withSlowWorker()
  slow.link.unreadBytes = HIGH
  neighbour.link.unreadBytes = HIGH
  feeder.calls('slow::f')
  feeder.calls('fast::f')
  slow.drains()
  expect(feeder.link.isPaused).toBe(true)
  feeder.calls('fast::f')
  neighbour.drains()
  expect(feeder.link.isPaused).toBe(false)
  expect(world.engine.state.connections.get(feeder.id)?.stalledBy).toBe(0)
})

test('two workers that fill each other both go on after a second', () => {
  const { world, slow, neighbour } = withSlowWorker()
  slow.link.unreadBytes = HIGH
  neighbour.link.unreadBytes = HIGH
  slow.calls('fast::f')
  neighbour.calls('slow::f')
  expect([slow.link.isPaused, neighbour.link.isPaused]).toEqual([true, true])
  world.clock.advance(limits.stallMs)
  expect([slow.link.isPaused, neighbour.link.isPaused]).toEqual([false, false])
})

describe('the calls one connection has in flight', () => {
  const bounded = (): { world: World; caller: Puppet; callee: Puppet } => {
    const world = createWorld({ limits: { callsInFlight: 3 } })
    const [caller, callee] = [world.join(), world.join()]
    callee.says(registerFunction('x::f'))
    return { world, caller, callee }
  }

  test('are bounded; one more is refused until one of them has ended', () => {
    const { caller, callee } = bounded()
    for (let i = 0; i < 3; i++) caller.calls('x::f')
    caller.calls('x::f')
    expect(errorOf(caller.hears()[0])).toEqual({
      code: 'limit_exceeded',
      message: 'This connection has 3 calls in flight; wait for answers before calling again',
    })
    callee.says(answerTo(callee.hears()[0]))
    caller.hears()
    caller.calls('x::f')
    expect(callee.hears()).toHaveLength(1)
    expect(caller.hears()).toEqual([])
  })

  test('do not include void calls', () => {
    const { caller, callee } = bounded()
    for (let i = 0; i < 10; i++) caller.calls('x::f', {}, { action: { type: 'void' } })
    for (let i = 0; i < 3; i++) caller.calls('x::f')
    caller.calls('x::f', {}, { action: { type: 'void' } })
    expect(callee.hears()).toHaveLength(14)
  })

  test('are bounded for each connection by itself, and not for built-ins', () => {
    const { world, caller, callee } = bounded()
    for (let i = 0; i < 3; i++) caller.calls('x::f')
    world.join().calls('x::f')
    const http = world.builtIn()
    for (let i = 0; i < 10; i++) http.calls('x::f')
    expect(callee.hears()).toHaveLength(14)
  })
})

test('a built-in with many calls open: who makes more is held back until it has answered half of them', () => {
  const world = createWorld()
  const builtIn = world.builtIn()
  builtIn.says(registerFunction('built::f'))
  const [feeder, other] = [world.join(), world.join()]
  const most = limits.callsToBuiltIns
  for (let count = 1; count < most; count++) feeder.calls('built::f')
  expect(feeder.link.isPaused).toBe(false)
  feeder.calls('built::f')
  expect([feeder.link.isPaused, other.link.isPaused]).toEqual([true, false])
  const calls = builtIn.hears().filter(frame => frame.type === 'invokefunction')
  for (const call of calls.slice(0, most / 2 - 1)) builtIn.says(answerTo(call))
  expect(feeder.link.isPaused).toBe(true)
  builtIn.says(answerTo(calls.at(-1)))
  expect(feeder.link.isPaused).toBe(false)
})
