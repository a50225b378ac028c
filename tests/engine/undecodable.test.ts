/** Messages that could not be read (`docs/protocol/json.md#messages-that-cannot-be-read`). */
import { describe, expect, test } from 'bun:test'
import { answerTo, createWorld, type Puppet, registerFunction, type World } from '../support/world.ts'
import { errorOf } from './support.ts'

const ID = 'c2a40000-0000-4000-8000-000000000001'

function pair(): { world: World; caller: Puppet; callee: Puppet } {
  const world = createWorld()
  const [caller, callee] = [world.join(), world.join()]
  callee.says(registerFunction('x::f'))
  return { world, caller, callee }
}

describe('a call that cannot be read', () => {
  test.each([
    ['bad JSON', `{"type":"invokefunction","invocation_id":"${ID}","function_id":"x::f","data":{]}`],
    ['NaN', `{"function_id":"x::f","invocation_id":"${ID}","data":{"n": NaN},"type":"invokefunction"}`],
    [
      'a number beyond a double',
      `{"type":"invokefunction","invocation_id":"${ID}","function_id":"x::f","data":1e400}`,
    ],
    [
      'half a surrogate pair',
      `{"type":"invokefunction","invocation_id":"${ID}","function_id":"x::f","data":"\\ud800"}`,
    ],
    [
      'a wrong type',
      `{"type":"invokefunction","invocation_id":"${ID}","function_id":"x::f","data":1,"traceparent":7}`,
    ],
    [
      'an unknown action',
      `{"type":"invokefunction","invocation_id":"${ID}","function_id":"x::f","data":1,"action":{"type":"maybe"}}`,
    ],
    [
      'a field twice',
      `{"type":"invokefunction","invocation_id":"${ID}","function_id":"x::f","function_id":"x::g","data":1}`,
    ],
    ['no function', `{"type":"invokefunction","invocation_id":"${ID}","data":1}`],
    [
      'nesting too deep',
      `{"type":"invokefunction","invocation_id":"${ID}","function_id":"x::f","data":${'['.repeat(200)}${']'.repeat(200)}}`,
    ],
  ])('(%s) is answered when its id can be read; the connection goes on', (_, text) => {
    const { world, caller, callee } = pair()
    caller.saysText(text)
    const [answer] = caller.hears()
    expect(answer).toMatchObject({ type: 'invocationresult', invocation_id: ID })
    expect(answer).toHaveProperty('function_id')
    expect(errorOf(answer).code).toBe('deserialization_error')
    expect(errorOf(answer).message).toStartWith('Failed to deserialize input for ')
    expect(callee.hears()).toEqual([])
    expect(world.engine.state.counters.problems).toBe(1)
    caller.says({ type: 'ping' })
    expect(caller.hears()).toEqual([{ type: 'pong' }])
  })

  test('and has no id is dropped in silence', () => {
    const { world, caller } = pair()
    caller.saysText('{"type":"invokefunction","function_id":7,"data":1}')
    expect(caller.hears()).toEqual([])
    expect(world.engine.state.counters.problems).toBe(1)
  })
})

describe('an answer that cannot be read', () => {
  test('ends the call: its caller hears what was wrong with it', () => {
    const { world, caller, callee } = pair()
    const id = caller.calls('x::f', {}, { baggage: 'a=1' })
    const call = callee.hears()[0]
    const { invocation_id } = call!
    callee.saysText(
      `{"type":"invocationresult","invocation_id":"${invocation_id}","function_id":"x::f","result":NaN}`,
    )
    const [answer] = caller.hears()
    expect(answer).toMatchObject({ invocation_id: id, function_id: 'x::f', baggage: 'a=1' })
    expect(errorOf(answer)).toEqual({
      code: 'deserialization_error',
      message:
        'Failed to deserialize the result of x::f: the message is not valid JSON (it contains NaN or Infinity)',
    })
    expect(world.engine.callsInFlight()).toBe(0)
    callee.says(answerTo(call, { result: 1 }))
    expect(caller.hears()).toEqual([])
  })

  test('ends only a call that was sent to its sender', () => {
    const { world, caller, callee } = pair()
    const stranger = world.join()
    const id = caller.calls('x::f')
    stranger.saysText(`{"type":"invocationresult","invocation_id":"${id}","function_id":"x::f","result":NaN}`)
    expect(caller.hears()).toEqual([])
    callee.says(answerTo(callee.hears()[0], { result: 1 }))
    expect(caller.hears()).toMatchObject([{ result: 1 }])
  })
})

test('other messages that cannot be read are dropped in silence, counted by reason, logged now and then', () => {
  const { world } = pair()
  const a = world.join({ name: 'confused' })
  a.saysText('{')
  a.saysText('[]')
  a.saysText('{"type":"registerservices","id":"x"}')
  a.saysText('{"type":"registerfunction"}')
  for (let i = 0; i < 20; i++) a.saysText('{"type":"registerfunction","id":7}')
  a.saysText('')
  a.saysText(' \n')
  expect(a.hears()).toEqual([])
  expect(world.engine.state.connections.get(a.id)?.counters.problems).toEqual({
    invalid_json: 1,
    not_an_object: 1,
    unknown_type: 1,
    missing_field: 1,
    wrong_type: 20,
  })
  const lines = world.log.lines.filter(({ fields }) => fields.worker_name === 'confused')
  expect(lines.map(({ fields }) => [fields.reason, fields.count])).toEqual([
    ['invalid_json', 1],
    ['not_an_object', 1],
    ['unknown_type', 1],
    ['missing_field', 1],
    ['wrong_type', 1],
    ['wrong_type', 10],
  ])
})

test('what a gone connection still says is not looked at', () => {
  const { world, caller } = pair()
  caller.leaves()
  caller.saysText('{')
  expect(world.engine.state.counters.problems).toBe(0)
})
