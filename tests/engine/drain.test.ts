/** The first stage of stopping: work under way may finish, and call for that; nothing new begins. */
import { expect, test } from 'bun:test'
import { answerTo, createWorld, registerFunction } from '../support/world.ts'
import { errorOf } from './support.ts'

test('a call of a worker that executes nothing is refused, plain and through a queue', () => {
  const world = createWorld()
  const [caller, callee, queue] = [world.join(), world.join(), world.join()]
  callee.says(registerFunction('x::f'))
  queue.says(registerFunction('engine::queue::enqueue'))
  world.engine.drain()
  caller.calls('x::f')
  caller.calls('x::f', {}, { action: { type: 'enqueue', queue: 'q' } })
  const [plain, enqueued] = caller.hears()
  expect(errorOf(plain)).toMatchObject({ code: 'engine_stopping' })
  expect(errorOf(enqueued)?.message).toStartWith('engine_stopping: ')
  expect([callee.hears(), queue.hears(), world.engine.callsInFlight()]).toEqual([[], [], 0])
})

test('what was called before is finished, with every call it needs, and then its workers are refused too', () => {
  const world = createWorld()
  const [caller, callee, helper] = [world.join(), world.join(), world.join()]
  callee.says(registerFunction('x::f'))
  helper.says(registerFunction('x::helps'))
  caller.calls('x::f')
  world.engine.drain()
  const [call] = callee.hears()
  callee.calls('x::helps')
  helper.says(answerTo(helper.hears()[0], { result: 1 }))
  expect(callee.hears()).toMatchObject([{ result: 1 }])
  callee.says(answerTo(call, { result: 2 }))
  expect(caller.hears()).toMatchObject([{ result: 2 }])
  callee.calls('x::helps')
  expect(errorOf(callee.hears()[0])).toMatchObject({ code: 'engine_stopping' })
})

test('built-ins call on, and void calls pass', () => {
  const world = createWorld()
  const [caller, callee, builtIn] = [world.join(), world.join(), world.builtIn()]
  callee.says(registerFunction('x::f'))
  world.engine.drain()
  builtIn.calls('x::f')
  caller.calls('x::f', {}, { action: { type: 'void' } })
  expect(callee.hears()).toHaveLength(2)
  expect(world.engine.state.counters.lostVoids).toBe(0)
})

test('that a built-in tells a function which has left already is worth no line', () => {
  const linesOf = (isDraining: boolean): string[] => {
    const world = createWorld()
    const builtIn = world.builtIn()
    if (isDraining) world.engine.drain()
    builtIn.calls('x::gone', {}, { action: { type: 'void' } })
    expect(world.engine.state.counters.lostVoids).toBe(1)
    return world.log.lines.map(({ message }) => message)
  }
  expect(linesOf(false)).toContain('a call that wants no answer was dropped')
  expect(linesOf(true)).not.toContain('a call that wants no answer was dropped')
})
