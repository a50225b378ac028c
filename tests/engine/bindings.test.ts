/** Triggers: bound, parked, bound again (`docs/protocol/json.md#triggers`). */
import { describe, expect, test } from 'bun:test'
import {
  boundAnswer,
  createWorld,
  registerTrigger,
  registerType,
  unregisterTrigger,
  unregisterType,
  type World,
} from '../support/world.ts'
import { outline } from './support.ts'

const REFUSAL = { code: 'bad_config', message: 'no such bucket', stacktrace: 'at line 1' }

function bindingOf(world: World, id: string) {
  return world.engine.state.directory.triggers.bindings.get(id)
}

describe('a trigger', () => {
  test('is sent to its provider as its owner wrote it, and not acknowledged', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('http'))
    owner.saysText(
      '{"type":"registertrigger","id":"T1","trigger_type":"http","function_id":"x::f","config":{"big":9007199254740993,"z":1,"a":1.0},"metadata":{"team":"x"},"namespace":"team","message_type":"ignored"}',
    )
    expect(provider.hearsText()).toEqual([
      '{"type":"registertrigger","id":"T1","trigger_type":"http","function_id":"x::f","config":{"big":9007199254740993,"z":1,"a":1.0},"metadata":{"team":"x"},"namespace":"team"}',
    ])
    expect(owner.hears()).toEqual([])
  })

  test('names the namespaces only when they are not default, and the provider where it is filed', () => {
    const world = createWorld()
    const provider = world.join({ namespace: 'store' })
    provider.says(registerType('tick'))
    const owner = world.join({ namespace: 'store' })
    owner.says(registerTrigger('T1', 'tick', 'x::f', { namespace: 'default' }))
    expect(provider.hears()).toMatchObject([{ id: 'T1', trigger_namespace: 'store' }])
    owner.says(registerTrigger('T2', 'tick', 'x::f', { namespace: 'store' }))
    const [heard] = provider.hears()
    expect(heard).toMatchObject({ namespace: 'store', trigger_namespace: 'store' })
  })

  test('without a config gets null as its config', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.saysText('{"type":"registertrigger","id":"T1","trigger_type":"tick","function_id":"x::f"}')
    expect(provider.hears()).toMatchObject([{ config: null }])
  })

  test('of a type nobody provides is parked in silence, with a hint in the log who usually does', () => {
    const world = createWorld()
    const owner = world.join()
    world.engine.state.directory.triggers.builtIns = new Set(['iii-http'])
    owner.says(...['http', 'cron', 'own::type'].map((type, at) => registerTrigger(`T${at}`, type)))
    expect(owner.hears()).toEqual([])
    const [here, later, unknown] = world.log.warnings()
    expect(here).toContain('add `- name: iii-http` to `workers:` in config.yaml')
    expect(later).toContain('the built-in iii-cron will provide it, which is not part of this version yet')
    expect(unknown).toEndWith("no worker provides trigger type 'own::type'")
  })

  test('of a mistyped type is parked with the nearest name in the log, registered or usual', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('warehouse::moved'))
    owner.says(registerTrigger('T1', 'htpp'), registerTrigger('T2', 'warehose::moved'))
    const [usual, registered] = world.log.warnings()
    expect(usual).toEndWith("; did you mean 'http'?")
    expect(registered).toEndWith("; did you mean 'warehouse::moved'?")
  })

  test('is bound when a provider of its type comes, and again when it comes back', () => {
    const world = createWorld()
    const owner = world.join()
    owner.says(registerTrigger('T1', 'tick'))
    for (let round = 0; round < 3; round++) {
      const provider = world.join()
      provider.says(registerType('tick'))
      expect(outline(provider.hears())).toEqual(['registertrigger T1'])
      provider.leaves()
      expect(bindingOf(world, 'T1')?.parkedReason).toBeDefined()
    }
    expect(owner.hears()).toEqual([])
  })

  test('and its provider may be one connection, and its function need not exist', () => {
    const world = createWorld()
    const both = world.join()
    both.says(registerType('tick'), registerTrigger('T1', 'tick', 'never::registered'))
    expect(outline(both.hears())).toEqual(['registertrigger T1'])
  })

  test.each([
    ['namespace', { namespace: '' }],
    ['trigger_namespace', { trigger_namespace: '  ' }],
    ['namespace', { namespace: '', trigger_namespace: '' }],
  ])('with a blank %s is refused', (field, more) => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick', 'x::f', more))
    expect(owner.hears()).toEqual([
      {
        type: 'triggerregistrationresult',
        id: 'T1',
        trigger_type: 'tick',
        function_id: 'x::f',
        error: {
          code: 'INVALID_NAMESPACE',
          message: `\`${field}\` is empty: it was named and left blank. Give it a name, or omit it to use \`default\`.`,
        },
      },
    ])
    expect(provider.hears()).toEqual([])
    expect(bindingOf(world, 'T1')).toBeUndefined()
    expect(world.engine.state.directory.workers.get(owner.id)?.refusals).toMatchObject([
      { what: 'trigger', id: 'T1', reason: `its ${field} is blank` },
    ])
  })

  test.each([
    ['id', registerTrigger(' ', 'tick', 'x::f')],
    ['trigger type', registerTrigger('T1', '', 'x::f')],
    ['function id', registerTrigger('T1', 'tick', '\t')],
  ])('with a blank %s is refused with the reason', (name, message) => {
    const world = createWorld()
    const owner = world.join()
    owner.says(message)
    expect(owner.hears()).toMatchObject([
      {
        type: 'triggerregistrationresult',
        error: { code: 'trigger_registration_failed', message: `Trigger refused: its ${name} is blank.` },
      },
    ])
  })
})

describe('an id that is used again', () => {
  test('for the same type overwrites: the provider binds anew and forgets nothing', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick', 'x::old', { config: 1 }))
    owner.says(registerTrigger('T1', 'tick', 'x::new', { config: 2 }))
    expect(provider.hears()).toMatchObject([
      { type: 'registertrigger', function_id: 'x::old', config: 1 },
      { type: 'registertrigger', function_id: 'x::new', config: 2 },
    ])
    expect(world.engine.state.directory.triggers.bindings.size).toBe(1)
  })

  test('for another type moves: the former provider forgets it', () => {
    const world = createWorld()
    const [ticks, tocks, owner] = [world.join(), world.join(), world.join()]
    ticks.says(registerType('tick'))
    tocks.says(registerType('tock'))
    owner.says(registerTrigger('T1', 'tick'))
    ticks.hears()
    owner.says(registerTrigger('T1', 'tock'))
    expect(ticks.hears()).toEqual([{ type: 'unregistertrigger', id: 'T1', trigger_type: 'tick' }])
    expect(outline(tocks.hears())).toEqual(['registertrigger T1'])
    ticks.says(registerType('tick'))
    expect(ticks.hears()).toEqual([])
  })

  test('for a type nobody provides is taken from its provider and parked', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'), registerTrigger('T1', 'nobody::has'))
    expect(outline(provider.hears())).toEqual(['registertrigger T1', 'unregistertrigger T1'])
    expect(bindingOf(world, 'T1')?.parkedReason).toContain('nobody::has')
  })

  test('by another worker belongs to that worker from then on', () => {
    const world = createWorld()
    const [provider, first, second] = [world.join(), world.join(), world.join()]
    provider.says(registerType('tick'))
    first.says(registerTrigger('T1', 'tick'))
    second.says(registerTrigger('T1', 'tick'))
    provider.hears()
    first.leaves()
    expect(provider.hears()).toEqual([])
    second.leaves()
    expect(outline(provider.hears())).toEqual(['unregistertrigger T1'])
  })
})

describe('unregistering a trigger', () => {
  test('tells the provider which type it was, whatever the sender says', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'), { ...unregisterTrigger('T1'), trigger_type: 'wrong' })
    expect(provider.hears()[1]).toEqual({ type: 'unregistertrigger', id: 'T1', trigger_type: 'tick' })
  })

  test('may be done by anyone, twice, and for unknown ids', () => {
    const world = createWorld()
    const [provider, owner, other] = [world.join(), world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'))
    provider.hears()
    other.says(unregisterTrigger('T1'), unregisterTrigger('T1'), unregisterTrigger('unknown'))
    expect(outline(provider.hears())).toEqual(['unregistertrigger T1'])
    expect(other.hears()).toEqual([])
  })

  test('drops a parked one, which does not come back', () => {
    const world = createWorld()
    const owner = world.join()
    owner.says(registerTrigger('T1', 'tick'), unregisterTrigger('T1'))
    const provider = world.join()
    provider.says(registerType('tick'))
    expect(provider.hears()).toEqual([])
  })
})

describe('when the owner leaves', () => {
  test('its bound triggers are taken from their providers and its parked ones dropped', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'), registerTrigger('T2', 'tick'), registerTrigger('P', 'tock'))
    provider.hears()
    owner.leaves()
    expect(provider.hears()).toEqual([
      { type: 'unregistertrigger', id: 'T1', trigger_type: 'tick' },
      { type: 'unregistertrigger', id: 'T2', trigger_type: 'tick' },
    ])
    provider.says(registerType('tock'))
    expect(provider.hears()).toEqual([])
  })

  test('triggers of others stay', () => {
    const world = createWorld()
    const [provider, owner, other] = [world.join(), world.join(), world.join()]
    provider.says(registerType('tick'))
    other.says(registerTrigger('O', 'tick'))
    owner.says(registerTrigger('T1', 'tick'))
    owner.leaves()
    expect(bindingOf(world, 'O')?.providerId).toBe(provider.id)
  })
})

describe('the answer of a provider', () => {
  test('of success goes no further', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'))
    provider.says(boundAnswer(provider.hears()[0]))
    expect(owner.hears()).toEqual([])
    expect(bindingOf(world, 'T1')?.providerId).toBe(provider.id)
  })

  test('of refusal parks the trigger and tells its owner, with the type and function the engine knows', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick', 'x::f'))
    provider.says({
      ...boundAnswer({ type: '', id: 'T1', trigger_type: 'other', function_id: 'y::g' }, REFUSAL),
    })
    expect(owner.hears()).toEqual([
      {
        type: 'triggerregistrationresult',
        id: 'T1',
        trigger_type: 'tick',
        function_id: 'x::f',
        error: REFUSAL,
      },
    ])
    expect(bindingOf(world, 'T1')?.parkedReason).toBe('refused by its provider: bad_config')
  })

  test('of refusal is kept for the details of the owner, however long it is', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'))
    const error = { code: 'c'.repeat(100_000), message: 'm'.repeat(100_000) }
    provider.says(boundAnswer(provider.hears()[0], error))
    expect(owner.hears()).toMatchObject([{ error }])
    const kept = world.engine.state.directory.workers.get(owner.id)?.refusals
    expect(kept).toMatchObject([{ what: 'trigger', id: 'T1', reason: expect.stringContaining('ccc') }])
    expect(JSON.stringify([kept, bindingOf(world, 'T1')?.parkedReason, world.log.lines]).length).toBeLessThan(
      3000,
    )
  })

  test('of refusal is asked again when the provider registers the type anew, and not before', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'))
    provider.says(boundAnswer(provider.hears()[0], REFUSAL))
    world.join({ namespace: 'elsewhere' }).says(registerType('tick'))
    const passing = world.join()
    passing.says(registerType('tock'))
    passing.leaves()
    owner.says(registerTrigger('T2', 'tick'))
    expect(outline(provider.hears())).toEqual(['registertrigger T2'])
    provider.says(registerType('tick'))
    expect(outline(provider.hears())).toEqual(['registertrigger T1', 'registertrigger T2'])
  })

  test('of refusal is not the last word when another worker provides the type', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'))
    provider.says(boundAnswer(provider.hears()[0], REFUSAL))
    const other = world.join()
    other.says(registerType('tick'))
    expect(outline(other.hears())).toEqual(['registertrigger T1'])
    other.says(unregisterType('tick'))
    expect(outline(provider.hears())).toEqual(['registertrigger T1'])
  })

  test('of refusal by a built-in drops the trigger', () => {
    const world = createWorld()
    const cron = world.builtIn()
    cron.says(registerType('cron'))
    const owner = world.join()
    owner.says(registerTrigger('T1', 'cron', 'x::f'))
    cron.says(boundAnswer(cron.hears()[0], REFUSAL))
    expect(owner.hears()).toMatchObject([{ type: 'triggerregistrationresult', id: 'T1', error: REFUSAL }])
    expect(bindingOf(world, 'T1')).toBeUndefined()
    cron.says(registerType('cron'))
    expect(cron.hears()).toEqual([])
  })

  test('counts only from the connection that provides the type', () => {
    const world = createWorld()
    const [provider, owner, stranger] = [world.join(), world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'))
    const [bind] = provider.hears()
    stranger.says(boundAnswer(bind, REFUSAL))
    owner.says(boundAnswer(bind, REFUSAL))
    expect(owner.hears()).toEqual([])
    expect(bindingOf(world, 'T1')?.providerId).toBe(provider.id)
    expect(world.log.warnings()).toHaveLength(2)
  })

  test('is ignored when the trigger is gone or parked', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'), registerTrigger('T2', 'tick'))
    const [first, second] = provider.hears()
    owner.says(unregisterTrigger('T1'))
    provider.says(boundAnswer(first, REFUSAL), unregisterType('tick'), boundAnswer(second, REFUSAL))
    expect(owner.hears()).toEqual([])
  })

  test('of refusal reaches nobody when the owner has left', () => {
    const world = createWorld()
    const [provider, owner] = [world.join(), world.join()]
    provider.says(registerType('tick'))
    owner.says(registerTrigger('T1', 'tick'))
    const [bind] = provider.hears()
    owner.leaves()
    provider.says(boundAnswer(bind, REFUSAL))
    expect(bindingOf(world, 'T1')).toBeUndefined()
  })
})
