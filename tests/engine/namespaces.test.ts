/**
 * Which namespace a connection lives in, and what is held until that is known
 * (`docs/protocol/json.md#the-namespace-of-a-connection`).
 */
import { describe, expect, test } from 'bun:test'
import {
  announce,
  answerTo,
  createWorld,
  registerFunction,
  registerTrigger,
  registerType,
  unregisterFunction,
} from '../support/world.ts'
import { answererOf, deliveredAs, errorOf, outline } from './support.ts'

const GRACE = 5000
const QUIET = 1000

describe('registrations before the announce', () => {
  test('are held, and count in the announced namespace when it comes', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(registerFunction('x::f'))
    expect(answererOf(world, 'x::f', { a }, 'team')).toBe('nobody')
    a.says(announce({ namespace: 'team' }))
    expect(answererOf(world, 'x::f', { a }, 'team')).toBe('a')
    expect(answererOf(world, 'x::f', { a })).toBe('nobody')
  })

  test('count in the default namespace when the announce names none', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(registerFunction('x::f'), announce())
    expect(answererOf(world, 'x::f', { a })).toBe('a')
  })

  test('are applied in the order in which they came, also among themselves', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(
      registerFunction('x::f'),
      unregisterFunction('x::f'),
      registerFunction('x::g', { description: 'old' }),
      registerFunction('x::g', { description: 'new' }),
      registerType('tick'),
      registerTrigger('T1', 'tick', 'x::g'),
      announce(),
    )
    expect(answererOf(world, 'x::f', { a })).toBe('nobody')
    const { functions, triggers } = world.engine.state.directory
    expect(functions.inDefault.get('x::g')?.owner?.definition.description).toBe('new')
    expect(triggers.bindings.get('T1')?.providerId).toBe(a.id)
  })

  test('follow the version that is announced after them', () => {
    const world = createWorld()
    const owner = world.join({ version: '0.22.1' })
    owner.says(registerFunction('x::f'))
    const a = world.connect()
    a.says(registerFunction('x::f'), announce({ version: '0.22.1' }))
    expect(a.hears()).toEqual([])
    expect(answererOf(world, 'x::f', { owner, a })).toBe('a')
  })

  test('are forgotten when the connection ends first', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(registerFunction('x::f'))
    a.leaves()
    world.clock.advance(2 * GRACE)
    expect(answererOf(world, 'x::f', { a })).toBe('nobody')
    expect(world.clock.pending()).toBe(0)
  })

  test('do not hold anything else up', () => {
    const world = createWorld()
    const server = world.join()
    server.says(registerFunction('x::f'))
    const a = world.connect()
    a.says(registerFunction('own::f'))
    const id = a.calls('x::f', { n: 1 })
    server.says(answerTo(server.hears()[0], { result: 7 }))
    a.says({ type: 'ping' })
    expect(a.hears()).toEqual([
      { type: 'invocationresult', invocation_id: id, function_id: 'x::f', result: 7 },
      { type: 'pong' },
    ])
  })
})

describe('a connection that announces first', () => {
  test('has each registration in effect before its next message is read', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(announce({ namespace: 'team' }), registerFunction('x::f'))
    const id = a.calls('x::f', {}, { namespace: 'team' })
    expect(a.hears()).toEqual([
      {
        type: 'invokefunction',
        invocation_id: id,
        function_id: 'x::f',
        data: { _caller_worker_id: a.id },
      },
    ])
  })
})

describe('a connection that does not announce', () => {
  test('is in the default namespace after a moment of silence', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(registerFunction('x::f'))
    world.clock.advance(QUIET - 1)
    expect(answererOf(world, 'x::f', { a })).toBe('nobody')
    world.clock.advance(1)
    expect(answererOf(world, 'x::f', { a })).toBe('a')
    expect(world.log.warnings()).toEqual([expect.stringContaining('did not announce')])
  })

  test('is given until the grace is over while it goes on talking', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(registerFunction('x::f'))
    for (let passed = 0; passed < GRACE - 500; passed += 500) {
      world.clock.advance(500)
      a.says({ type: 'ping' })
    }
    expect(answererOf(world, 'x::f', { a })).toBe('nobody')
    world.clock.advance(500)
    expect(answererOf(world, 'x::f', { a })).toBe('a')
  })

  test('is not cut short because of a call: clients send queued calls before their announce', () => {
    const world = createWorld()
    const a = world.connect()
    a.calls('somewhere::else')
    world.clock.advance(2 * QUIET)
    a.says(registerFunction('x::f'), announce({ namespace: 'team' }))
    expect(answererOf(world, 'x::f', { a }, 'team')).toBe('a')
  })

  test('and registers nothing is not worth a line in the log', () => {
    const world = createWorld()
    world.connect()
    world.clock.advance(GRACE)
    expect(world.log.warnings()).toEqual([])
  })

  test('waits as long as the configuration says', () => {
    const world = createWorld({ namespaceGraceMs: 300 })
    const a = world.connect()
    a.says(registerFunction('x::f'))
    world.clock.advance(299)
    expect(answererOf(world, 'x::f', { a })).toBe('nobody')
    world.clock.advance(1)
    expect(answererOf(world, 'x::f', { a })).toBe('a')
  })

  test('leaves no timer behind when it announces after all', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(registerFunction('x::f'), announce())
    expect(world.clock.pending()).toBe(0)
  })
})

describe('a call of a function whose registration is held', () => {
  test('waits with it, whatever the client sent between', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(registerFunction('x::f'))
    const id = a.calls('x::f', { n: 1 })
    expect(a.hears()).toEqual([])
    a.says(announce())
    expect(a.hears()).toMatchObject([{ type: 'invokefunction', invocation_id: id, data: { n: 1 } }])
  })

  test('is delivered when the grace is over', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(registerFunction('x::f'))
    const id = a.calls('x::f')
    world.clock.advance(QUIET)
    expect(a.hears()).toMatchObject([{ type: 'invokefunction', invocation_id: id }])
  })

  test('hears that the function does not exist when it turns out to live elsewhere', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(registerFunction('x::f'))
    a.calls('x::f')
    a.says(announce({ namespace: 'team' }))
    expect(errorOf(a.hears()[0])).toEqual({
      code: 'function_not_found',
      message: 'Function x::f not found in namespace default. It is registered in namespace(s): team.',
    })
  })

  test('goes to whoever answers the id already', () => {
    const world = createWorld()
    const other = world.join()
    other.says(registerFunction('x::f'))
    const a = world.connect()
    a.says(registerFunction('x::f'))
    const id = a.calls('x::f')
    expect(other.hears()).toMatchObject([{ type: 'invokefunction', invocation_id: deliveredAs(id) }])
  })

  test('keeps its place among the calls of that function', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(registerFunction('x::f'))
    const ids = [a.calls('x::f'), a.calls('x::f')]
    a.says(announce())
    ids.push(a.calls('x::f'))
    expect(a.hears().map(message => message.invocation_id)).toEqual(ids)
  })
})

describe('a later announce', () => {
  test('with another namespace changes the name but not the namespace, and is warned about', () => {
    const world = createWorld()
    const a = world.join({ name: 'first', namespace: 'team' })
    a.says(announce({ name: 'second', namespace: 'other' }), registerFunction('x::f'))
    expect(answererOf(world, 'x::f', { a }, 'team')).toBe('a')
    const record = world.engine.state.directory.workers.get(a.id)
    expect(record?.announcement?.name).toBe('second')
    expect(record?.namespace).toBe('team')
    expect(world.log.warnings()).toEqual([expect.stringContaining('another namespace')])
  })

  test('after the grace keeps what was registered in the default namespace', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(registerFunction('x::f'))
    world.clock.advance(GRACE)
    a.says(announce({ name: 'late', namespace: 'team' }), registerFunction('x::g'))
    expect(answererOf(world, 'x::f', { a })).toBe('a')
    expect(answererOf(world, 'x::g', { a })).toBe('a')
    expect(world.engine.state.directory.workers.get(a.id)?.announcement?.name).toBe('late')
  })
})

describe('the announce itself', () => {
  const plain = (data: object): object => ({
    type: 'invokefunction',
    invocation_id: '11111111-1111-4111-8111-111111111111',
    function_id: 'engine::workers::register',
    data,
  })

  test('is answered when it is a plain call, and not when it is void', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(announce())
    expect(a.hears()).toEqual([])
    a.says(plain({ name: 'again' }) as never)
    expect(a.hears()).toMatchObject([{ type: 'invocationresult', result: { success: true } }])
  })

  test.each([
    ['null', 'null'],
    ['nothing', '{}'],
  ])('with %s as its input puts the connection into the default namespace', (_, data) => {
    const world = createWorld()
    const a = world.connect()
    a.saysText(`{"type":"invokefunction","function_id":"engine::workers::register","data":${data}}`)
    a.says(registerFunction('x::f'))
    expect(answererOf(world, 'x::f', { a })).toBe('a')
  })

  test('with an input that is no object is refused and fixes nothing', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(plain([]) as never, registerFunction('x::f'))
    expect(errorOf(a.hears()[0]).code).toBe('deserialization_error')
    a.says(announce({ namespace: 'team' }))
    expect(answererOf(world, 'x::f', { a }, 'team')).toBe('a')
  })

  test('with a blank namespace is refused by name of the worker and fixes nothing', () => {
    const world = createWorld()
    const a = world.connect()
    a.says(plain({ name: 'orders', namespace: ' ' }) as never, registerFunction('x::f'))
    expect(a.hears()[0]?.error).toEqual({
      code: 'INVALID_NAMESPACE',
      message: `namespace is empty: worker 'orders' declared "". Give it a name, or omit the field to register in 'default'.`,
    })
    a.says(announce({ namespace: 'team' }))
    expect(answererOf(world, 'x::f', { a }, 'team')).toBe('a')
  })

  test('with a namespace longer than a name may be is refused', () => {
    const world = createWorld({ limits: { nameLength: 10 } })
    const a = world.connect()
    a.says(plain({ namespace: 'n'.repeat(11) }) as never)
    expect(errorOf(a.hears()[0])).toMatchObject({ code: 'INVALID_NAMESPACE' })
    a.says(plain({ namespace: 'n'.repeat(10) }) as never)
    expect(a.hears()).toMatchObject([{ result: { success: true } }])
  })

  test('keeps what a worker says of itself, cleaned for people to read', () => {
    const world = createWorld()
    const a = world.join({
      name: ' \u0000or\u202eders\u2028\u200b ',
      description: 'd'.repeat(300),
      version: '0.23.0',
      runtime: 'node',
      os: 'linux',
      pid: 4242,
      isolation: null,
      telemetry: { language: 'en', project_name: 'app' },
    })
    expect(world.engine.state.directory.workers.get(a.id)?.announcement).toEqual({
      name: 'orders\u200b',
      description: 'd'.repeat(280),
      version: '0.23.0',
      runtime: 'node',
      os: 'linux',
      pid: 4242,
      isolation: undefined,
      telemetry: '{"language":"en","project_name":"app"}' as never,
    })
  })

  test.each([[-1], [2 ** 32], [1.5], ['7'], [null]])('takes no process id from %p', pid => {
    const world = createWorld()
    const a = world.join({ pid })
    expect(world.engine.state.directory.workers.get(a.id)?.announcement?.pid).toBeUndefined()
  })

  test('takes the worker from the connection, never from a forged _caller_worker_id', () => {
    const world = createWorld()
    const victim = world.join({ name: 'victim' })
    const a = world.connect()
    a.says(announce({ name: 'forger', _caller_worker_id: victim.id }))
    expect(world.engine.state.directory.workers.get(a.id)?.announcement?.name).toBe('forger')
    expect(world.engine.state.directory.workers.get(victim.id)?.announcement?.name).toBe('victim')
  })

  test('is taken by the engine even if a worker registers its id', () => {
    const world = createWorld()
    const usurper = world.join()
    usurper.says(registerFunction('engine::workers::register'))
    const a = world.join({ name: 'a' })
    expect(usurper.hears()).toEqual([])
    expect(world.engine.state.directory.workers.get(a.id)?.announcement?.name).toBe('a')
  })
})

describe('a connection that registers without end and does not announce', () => {
  test('is cut at the bound of held frames, and nothing of it stays', () => {
    const world = createWorld({ limits: { heldFrames: 10 } })
    const a = world.connect()
    for (let i = 0; i <= 10; i++) a.says(registerFunction(`x::${i}`))
    expect(a.link.ended).toBe('cut')
    expect(world.engine.state.connections.size).toBe(0)
    expect(world.clock.pending()).toBe(0)
    expect(world.log.warnings()).toEqual([expect.stringContaining('was cut')])
  })

  test('is cut at the bound of held bytes', () => {
    const world = createWorld({ limits: { heldBytes: 10_000 } })
    const a = world.connect()
    a.says(registerFunction('x::1', { metadata: { text: 'm'.repeat(20_000) } }))
    expect(a.link.ended).toBe('cut')
  })
})

test('a worker whose announce is refused gets nothing applied that was held', () => {
  const world = createWorld()
  const owner = world.join({ name: 'taken' })
  owner.says(registerFunction('y::f'))
  const a = world.connect()
  a.says(registerFunction('x::f'), registerTrigger('T1', 'tick'), announce({ name: 'taken' }))
  expect(outline(a.hears())).toEqual(['registrationrejected'])
  expect(a.link.ended).toBe('orderly')
  expect(answererOf(world, 'x::f', { a, owner })).toBe('nobody')
  expect(world.engine.state.directory.triggers.bindings.size).toBe(0)
})

test('a service registration of an old client is taken note of and changes nothing', () => {
  const world = createWorld()
  const a = world.connect()
  a.says({ type: 'registerservice', id: 'orders', name: 'Orders' }, announce(), registerFunction('x::f'))
  a.says({ type: 'registerservice', id: 'orders' })
  expect(a.hears()).toEqual([])
  expect(world.log.warnings()).toEqual([])
  expect(answererOf(world, 'x::f', { a })).toBe('a')
})
