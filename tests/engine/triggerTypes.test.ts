/** Trigger types and who provides them (`docs/protocol/json.md#trigger-types`). */
import { describe, expect, test } from 'bun:test'
import {
  boundAnswer,
  createWorld,
  type Puppet,
  registerTrigger,
  registerType,
  unregisterType,
  type World,
} from '../support/world.ts'
import { outline } from './support.ts'

function bindingOf(world: World, id: string) {
  return world.engine.state.directory.triggers.bindings.get(id)
}

function heardBy(...workers: Puppet[]): string[][] {
  return workers.map(worker => outline(worker.hears()))
}

describe('a trigger type', () => {
  test('registered again by another worker is provided by that one: its bindings move', () => {
    const world = createWorld()
    const [a, b, consumer] = [world.join(), world.join(), world.join()]
    a.says(registerType('tick'))
    consumer.says(registerTrigger('T1', 'tick'))
    b.says(registerType('tick'))
    expect(heardBy(a, b)).toEqual([['registertrigger T1', 'unregistertrigger T1'], ['registertrigger T1']])
  })

  test('falls back to the provider below when the newer one leaves or unregisters it', () => {
    const world = createWorld()
    const [a, b, c, consumer] = [world.join(), world.join(), world.join(), world.join()]
    for (const provider of [a, b, c]) provider.says(registerType('tick'))
    consumer.says(registerTrigger('T1', 'tick'))
    heardBy(a, b, c)
    c.leaves()
    expect(heardBy(a, b)).toEqual([[], ['registertrigger T1']])
    b.says(unregisterType('tick'))
    expect(heardBy(a, b)).toEqual([['registertrigger T1'], ['unregistertrigger T1']])
    expect(consumer.hears()).toEqual([])
  })

  test('of a built-in is replaced by a worker and comes back when that one goes', () => {
    const world = createWorld()
    const cron = world.builtIn()
    cron.says(registerType('cron'))
    const [a, consumer] = [world.join(), world.join()]
    consumer.says(registerTrigger('T1', 'cron'))
    a.says(registerType('cron'))
    expect(heardBy(cron, a)).toEqual([['registertrigger T1', 'unregistertrigger T1'], ['registertrigger T1']])
    a.leaves()
    expect(heardBy(cron)).toEqual([['registertrigger T1']])
  })

  test('of a built-in that comes later lies below the worker that provides it', () => {
    const world = createWorld()
    const [a, consumer] = [world.join(), world.join()]
    a.says(registerType('cron'))
    consumer.says(registerTrigger('T1', 'cron'))
    const cron = world.builtIn()
    cron.says(registerType('cron'))
    expect(bindingOf(world, 'T1')?.providerId).toBe(a.id)
    expect(heardBy(cron)).toEqual([[]])
    a.leaves()
    expect(heardBy(cron)).toEqual([['registertrigger T1']])
  })

  test('registered again by its provider has every binding replayed', () => {
    const world = createWorld()
    const [a, consumer] = [world.join(), world.join()]
    a.says(registerType('tick'), registerType('tock'))
    consumer.says(registerTrigger('T1', 'tick'), registerTrigger('T2', 'tick'), registerTrigger('T3', 'tock'))
    heardBy(a)
    a.says(registerType('tick'))
    expect(heardBy(a)).toEqual([['registertrigger T1', 'registertrigger T2']])
  })

  test('replays to its newest provider what is bound, parked and refused', () => {
    const world = createWorld()
    const [a, consumer] = [world.join(), world.join()]
    consumer.says(registerTrigger('parked', 'tick'))
    a.says(registerType('tick'))
    consumer.says(registerTrigger('refused', 'tick'))
    a.says(boundAnswer(a.hears()[1], { code: 'no', message: 'no' }))
    a.leaves()
    const b = world.join()
    b.says(registerType('tick'))
    expect(heardBy(b)).toEqual([['registertrigger parked', 'registertrigger refused']])
  })

  test('that is unregistered parks its bindings, and cannot be unregistered by others', () => {
    const world = createWorld()
    const [a, b, consumer] = [world.join(), world.join(), world.join()]
    a.says(registerType('tick'))
    consumer.says(registerTrigger('T1', 'tick'))
    b.says(unregisterType('tick'), unregisterType('unknown'))
    expect(bindingOf(world, 'T1')?.providerId).toBe(a.id)
    a.says(unregisterType('tick'))
    expect(bindingOf(world, 'T1')?.parkedReason).toBe("no worker provides trigger type 'tick'")
    expect(world.log.warnings()).toEqual([expect.stringContaining('[DISABLED]')])
  })

  test('with many triggers that goes is worth a few lines in the log, and their number', () => {
    const world = createWorld()
    const [a, consumer] = [world.join(), world.join()]
    a.says(registerType('tick'))
    for (let i = 0; i < 500; i++) consumer.says(registerTrigger(`M${i}`, 'tick'))
    a.leaves()
    expect(world.log.warnings()).toHaveLength(11)
    const warned = world.log.lines.filter(({ level }) => level === 'warn')
    expect(warned.at(-1)?.fields).toMatchObject({ trigger_type: 'tick', count: 500 })
    const parked = [...world.engine.state.directory.triggers.bindings.values()]
    expect(parked.every(({ parkedReason }) => parkedReason !== undefined)).toBe(true)
  })

  test('with a blank namespace or id is dropped and noted', () => {
    const world = createWorld()
    const a = world.join()
    a.says(registerType('tick', { namespace: ' ' }), registerType(' '))
    expect(a.hears()).toEqual([])
    expect(world.engine.state.directory.triggers.types.size).toBe(0)
    expect(world.log.warnings()).toEqual([
      'trigger type refused: its namespace is blank',
      'trigger type refused: its id is blank',
    ])
  })
})

describe('the provider of a binding', () => {
  test('is looked for in the home namespace of its owner first, then in default', () => {
    const world = createWorld()
    const [common, own] = [world.join(), world.join({ namespace: 'team' })]
    common.says(registerType('tick'))
    own.says(registerType('tick'))
    world.join({ namespace: 'team' }).says(registerTrigger('T1', 'tick'))
    world.join({ namespace: 'other' }).says(registerTrigger('T2', 'tick'))
    world.join().says(registerTrigger('T3', 'tick'))
    expect(heardBy(common, own)).toEqual([
      ['registertrigger T2', 'registertrigger T3'],
      ['registertrigger T1'],
    ])
  })

  test('becomes the one of the home namespace when that registers the type: re-homed from default', () => {
    const world = createWorld()
    const common = world.join()
    common.says(registerType('tick'))
    world.join({ namespace: 'team' }).says(registerTrigger('T1', 'tick'))
    world.join().says(registerTrigger('T2', 'tick'))
    heardBy(common)
    const own = world.join({ namespace: 'team' })
    own.says(registerType('tick'))
    expect(heardBy(common, own)).toEqual([['unregistertrigger T1'], ['registertrigger T1']])
    own.leaves()
    expect(heardBy(common)).toEqual([['registertrigger T1']])
  })

  test('is the home one even if default registers its type again', () => {
    const world = createWorld()
    const [common, own] = [world.join(), world.join({ namespace: 'team' })]
    common.says(registerType('tick'))
    own.says(registerType('tick'))
    world.join({ namespace: 'team' }).says(registerTrigger('T1', 'tick'))
    heardBy(common, own)
    common.says(registerType('tick'))
    expect(heardBy(common, own)).toEqual([[], []])
  })

  test('in a namespace that was asked for is taken from there only, and waited for', () => {
    const world = createWorld()
    const [common, consumer] = [world.join(), world.join({ namespace: 'team' })]
    common.says(registerType('tick'))
    consumer.says(registerTrigger('T1', 'tick', 'x::f', { trigger_namespace: 'elsewhere' }))
    expect(heardBy(common)).toEqual([[]])
    expect(bindingOf(world, 'T1')?.parkedReason).toBeDefined()
    const asked = world.join({ namespace: 'elsewhere' })
    asked.says(registerType('tick'))
    expect(heardBy(asked)).toEqual([['registertrigger T1']])
    asked.leaves()
    expect(bindingOf(world, 'T1')?.parkedReason).toBeDefined()
    expect(heardBy(common)).toEqual([[]])
  })

  test('may be registered for another namespace than that of its connection', () => {
    const world = createWorld()
    const a = world.join()
    a.says(registerType('tick', { namespace: 'team' }))
    world.join({ namespace: 'team' }).says(registerTrigger('T1', 'tick'))
    world.join().says(registerTrigger('T2', 'tick'))
    expect(a.hears()).toEqual([
      {
        type: 'registertrigger',
        id: 'T1',
        trigger_type: 'tick',
        function_id: 'target::run',
        config: {},
        trigger_namespace: 'team',
      },
    ])
    a.says({ ...unregisterType('tick'), namespace: 'team' })
    expect(bindingOf(world, 'T1')?.providerId).toBeUndefined()
  })
})
