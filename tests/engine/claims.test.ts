/** Who answers a function id (`docs/protocol/json.md#who-answers-a-function`). */
import { describe, expect, test } from 'bun:test'
import { createWorld, type Puppet, registerFunction, unregisterFunction } from '../support/world.ts'
import { answererOf } from './support.ts'

const conflict = (id: string, owner: Puppet | '', namespace = 'default') => ({
  type: 'registrationrejected',
  code: 'FUNCTION_NAMESPACE_CONFLICT',
  namespace,
  function_id: id,
  owner_worker_id: owner === '' ? '' : owner.id,
})

describe('a function id', () => {
  test('is answered by the worker that registered it, and a registration is not acknowledged', () => {
    const world = createWorld()
    const a = world.join()
    a.says(registerFunction('orders::create'))
    expect(a.hears()).toEqual([])
    expect(answererOf(world, 'orders::create', { a })).toBe('a')
  })

  test('is gone when its worker unregisters it, and when its worker leaves', () => {
    const world = createWorld()
    const a = world.join()
    a.says(registerFunction('x::one'), registerFunction('x::two'))
    a.says(unregisterFunction('x::one'))
    expect(answererOf(world, 'x::one', { a })).toBe('nobody')
    expect(answererOf(world, 'x::two', { a })).toBe('a')
    a.leaves()
    expect(answererOf(world, 'x::two', { a })).toBe('nobody')
  })

  test('registered again by its worker is overwritten without a word', () => {
    const world = createWorld()
    const a = world.join()
    a.says(registerFunction('x::f', { description: 'old' }), registerFunction('x::f', { description: 'new' }))
    expect(a.hears()).toEqual([])
    const record = world.engine.state.directory.functions.inDefault.get('x::f')
    expect(record?.owner?.definition.description).toBe('new')
    expect(record?.waiting).toEqual([])
  })

  test('can be unregistered and registered again at once, as a hot reload does', () => {
    const world = createWorld()
    const a = world.join()
    a.says(registerFunction('x::f'), unregisterFunction('x::f'), registerFunction('x::f'))
    expect(answererOf(world, 'x::f', { a })).toBe('a')
  })

  test('is not taken away by another worker that unregisters it', () => {
    const world = createWorld()
    const a = world.join()
    const b = world.join()
    a.says(registerFunction('x::f'))
    b.says(unregisterFunction('x::f'), unregisterFunction('x::unknown'))
    expect(answererOf(world, 'x::f', { a, b })).toBe('a')
    expect(b.hears()).toEqual([])
  })

  test('may hold any characters', () => {
    const world = createWorld()
    const a = world.join()
    for (const id of ['__proto__', 'constructor', 'ünïcode::✓', 'a b', '"quoted\\']) {
      a.says(registerFunction(id))
      expect(answererOf(world, id, { a })).toBe('a')
    }
  })

  test('that is blank is refused, noted, and harms nothing', () => {
    const world = createWorld()
    const a = world.join()
    a.says(registerFunction(''), registerFunction('  '), registerFunction('x::f'))
    expect(a.hears()).toEqual([])
    expect(world.log.warnings()).toHaveLength(2)
    expect(world.engine.state.directory.workers.get(a.id)?.refusals).toHaveLength(2)
    expect(answererOf(world, 'x::f', { a })).toBe('a')
  })

  test('that starts with engine:: exists only in the default namespace', () => {
    const world = createWorld()
    const a = world.join({ namespace: 'team' })
    a.says(registerFunction('engine::queue::enqueue'), registerFunction('enginelike::f'))
    expect(a.hears()).toEqual([conflict('engine::queue::enqueue', '', 'team')])
    expect(answererOf(world, 'engine::queue::enqueue', { a }, 'team')).toBe('nobody')
    expect(answererOf(world, 'enginelike::f', { a }, 'team')).toBe('a')
  })

  test('that starts with engine::storage:: is for built-ins only', () => {
    const world = createWorld()
    const b = world.builtIn()
    b.says(registerFunction('engine::storage::backup'))
    const a = world.join()
    a.says(registerFunction('engine::storage::backup'))
    expect(a.hears()).toEqual([conflict('engine::storage::backup', '')])
    expect(answererOf(world, 'engine::storage::backup', { a, b })).toBe('b')
  })

  test('by which built-in workers speak to each other is theirs alone, also while they are gone', () => {
    const world = createWorld()
    const builtIn = world.builtIn()
    const a = world.join()
    const internal = registerFunction('iii-x::ask', { metadata: { internal: true } })
    builtIn.says(internal)
    a.says(internal)
    expect(a.hears()).toEqual([conflict('iii-x::ask', builtIn)])
    expect(answererOf(world, 'iii-x::ask', { a, builtIn })).toBe('builtIn')
    builtIn.leaves()
    a.says(internal)
    expect(a.hears()).toEqual([conflict('iii-x::ask', '')])
    expect(answererOf(world, 'iii-x::ask', { a })).toBe('nobody')
  })

  test('in one namespace has nothing to do with the same id in another', () => {
    const world = createWorld()
    const a = world.join({ namespace: 'one' })
    const b = world.join({ namespace: 'two' })
    a.says(registerFunction('x::f'))
    b.says(registerFunction('x::f'))
    expect([a.hears(), b.hears()]).toEqual([[], []])
    expect(answererOf(world, 'x::f', { a, b }, 'one')).toBe('a')
    expect(answererOf(world, 'x::f', { a, b }, 'two')).toBe('b')
    expect(answererOf(world, 'x::f', { a, b })).toBe('nobody')
  })
})

describe('a second claimant', () => {
  test('is refused by name of the owner; the first keeps serving and nothing else of the second is touched', () => {
    const world = createWorld()
    const a = world.join()
    const b = world.join()
    a.says(registerFunction('x::f'))
    b.says(registerFunction('x::f'), registerFunction('x::g'))
    expect(b.hears()).toEqual([conflict('x::f', a)])
    expect(a.hears()).toEqual([])
    expect(answererOf(world, 'x::f', { a, b })).toBe('a')
    expect(answererOf(world, 'x::g', { a, b })).toBe('b')
  })

  test.each([
    ['both of 0.23', '0.23.0', '0.23.0', 'first'],
    ['a release candidate of 0.23 after 0.22', '0.22.1', '0.23.0-rc.1', 'first'],
    ['0.22 after 0.23', '0.23.0', '0.22.1', 'first'],
    ['0.25 after 0.22', '0.22.1', '0.25.0', 'first'],
    ['both before 0.23', '0.22.1', '0.22.1', 'second'],
    ['0.9 and 0.22', '0.9.3', '0.22.1', 'second'],
    ['1.0 counts as new', '0.22.1', '1.0.0', 'first'],
    ['an unreadable version counts as new', '0.22.1', 'dev', 'first'],
    ['no version counts as new', '0.22.1', undefined, 'first'],
  ])('and the first: %s', (_, firstVersion, secondVersion, winner) => {
    const world = createWorld()
    const first = world.join({ version: firstVersion })
    const second = world.join({ version: secondVersion })
    first.says(registerFunction('x::f'))
    second.says(registerFunction('x::f'))
    expect(second.hears()).toEqual(winner === 'first' ? [conflict('x::f', first)] : [])
    expect(first.hears()).toEqual([])
    expect(answererOf(world, 'x::f', { first, second })).toBe(winner)
  })

  test('takes over when the owner leaves', () => {
    const world = createWorld()
    const a = world.join()
    const b = world.join()
    a.says(registerFunction('x::f'))
    b.says(registerFunction('x::f'))
    b.hears()
    a.leaves()
    expect(b.hears()).toEqual([])
    expect(answererOf(world, 'x::f', { b })).toBe('b')
  })

  test('takes over when the owner unregisters, in the order in which they came', () => {
    const world = createWorld()
    const [a, b, c] = [world.join(), world.join(), world.join()]
    for (const worker of [a, b, c]) worker.says(registerFunction('x::f'))
    a.says(unregisterFunction('x::f'))
    expect(answererOf(world, 'x::f', { a, b, c })).toBe('b')
    b.leaves()
    expect(answererOf(world, 'x::f', { a, b, c })).toBe('c')
    c.leaves()
    expect(answererOf(world, 'x::f', { a, b, c })).toBe('nobody')
  })

  test('that has unregistered or left does not take over', () => {
    const world = createWorld()
    const [a, b, c] = [world.join(), world.join(), world.join()]
    for (const worker of [a, b, c]) worker.says(registerFunction('x::f'))
    b.says(unregisterFunction('x::f'))
    c.leaves()
    a.leaves()
    expect(answererOf(world, 'x::f', { a, b, c })).toBe('nobody')
    expect(world.engine.state.directory.functions.inDefault.has('x::f')).toBe(false)
  })

  test('that asks again waits once, with its newest definition', () => {
    const world = createWorld()
    const a = world.join()
    const b = world.join()
    a.says(registerFunction('x::f'))
    b.says(registerFunction('x::f', { description: 'old' }), registerFunction('x::f', { description: 'new' }))
    expect(b.hears()).toEqual([conflict('x::f', a), conflict('x::f', a)])
    const record = world.engine.state.directory.functions.inDefault.get('x::f')
    expect(record?.waiting.map(layer => layer.definition.description)).toEqual(['new'])
  })

  test('is told each time and its refusals are kept for its details, the newest ones', () => {
    const world = createWorld({ limits: { refusalsKept: 3 } })
    const a = world.join()
    const b = world.join()
    for (const id of ['f1', 'f2', 'f3', 'f4']) {
      a.says(registerFunction(id))
      b.says(registerFunction(id))
    }
    const refusals = world.engine.state.directory.workers.get(b.id)?.refusals
    expect(refusals?.map(({ what, id }) => `${what} ${id}`)).toEqual([
      'function f2',
      'function f3',
      'function f4',
    ])
    expect(refusals?.[0]?.reason).toContain(a.id)
  })

  test('of the older kind pushes the owner back into line; it answers again when the newer one leaves', () => {
    const world = createWorld()
    const old = { version: '0.22.1' }
    const [a, b, c] = [world.join(old), world.join(old), world.join(old)]
    for (const worker of [a, b, c]) worker.says(registerFunction('x::f'))
    expect(answererOf(world, 'x::f', { a, b, c })).toBe('c')
    c.leaves()
    expect(answererOf(world, 'x::f', { a, b, c })).toBe('b')
    a.leaves()
    b.leaves()
    expect(answererOf(world, 'x::f', { a, b, c })).toBe('nobody')
  })
})

describe('a built-in', () => {
  test('is replaced by a worker that registers its id, and answers again when that worker leaves', () => {
    const world = createWorld()
    const state = world.builtIn()
    state.says(registerFunction('state::get'))
    const a = world.join()
    a.says(registerFunction('state::get'))
    expect(a.hears()).toEqual([])
    expect(answererOf(world, 'state::get', { state, a })).toBe('a')
    a.leaves()
    expect(answererOf(world, 'state::get', { state, a })).toBe('state')
  })

  test('answers again when the worker that replaced it unregisters the id', () => {
    const world = createWorld()
    const state = world.builtIn()
    state.says(registerFunction('state::get'))
    const a = world.join()
    a.says(registerFunction('state::get'), unregisterFunction('state::get'))
    expect(answererOf(world, 'state::get', { state, a })).toBe('state')
  })

  test('that comes later lies below the worker that is there already', () => {
    const world = createWorld()
    const a = world.join()
    a.says(registerFunction('state::get'))
    const state = world.builtIn()
    state.says(registerFunction('state::get'))
    expect(answererOf(world, 'state::get', { state, a })).toBe('a')
    a.leaves()
    expect(answererOf(world, 'state::get', { state, a })).toBe('state')
  })

  test('comes back only after every worker that waits for its id', () => {
    const world = createWorld()
    const state = world.builtIn()
    state.says(registerFunction('state::get'))
    const [a, b] = [world.join(), world.join()]
    a.says(registerFunction('state::get'))
    b.says(registerFunction('state::get'))
    a.leaves()
    expect(answererOf(world, 'state::get', { state, b })).toBe('b')
    b.leaves()
    expect(answererOf(world, 'state::get', { state, b })).toBe('state')
  })

  test('that leaves or unregisters an id leaves the worker above it in place', () => {
    const world = createWorld()
    const state = world.builtIn()
    state.says(registerFunction('state::get'), registerFunction('state::set'))
    const a = world.join()
    a.says(registerFunction('state::get'), registerFunction('state::set'))
    state.says(unregisterFunction('state::get'))
    state.leaves()
    expect(answererOf(world, 'state::get', { a })).toBe('a')
    expect(answererOf(world, 'state::set', { a })).toBe('a')
    a.leaves()
    expect(world.engine.state.directory.functions.inDefault.size).toBe(0)
  })

  test('is not found under its id in another namespace', () => {
    const world = createWorld()
    const state = world.builtIn()
    state.says(registerFunction('state::get'))
    expect(answererOf(world, 'state::get', { state }, 'team')).toBe('nobody')
  })
})
