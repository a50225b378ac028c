/** The way of a call from its caller to the function and back (`docs/protocol/json.md#calls`). */
import { describe, expect, test } from 'bun:test'
import {
  answerTo,
  createWorld,
  inMsgpack,
  type Message,
  type Puppet,
  registerFunction,
  type World,
} from '../support/world.ts'
import { deliveredAs, errorOf } from './support.ts'

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

function pair(): { world: World; caller: Puppet; callee: Puppet } {
  const world = createWorld()
  const [caller, callee] = [world.join(), world.join()]
  callee.says(registerFunction('x::f'))
  return { world, caller, callee }
}

describe('a plain call', () => {
  test('reaches the function with the caller named in its data, and its answer comes back', () => {
    const { caller, callee } = pair()
    const id = caller.calls('x::f', { n: 1 })
    const heard = callee.hears()
    expect(heard).toEqual([
      {
        type: 'invokefunction',
        invocation_id: deliveredAs(id),
        function_id: 'x::f',
        data: { n: 1, _caller_worker_id: caller.id },
      },
    ])
    callee.says(answerTo(heard[0], { result: { ok: true } }))
    expect(caller.hears()).toEqual([
      { type: 'invocationresult', invocation_id: id, function_id: 'x::f', result: { ok: true } },
    ])
  })

  test('passes data and result on character by character', () => {
    const { caller, callee } = pair()
    const data = '{ "z" : 9007199254740993, "a":1.0,"e":"\\u00e9\\/","n":[1e3, -0] '
    caller.saysText(
      `{"type":"invokefunction","invocation_id":"c2a40000-0000-4000-8000-000000000001","function_id":"x::f","data":${data}}}`,
    )
    const [call = ''] = callee.hearsText()
    const { invocation_id } = JSON.parse(call) as Message
    expect(invocation_id).toEqual(deliveredAs('c2a40000-0000-4000-8000-000000000001'))
    expect(call).toBe(
      `{"type":"invokefunction","invocation_id":"${invocation_id}","function_id":"x::f","data":${data},"_caller_worker_id":"${caller.id}"}}`,
    )
    const result = '[ 18446744073709551615, {"b":2,"a":1}, "\\ud83d\\ude00" ]'
    callee.saysText(
      `{"result":${result},"function_id":"x::f","invocation_id":"${invocation_id}","type":"invocationresult"}`,
    )
    expect(caller.hearsText()).toEqual([
      `{"type":"invocationresult","invocation_id":"c2a40000-0000-4000-8000-000000000001","function_id":"x::f","result":${result}}`,
    ])
  })

  test.each([['null'], ['7'], ['"text"'], ['[1,2]'], ['false']])(
    'with data that is no object (%s) passes it on as it is',
    data => {
      const { caller, callee } = pair()
      caller.saysText(`{"type":"invokefunction","function_id":"x::f","data":${data}}`)
      expect(callee.hearsText()[0]).toContain(`"data":${data}}`)
    },
  )

  test('without data reaches the function with null', () => {
    const { caller, callee } = pair()
    caller.says({ type: 'invokefunction', function_id: 'x::f' })
    expect(callee.hears()).toMatchObject([{ data: null }])
  })

  test('cannot forge who calls', () => {
    const { caller, callee } = pair()
    caller.calls('x::f', { _caller_worker_id: 'someone else', n: 1 })
    caller.saysText(
      '{"type":"invokefunction","function_id":"x::f","data":{"\\u005fcaller_worker_id":"x","n":1,"_caller_worker_id":"y"}}',
    )
    for (const text of callee.hearsText()) {
      expect(text.match(/caller_worker_id/g)).toHaveLength(1)
      expect(JSON.parse(text).data).toEqual({ n: 1, _caller_worker_id: caller.id })
    }
  })

  test('names the caller only at the top of its data', () => {
    const { caller, callee } = pair()
    caller.calls('x::f', { nested: { _caller_worker_id: 'kept' } })
    expect(callee.hears()).toMatchObject([
      { data: { nested: { _caller_worker_id: 'kept' }, _caller_worker_id: caller.id } },
    ])
  })

  test('of a built-in is not marked: it comes from the engine', () => {
    const { world, callee } = pair()
    world.builtIn().calls('x::f', { n: 1 })
    expect(callee.hears()).toMatchObject([{ data: { n: 1 } }])
  })

  test('carries metadata apart from data, and absent stays absent', () => {
    const { caller, callee } = pair()
    caller.calls('x::f', {}, { metadata: { tenant: 'a', big: 1 } })
    caller.calls('x::f', {})
    const [first, second] = callee.hears()
    expect(first?.metadata).toEqual({ tenant: 'a', big: 1 })
    expect(second).not.toHaveProperty('metadata')
  })

  test('is delivered without action, namespace and time-out, which are for the engine', () => {
    const { world, caller } = pair()
    const callee = world.join({ namespace: 'team' })
    callee.says(registerFunction('x::g'))
    caller.calls('x::g', {}, { namespace: 'team', timeout_ms: 100 })
    expect(Object.keys(callee.hears()[0] ?? {}).sort()).toEqual([
      'data',
      'function_id',
      'invocation_id',
      'type',
    ])
  })

  test('of its own function works', () => {
    const { callee } = pair()
    const id = callee.calls('x::f', { n: 1 })
    callee.says(answerTo(callee.hears()[0], { result: 1 }))
    expect(callee.hears()).toEqual([
      { type: 'invocationresult', invocation_id: id, function_id: 'x::f', result: 1 },
    ])
  })

  test('is answered with the id in the form UUIDs are written in, however the caller wrote it', () => {
    const { caller, callee } = pair()
    caller.says({
      type: 'invokefunction',
      invocation_id: 'urn:uuid:C2A40000-0000-4000-8000-000000000001',
      function_id: 'x::f',
      data: {},
    })
    const [call] = callee.hears()
    expect(call?.invocation_id).toEqual(deliveredAs('c2a40000-0000-4000-8000-000000000001'))
    callee.says(answerTo(call))
    expect(caller.hears()[0]?.invocation_id).toBe('c2a40000-0000-4000-8000-000000000001')
  })
})

describe('the answer', () => {
  test('null and no result are the same for a worker: neither is sent', () => {
    const { caller, callee } = pair()
    for (const outcome of [{ result: null }, {}]) {
      const id = caller.calls('x::f')
      callee.says(answerTo(callee.hears()[0], outcome))
      expect(caller.hears()).toEqual([{ type: 'invocationresult', invocation_id: id, function_id: 'x::f' }])
    }
  })

  test('names the function as the caller wrote it', () => {
    const { caller, callee } = pair()
    caller.calls('x::f')
    const [call] = callee.hears()
    callee.says({ ...answerTo(call, { result: 1 }), function_id: 'something::else' })
    expect(caller.hears()[0]?.function_id).toBe('x::f')
  })

  test('of failure is passed on byte for byte, members we do not know included', () => {
    const { caller, callee } = pair()
    const id = caller.calls('x::f')
    const delivered = callee.hears()[0]?.invocation_id
    const error =
      '{ "code":"invocation_failed", "message":"b\\u00f6om", "stacktrace":"Error: b\\n at x", "big":9007199254740993 }'
    callee.saysText(
      `{"type":"invocationresult","invocation_id":"${delivered}","function_id":"x::f","error":${error},"result":1}`,
    )
    expect(caller.hearsText()).toEqual([
      `{"type":"invocationresult","invocation_id":"${id}","function_id":"x::f","error":${error}}`,
    ])
  })

  test.each([
    ['"just text"', { code: 'invocation_failed', message: 'just text' }],
    ['{"message":"no code"}', { code: 'invocation_failed', message: 'no code' }],
    ['[1]', { code: 'invocation_failed', message: '[1]' }],
  ])('with a malformed error (%s) still reaches the caller', (error, expected) => {
    const { caller, callee } = pair()
    caller.calls('x::f')
    const id = callee.hears()[0]?.invocation_id
    callee.saysText(`{"type":"invocationresult","invocation_id":"${id}","error":${error}}`)
    expect(caller.hears()[0]?.error).toEqual(expected)
  })

  test("echoes the caller's own trace headers, even invalid ones, and drops the callee's", () => {
    const { caller, callee } = pair()
    caller.calls('x::f', {}, { traceparent: 'not valid', baggage: 'a=1;p=2' })
    const [call] = callee.hears()
    callee.says({ ...answerTo(call), traceparent: TRACE, baggage: 'b=2' })
    expect(caller.hears()).toMatchObject([{ traceparent: 'not valid', baggage: 'a=1;p=2' }])
  })
})

describe('trace context', () => {
  test('is passed on unchanged, with the target named in the baggage', () => {
    const { caller, callee } = pair()
    caller.calls('x::f', {}, { traceparent: TRACE, baggage: 'user.id=1' })
    expect(callee.hears()).toMatchObject([{ traceparent: TRACE, baggage: 'user.id=1,iii.function.id=x::f' }])
  })

  test('is not made up for a call that has none', () => {
    const { caller, callee } = pair()
    caller.calls('x::f')
    const [call] = callee.hears()
    expect(call).not.toHaveProperty('traceparent')
    expect(call).not.toHaveProperty('baggage')
  })

  test('that is invalid is not passed on', () => {
    const { caller, callee } = pair()
    caller.calls('x::f', {}, { traceparent: TRACE.toUpperCase() })
    const [call] = callee.hears()
    expect(call).not.toHaveProperty('traceparent')
    expect(call?.baggage).toBe('iii.function.id=x::f')
  })

  test('of a call to a built-in function names no target', () => {
    const { world, caller } = pair()
    const state = world.builtIn()
    state.says(registerFunction('state::get'))
    caller.calls('state::get', {}, { traceparent: TRACE, baggage: 'user.id=1' })
    expect(state.hears()).toMatchObject([{ traceparent: TRACE, baggage: 'user.id=1' }])
  })
})

describe('a void call', () => {
  // In msgpack such a call has no id.
  test.skipIf(inMsgpack)('is delivered under an id of the engine and its answer is swallowed', () => {
    const { world, caller, callee } = pair()
    const given = caller.calls('x::f', { n: 1 }, { action: { type: 'void' } })
    caller.says({ type: 'invokefunction', function_id: 'x::f', data: {}, action: { type: 'void' } })
    const calls = callee.hears()
    expect(calls).toMatchObject([
      { data: { n: 1, _caller_worker_id: caller.id } },
      { data: { _caller_worker_id: caller.id } },
    ])
    const ids = calls.map(call => call.invocation_id as string)
    expect(new Set([...ids, given]).size).toBe(3)
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    for (const call of calls) callee.says(answerTo(call, { result: 1 }))
    expect(caller.hears()).toEqual([])
    expect(world.engine.callsInFlight()).toBe(0)
    expect(world.engine.state.counters).toMatchObject({ voidCalls: 2, voidResults: 2, lateResults: 0 })
  })

  test('a call without an id is one too', () => {
    const { world, caller, callee } = pair()
    caller.says({ type: 'invokefunction', function_id: 'x::f', data: {} })
    callee.says(answerTo(callee.hears()[0]))
    expect(caller.hears()).toEqual([])
    expect(world.engine.callsInFlight()).toBe(0)
  })

  test.each([
    ['of a function that does not exist', { function_id: 'no::such' }, 'function_not_found'],
    ['with a blank namespace', { function_id: 'x::f', namespace: '' }, 'INVALID_NAMESPACE'],
    [
      'with a blank namespace and an id',
      { function_id: 'x::f', namespace: ' ', invocation_id: '11111111-1111-4111-8111-111111111111' },
      'INVALID_NAMESPACE',
    ],
  ])('%s is dropped, counted, and logged now and then', (_, fields, reason) => {
    const { world, caller } = pair()
    for (let i = 0; i < 100; i++) {
      caller.says({ type: 'invokefunction', data: {}, action: { type: 'void' }, ...fields })
    }
    expect(caller.hears()).toEqual([])
    expect(world.engine.state.counters.lostVoids).toBe(100)
    expect(world.log.lines.map(({ fields: { count, reason } }) => [count, reason])).toEqual([
      [1, reason],
      [10, reason],
      [100, reason],
    ])
  })
})

describe('a call of a function that is not there', () => {
  test('says so, and names the namespaces that have it, sorted', () => {
    const { world, caller } = pair()
    for (const namespace of ['zeta', 'alpha']) world.join({ namespace }).says(registerFunction('y::g'))
    caller.calls('y::g')
    caller.calls('y::g', {}, { namespace: 'beta' })
    caller.calls('no::such')
    expect(caller.hears().map(errorOf)).toEqual([
      {
        code: 'function_not_found',
        message:
          'Function y::g not found in namespace default. It is registered in namespace(s): alpha, zeta.',
      },
      {
        code: 'function_not_found',
        message: 'Function y::g not found in namespace beta. It is registered in namespace(s): alpha, zeta.',
      },
      { code: 'function_not_found', message: 'Function no::such not found in namespace default.' },
    ])
  })

  test('by a built-in gets the shorter text', () => {
    const { world } = pair()
    const state = world.builtIn()
    state.calls('no::such')
    expect(errorOf(state.hears()[0]).message).toBe('Function no::such not found in namespace default')
  })

  test('echoes the trace headers of its caller', () => {
    const { caller } = pair()
    const id = caller.calls('no::such', {}, { traceparent: TRACE, baggage: 'a=1' })
    expect(caller.hears()).toMatchObject([
      { invocation_id: id, function_id: 'no::such', traceparent: TRACE, baggage: 'a=1' },
    ])
  })

  test('is looked for in the namespace of the call only, whatever the namespace of the caller', () => {
    const { world } = pair()
    const callee = world.join({ namespace: 'team' })
    callee.says(registerFunction('y::g'))
    const mate = world.join({ namespace: 'team' })
    mate.calls('y::g')
    expect(errorOf(mate.hears()[0]).code).toBe('function_not_found')
    mate.calls('y::g', {}, { namespace: 'team' })
    expect(callee.hears()).toHaveLength(1)
  })
})

test('a call with a blank namespace is refused', () => {
  const { caller, callee } = pair()
  caller.calls('x::f', {}, { namespace: '  ' })
  expect(errorOf(caller.hears()[0])).toEqual({
    code: 'INVALID_NAMESPACE',
    message:
      '`namespace` is empty: it was named and left blank. Give it a name, or omit it to use `default`.',
  })
  expect(callee.hears()).toEqual([])
})

test('a call of a function that is called over HTTP is refused, as this version does not do that', () => {
  const { world, caller } = pair()
  world.join().says(registerFunction('y::g', { invocation: { url: 'https://example.com' } }))
  caller.calls('y::g')
  expect(errorOf(caller.hears()[0]).code).toBe('function_not_invokable')
})

test('calls of one caller to one worker arrive in the order they were made, whatever their kind', () => {
  const { caller, callee } = pair()
  callee.says(registerFunction('x::g'))
  const sent = Array.from({ length: 50 }, (_, n) => {
    const action = n % 3 === 0 ? { action: { type: 'void' } } : {}
    caller.calls(n % 2 === 0 ? 'x::f' : 'x::g', { n }, action)
    return n
  })
  expect(callee.hears().map(call => (call.data as { n: number }).n)).toEqual(sent)
})

test('answers may come in any order', () => {
  const { caller, callee } = pair()
  const ids = [caller.calls('x::f'), caller.calls('x::f'), caller.calls('x::f')]
  const calls = callee.hears()
  callee.says(...[calls[2], calls[0], calls[1]].map(call => answerTo(call)))
  expect(caller.hears().map(message => message.invocation_id)).toEqual([ids[2]!, ids[0]!, ids[1]!])
})

test('a ping is answered, a pong is not, and messages of the engine are not taken from a worker', () => {
  const { world, caller } = pair()
  caller.says(
    { type: 'ping' },
    { type: 'pong' },
    { type: 'workerregistered', worker_id: 'x', reattach_token: 'y' },
    { type: 'registrationrejected', code: 'x', namespace: 'y', owner_worker_id: 'z' },
    { type: 'error', error: { code: 'x', message: 'y' } },
  )
  expect(caller.hears()).toEqual([{ type: 'pong' }])
  expect(world.engine.state.counters.problems).toBe(3)
})
