/** What one connection may register, and what it costs when it registers a lot (`docs/guarantees.md#neighbours`). */
import { describe, expect, test } from 'bun:test'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { shards } from '../support/shape.ts'
import {
  announce,
  boundAnswer,
  createWorld,
  inMsgpack,
  type Message,
  registerFunction,
  registerTrigger,
  registerType,
} from '../support/world.ts'
import { answererOf, errorOf, leftovers } from './support.ts'

describe('the registrations of one connection', () => {
  test('are bounded, functions, trigger types and triggers together; the rest is refused and noted', () => {
    const world = createWorld({ limits: { registrationsPerConnection: 3 } })
    const a = world.join()
    a.says(registerFunction('x::1'), registerType('tick'), registerTrigger('T1', 'tick'))
    a.hears()
    a.says(registerFunction('x::2'), registerType('tock'), registerTrigger('T2', 'tick'))
    expect(a.hears()).toMatchObject([
      {
        type: 'triggerregistrationresult',
        id: 'T2',
        error: {
          code: 'trigger_registration_failed',
          message: 'Trigger refused: the connection has 3 registrations already.',
        },
      },
    ])
    const refusals = world.engine.state.directory.workers.get(a.id)?.refusals
    expect(refusals?.map(({ what, id }) => `${what} ${id}`)).toEqual([
      'function x::2',
      'trigger type tock',
      'trigger T2',
    ])
    expect(answererOf(world, 'x::2', { a })).toBe('nobody')
    expect(answererOf(world, 'x::1', { a })).toBe('a')
  })

  test('may be overwritten at the bound, and go on when one is taken back', () => {
    const world = createWorld({ limits: { registrationsPerConnection: 3 } })
    const a = world.join()
    a.says(registerFunction('x::1'), registerType('tick'), registerTrigger('T1', 'tick'))
    a.hears()
    a.says(registerFunction('x::1'), registerType('tick'), registerTrigger('T1', 'tick', 'x::other'))
    expect(a.hears()).toMatchObject([{ type: 'registertrigger' }, { function_id: 'x::other' }])
    a.says({ type: 'unregisterfunction', id: 'x::1' }, registerFunction('x::2'))
    expect(answererOf(world, 'x::2', { a })).toBe('a')
  })

  // A built-in does not see the ids of msgpack callers.
  test.skipIf(inMsgpack)('of another connection do not count, and those of built-ins are not bounded', () => {
    const world = createWorld({ limits: { registrationsPerConnection: 1 } })
    const [a, b, state] = [world.join(), world.join(), world.builtIn()]
    a.says(registerFunction('a::f'))
    b.says(registerFunction('b::f'))
    for (let i = 0; i < 5; i++) state.says(registerFunction(`state::${i}`))
    expect(answererOf(world, 'b::f', { a, b })).toBe('b')
    expect(answererOf(world, 'state::4', { state })).toBe('state')
  })
})

describe('the texts of one connection’s registrations', () => {
  const fat = (id: string, size = 400): Message => registerFunction(id, { metadata: 'm'.repeat(size) })

  test('are bounded together, whatever is registered', () => {
    const world = createWorld({ limits: { registrationBytes: 1000 } })
    const a = world.join()
    a.says(fat('x::1'), fat('x::2'))
    expect([answererOf(world, 'x::2', { a }), world.log.warnings()]).toEqual(['a', []])
    a.says(fat('x::3'), registerType('tick', { description: 'd'.repeat(400) }))
    a.says(registerTrigger('T1', 'tock', 'x::1', { config: 'c'.repeat(400) }))
    expect(a.hears()).toMatchObject([{ type: 'triggerregistrationresult', id: 'T1', error: {} }])
    expect(answererOf(world, 'x::3', { a })).toBe('nobody')
    const worker = world.engine.state.directory.workers.get(a.id)
    expect(worker?.refusals.map(({ what, reason }) => `${what}: ${reason}`)).toEqual(
      ['function', 'trigger type', 'trigger'].map(
        what => `${what}: its connection would have more than 1000 characters of registrations`,
      ),
    )
  })

  test('do not count any more when they are replaced, taken back or taken over', () => {
    const world = createWorld({ limits: { registrationBytes: 1000 } })
    const [a, b] = [world.join(), world.join()]
    const bytesOf = (id: string): number | undefined =>
      world.engine.state.directory.workers.get(id)?.registeredBytes
    b.says(fat('x::1'))
    for (let i = 0; i < 9; i++) {
      a.says(
        fat('x::1'),
        registerType('tick', { description: 'd'.repeat(200) }),
        registerTrigger('T1', 'tick', 'x::1', { config: 'c'.repeat(200) }),
      )
    }
    expect(world.log.warnings().filter(line => line.includes('characters'))).toEqual([])
    // Anyone may take a trigger's place; it is theirs then.
    b.says(registerTrigger('T1', 'tick', 'x::1', { config: 'c'.repeat(200) }))
    b.says({ type: 'unregistertrigger', id: 'T1' }, { type: 'unregisterfunction', id: 'x::1' })
    a.says({ type: 'unregisterfunction', id: 'x::1' }, { type: 'unregistertriggertype', id: 'tick' })
    expect([bytesOf(a.id), bytesOf(b.id)]).toEqual([0, 0])
  })

  test('of triggers without an owner are bounded, too', () => {
    const world = createWorld({ limits: { registrationBytes: 1000 } })
    const { directory } = world.engine.state
    const add = (id: string): unknown =>
      directory.registerTrigger({
        id,
        triggerType: 'tick',
        functionId: 'x::f',
        config: asJsonText(JSON.stringify('c'.repeat(400))),
        metadata: undefined,
        namespace: 'default',
        triggerNamespace: undefined,
        homeNamespace: 'default',
        ownerId: undefined,
      })
    for (const id of ['T1', 'T2', 'T2', 'T3']) add(id)
    expect([...directory.triggers.bindings.keys()]).toEqual(['T1', 'T2'])
    for (const id of ['T1', 'T2']) directory.unregisterTrigger(id)
    expect(directory.triggers.ownerlessBytes).toBe(0)
  })
})

describe('an announce', () => {
  test('with texts of any length costs little, and little of them is kept', () => {
    const world = createWorld()
    const a = world.connect()
    const long = 'x'.repeat(10_000_000)
    const start = process.cpuUsage()
    a.says(
      announce({ name: long, description: long, version: long, runtime: long, os: long, isolation: long }),
    )
    const { user, system } = process.cpuUsage(start)
    // Ten times what it takes to read the message; taking each text apart took seconds.
    expect((user + system) / 1000).toBeLessThan(2000)
    const kept = world.engine.state.directory.workers.get(a.id)?.announcement
    expect(kept?.name).toBe('x'.repeat(280))
    expect(JSON.stringify(kept).length).toBeLessThan(2000)
  })

  test('keeps telemetry up to the size of a few names', () => {
    const world = createWorld()
    const a = world.join({ telemetry: { language: 'x' } })
    const b = world.join({ telemetry: { language: 'x'.repeat(10_000) } })
    const telemetryOf = (id: string): unknown =>
      world.engine.state.directory.workers.get(id)?.announcement?.telemetry
    expect([telemetryOf(a.id), telemetryOf(b.id)]).toEqual([asJsonText('{"language":"x"}'), undefined])
  })
})

describe('a name that is too long', () => {
  const limits = { nameLength: 20 }
  const long = 'n'.repeat(21)

  test.each<[string, Message]>([
    ['function', registerFunction(long)],
    ['trigger type', registerType(long)],
    ['namespace of a trigger type', registerType('tick', { namespace: long })],
  ])('(%s) is refused and noted, in silence as clients expect', (_, message) => {
    const world = createWorld({ limits })
    const a = world.join()
    a.says(message)
    expect(a.hears()).toEqual([])
    expect(world.engine.state.directory.workers.get(a.id)?.refusals).toHaveLength(1)
    expect(world.log.warnings()).toEqual([expect.stringContaining('is longer than 20 characters')])
  })

  test.each<[string, Message]>([
    ['id', registerTrigger(long, 'tick')],
    ['trigger type', registerTrigger('T1', long)],
    ['function id', registerTrigger('T1', 'tick', long)],
    ['namespace', registerTrigger('T1', 'tick', 'x::f', { namespace: long })],
    ['trigger namespace', registerTrigger('T1', 'tick', 'x::f', { trigger_namespace: long })],
  ])('of a trigger (%s) is refused and answered', (name, message) => {
    const world = createWorld({ limits })
    const a = world.join()
    a.says(message)
    expect(errorOf(a.hears()[0])).toEqual({
      code: 'trigger_registration_failed',
      message: `Trigger refused: its ${name} is longer than 20 characters.`,
    })
    expect(world.engine.state.directory.triggers.bindings.size).toBe(0)
  })

  test('that fits exactly is taken', () => {
    const world = createWorld({ limits })
    const a = world.join()
    a.says(registerFunction('n'.repeat(20)))
    expect(answererOf(world, 'n'.repeat(20), { a })).toBe('a')
  })

  test('is not kept or logged at its full length', () => {
    const world = createWorld()
    const a = world.join()
    a.says(registerFunction('n'.repeat(1_000_000)))
    expect(world.engine.state.directory.workers.get(a.id)?.refusals[0]?.id.length).toBeLessThan(100)
    expect(JSON.stringify(world.log.lines).length).toBeLessThan(1000)
  })

  test('is logged for the first ones only, however many there are', () => {
    const world = createWorld()
    const a = world.join()
    for (let count = 0; count < 2000; count++) a.says(registerFunction(''))
    expect(world.log.warnings().filter(line => line.startsWith('function refused'))).toHaveLength(52)
  })

  test('is cut between characters, so that what shows it can be read by everyone', () => {
    const world = createWorld()
    const a = world.join()
    for (let shift = 0; shift < 4; shift++) a.says(registerFunction('n'.repeat(shift) + '😀'.repeat(1000)))
    const refusals = world.engine.state.directory.workers.get(a.id)!.refusals
    expect(refusals.map(({ id }) => id.isWellFormed())).toEqual([true, true, true, true])
  })
})

describe('100,000 registrations on one connection', () => {
  const COUNT = 100_000
  /** Ten times what it takes, and far below what anything quadratic would: 10^10 steps. */
  // All threads of a run on shards are one here, and each of them has its work to do.
  const BUDGET_MS = 10_000 * (1 + shards)

  /** Patience on a busy machine; what is measured is processor time. */
  const TIMEOUT_MS = 60_000

  const many = (message: (index: number) => Message, count = COUNT): Message[] =>
    Array.from({ length: count }, (_, index) => message(index))

  /** Milliseconds of processor time, which does not depend on what else the machine does. */
  function timed(run: () => void): number {
    const start = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(start)
    return (user + system) / 1000
  }

  test(
    'of functions are made and torn down in bounded time',
    () => {
      const world = createWorld()
      const a = world.connect()
      const waiting = world.join()
      const spent = timed(() => {
        a.says(...many(i => registerFunction(`x::${i}`)))
        a.says({ type: 'invokefunction', function_id: 'engine::workers::register', data: {} })
        waiting.says(registerFunction('x::50000'))
        a.leaves()
      })
      expect(spent).toBeLessThan(BUDGET_MS)
      expect(answererOf(world, 'x::50000', { waiting })).toBe('waiting')
      waiting.leaves()
      expect(leftovers(world)).toEqual({})
    },
    TIMEOUT_MS,
  )

  test(
    'of triggers follow their provider as it goes and comes, in bounded time',
    () => {
      const world = createWorld()
      const [owner, first] = [world.join(), world.join()]
      first.says(registerType('tick'))
      const spent = timed(() => {
        owner.says(...many(i => registerTrigger(`T${i}`, 'tick')))
        expect(first.link.take()).toHaveLength(COUNT)
        first.leaves()
        const second = world.join()
        second.says(registerType('tick'))
        const binds = second.hears()
        expect(binds).toHaveLength(COUNT)
        second.says(...binds.map(bind => boundAnswer(bind, { code: 'no', message: 'no' })))
        expect(owner.link.take()).toHaveLength(COUNT)
        owner.leaves()
        second.leaves()
      })
      expect(spent).toBeLessThan(BUDGET_MS)
      expect(leftovers(world)).toEqual({})
    },
    TIMEOUT_MS,
  )

  test(
    'of one trigger type in as many namespaces cost no more for all the triggers of that type',
    () => {
      const world = createWorld()
      const [owner, provider] = [world.join(), world.join()]
      const spent = timed(() => {
        owner.says(...many(i => registerTrigger(`T${i}`, 'tick'), COUNT / 2))
        provider.says(...many(i => registerType('tick', { namespace: `n${i}` }), COUNT / 2))
        provider.leaves()
      })
      expect(spent).toBeLessThan(BUDGET_MS)
      expect(world.engine.state.directory.triggers.bindings.size).toBe(COUNT / 2)
    },
    TIMEOUT_MS,
  )

  test(
    'of claims that wait for one owner are promoted in bounded time',
    () => {
      const world = createWorld()
      const [owner, waiting] = [world.join(), world.join()]
      const spent = timed(() => {
        for (const worker of [owner, waiting]) {
          worker.says(...many(i => registerFunction(`x::${i}`)))
        }
        owner.leaves()
      })
      expect(spent).toBeLessThan(BUDGET_MS)
      expect(waiting.link.take()).toHaveLength(COUNT)
      expect(answererOf(world, `x::${COUNT - 1}`, { waiting })).toBe('waiting')
    },
    TIMEOUT_MS,
  )
})
