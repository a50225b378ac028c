/** `engine::triggers::*` and `engine::registered-triggers::*` (`docs/discovery.md#a-trigger`). */
import { describe, expect, test } from 'bun:test'
import { createClient } from '../../../sdk/typescript/src/client.ts'
import { createLocalLink } from '../../../src/engine/links/local.ts'
import { createLocalTransport } from '../../../src/threads/localTransport.ts'
import { httpTriggerType, parseHttpTrigger } from '../../../workers/http/trigger.ts'
import { createSeededIds } from '../../support/fakes.ts'
import { boundAnswer, registerFunction, registerTrigger, registerType } from '../../support/world.ts'
import { createDiscovery } from './support.ts'

const LIST_TYPES = 'engine::triggers::list'
const TYPE_INFO = 'engine::triggers::info'
const LIST = 'engine::registered-triggers::list'
const INFO = 'engine::registered-triggers::info'

interface Types {
  triggers: { id: string }[]
}
interface Bindings {
  registered_triggers: { id: string; config_summary: string }[]
}

describe('the list of trigger types', () => {
  test('has types, not bindings, sorted by id, and hides those of the engine unless asked', async () => {
    const world = await createDiscovery()
    const a = world.join({ name: 'a', namespace: 'team' })
    a.says(
      registerType('tock', { description: 'Tocks' }),
      registerType('tick'),
      registerTrigger('T1', 'tick'),
    )
    const { result } = await world.ask<Types>(LIST_TYPES)
    expect(result).toEqual({
      triggers: [
        { id: 'tick', namespace: 'team', worker_name: 'a', description: '' },
        { id: 'tock', namespace: 'team', worker_name: 'a', description: 'Tocks' },
      ],
    } as never)
    const all = await world.ask<Types>(LIST_TYPES, { include_internal: true })
    expect(all.result.triggers.map(({ id }) => id)).toEqual([
      'engine::functions-available',
      'engine::workers-available',
      'tick',
      'tock',
    ])
  })

  test('can be narrowed by search, prefix and worker', async () => {
    const world = await createDiscovery()
    world.join({ name: 'a' }).says(registerType('one::tick'), registerType('two', { description: 'A TICK' }))
    world.join({ name: 'b' }).says(registerType('one::tock'))
    const ask = async (input: object): Promise<string[]> =>
      (await world.ask<Types>(LIST_TYPES, input)).result.triggers.map(({ id }) => id)
    expect(await ask({ search: 'Tick' })).toEqual(['one::tick', 'two'])
    expect(await ask({ prefix: 'one' })).toEqual(['one::tick', 'one::tock'])
    expect(await ask({ worker: 'b' })).toEqual(['one::tock'])
  })

  test('names the worker that provides a type now', async () => {
    const world = await createDiscovery()
    world.builtIn('iii-cron').says(registerType('cron', { description: 'built-in' }))
    const own = world.join({ name: 'own' })
    own.says(registerType('cron', { description: 'own' }))
    const now = async (): Promise<unknown> => (await world.ask<Types>(LIST_TYPES)).result.triggers
    expect(await now()).toMatchObject([{ worker_name: 'own', description: 'own' }])
    own.leaves()
    expect(await now()).toMatchObject([{ worker_name: 'iii-cron', description: 'built-in' }])
  })
})

describe('the details of a trigger type', () => {
  test('have its schemas and count the bindings that are bound', async () => {
    const world = await createDiscovery()
    const a = world.join({ name: 'a' })
    a.says(
      registerType('tick', {
        description: 'Ticks',
        trigger_request_format: { type: 'object' },
        call_request_format: { type: 'number' },
      }),
      registerTrigger('T1', 'tick'),
      registerTrigger('T2', 'tick'),
      registerTrigger('refused', 'tick'),
      registerTrigger('other', 'tock'),
    )
    const binds = a.hears()
    a.says(boundAnswer(binds[2], { code: 'no', message: 'no' }))
    const { result } = await world.ask(TYPE_INFO, { id: 'tick' })
    expect(result).toEqual({
      id: 'tick',
      namespace: 'default',
      worker_name: 'a',
      description: 'Ticks',
      configuration_schema: { type: 'object' },
      request_schema: { type: 'number' },
      instance_count: 2,
    })
  })

  test('are looked for in default or in the namespace that is named', async () => {
    const world = await createDiscovery()
    world.join({ namespace: 'team' }).says(registerType('tick'))
    expect((await world.ask(TYPE_INFO, { id: 'tick', namespace: 'team' })).result).toMatchObject({
      id: 'tick',
    })
    expect((await world.ask(TYPE_INFO, { id: 'tick' })).error).toEqual({
      code: 'NOT_FOUND',
      message: "Trigger type 'tick' is not registered in namespace 'default'.",
    })
    expect((await world.ask(TYPE_INFO, {})).error?.code).toBe('INVALID_ARGUMENTS')
  })
})

describe('the list of bindings', () => {
  test('has one row per bound trigger, sorted by id, with the worker of its target', async () => {
    const world = await createDiscovery()
    const [provider, owner] = [world.join({ name: 'provider' }), world.join({ name: 'owner' })]
    provider.says(registerType('tick'))
    owner.says(
      registerFunction('x::f'),
      registerTrigger('T2', 'tick', 'nobody::f'),
      registerTrigger('T1', 'tick', 'x::f', { config: { every: 5 } }),
    )
    const { result } = await world.ask(LIST)
    expect(result).toEqual({
      registered_triggers: [
        {
          id: 'T1',
          trigger_type: 'tick',
          function_id: 'x::f',
          namespace: 'default',
          worker_name: 'owner',
          config: { every: 5 },
          config_summary: '{"every":5}',
        },
        {
          id: 'T2',
          trigger_type: 'tick',
          function_id: 'nobody::f',
          namespace: 'default',
          worker_name: 'nobody',
          config: {},
          config_summary: '{}',
        },
      ],
    })
  })

  test('cuts the summary of a config at 80 characters', async () => {
    const world = await createDiscovery()
    const a = world.join()
    a.says(registerType('tick'))
    a.says(registerTrigger('short', 'tick', 'x::f', { config: 'c'.repeat(78) }))
    a.says(registerTrigger('long', 'tick', 'x::f', { config: '😀'.repeat(79) }))
    const { result } = await world.ask<Bindings>(LIST)
    const [long, short] = result.registered_triggers.map(({ config_summary }) => config_summary)
    expect(short).toBe(`"${'c'.repeat(78)}"`)
    expect(long).toBe(`"${'😀'.repeat(79)}…`)
  })

  test('shows parked and refused ones only when asked, with the reason', async () => {
    const world = await createDiscovery()
    const a = world.join()
    a.says(registerType('tick'), registerTrigger('refused', 'tick'), registerTrigger('parked', 'tock'))
    a.says(boundAnswer(a.hears()[0], { code: 'bad_config', message: 'no' }))
    expect((await world.ask<Bindings>(LIST)).result.registered_triggers).toEqual([])
    const { result } = await world.ask<Bindings>(LIST, { include_pending: true })
    expect(result.registered_triggers).toMatchObject([
      { id: 'parked', pending: true, reason: "no worker provides trigger type 'tock'" },
      { id: 'refused', pending: true, reason: 'refused by its provider: bad_config' },
    ])
  })

  test('shows what a built-in accepts and will not do, and counts it with the owner', async () => {
    const world = await createDiscovery()
    const [engineSide, workerSide] = createLocalLink()
    engineSide.listen(world.engine.connect(engineSide, { builtIn: true, ipAddress: undefined }).receiver)
    const newId = createSeededIds(78)
    const client = createClient({ transport: createLocalTransport(workerSide), clock: world.clock, newId })
    client.registerTriggerType(httpTriggerType, {
      bind: ({ config }) => parseHttpTrigger(config).warnings,
      unbind() {},
    })
    await world.settled()
    const a = world.join({ name: 'a' })
    const config = { api_path: '/x', http_metod: 'POST' }
    a.says(registerTrigger('fine', 'http', 'x::f', { config: { api_path: '/y' } }))
    a.says(registerTrigger('odd', 'http', 'x::f', { config }))
    await world.settled()
    const warnings = ["unknown key 'http_metod' in the config was ignored"]
    const row = { id: 'odd', trigger_type: 'http', warnings }
    const [fine, odd] = (await world.ask<Bindings>(LIST)).result.registered_triggers
    expect(fine).not.toHaveProperty('warnings')
    expect(odd).toMatchObject(row)
    expect((await world.ask(INFO, { id: 'odd' })).result).toMatchObject(row)
    const { result } = await world.ask('engine::workers::info', { name: 'a' })
    expect(result).toMatchObject({ worker: { warnings: { 'accepted in part': 1 } } })
    // Written right, it is in order.
    a.says(registerTrigger('odd', 'http', 'x::f', { config: { api_path: '/x' } }))
    await world.settled()
    expect((await world.ask(INFO, { id: 'odd' })).result).not.toHaveProperty('warnings')
  })

  test('hides those whose target is the engine, unless asked, and can be narrowed', async () => {
    const world = await createDiscovery()
    const a = world.join({ name: 'a' })
    a.says(
      registerType('tick'),
      registerType('tock'),
      registerFunction('x::f'),
      registerTrigger('internal', 'tick', 'engine::functions::list'),
      registerTrigger('one', 'tick', 'x::f'),
      registerTrigger('two', 'tock', 'y::g'),
    )
    const ask = async (input: object): Promise<string[]> =>
      (await world.ask<Bindings>(LIST, input)).result.registered_triggers.map(({ id }) => id)
    expect(await ask({})).toEqual(['one', 'two'])
    expect(await ask({ include_internal: true })).toEqual(['internal', 'one', 'two'])
    expect(await ask({ trigger_type: 'tock' })).toEqual(['two'])
    expect(await ask({ function_id: 'x::f' })).toEqual(['one'])
    expect(await ask({ worker: 'a' })).toEqual(['one'])
    expect(await ask({ search: 'TOC' })).toEqual(['two'])
    expect(await ask({ search: 'one' })).toEqual(['one'])
  })
})

describe('the details of a binding', () => {
  test('have its type and its function', async () => {
    const world = await createDiscovery()
    const a = world.join({ name: 'a' })
    a.says(
      registerType('tick', { description: 'Ticks' }),
      registerFunction('x::f'),
      registerTrigger('T1', 'tick', 'x::f', { config: { every: 5 }, metadata: { team: 'x' } }),
    )
    const { result } = await world.ask(INFO, { id: 'T1' })
    expect(result).toEqual({
      id: 'T1',
      trigger_type: 'tick',
      function_id: 'x::f',
      namespace: 'default',
      worker_name: 'a',
      config: { every: 5 },
      metadata: { team: 'x' },
      trigger: {
        id: 'tick',
        namespace: 'default',
        worker_name: 'a',
        description: 'Ticks',
        instance_count: 1,
      },
      function: {
        function_id: 'x::f',
        namespace: 'default',
        worker_name: 'a',
        registered_triggers: [{ id: 'T1', trigger_type: 'tick', config: { every: 5 } }],
      },
    })
  })

  test('of a parked one without target have null for both, and the reason', async () => {
    const world = await createDiscovery()
    world.join().says(registerTrigger('T1', 'tick', 'x::f'))
    const { result } = await world.ask(INFO, { id: 'T1' })
    expect(result).toMatchObject({ trigger: null, function: null, pending: true })
    expect(result).not.toHaveProperty('metadata')
  })

  test('of an unknown one are not found', async () => {
    const world = await createDiscovery()
    expect((await world.ask(INFO, { id: 'nope' })).error).toEqual({
      code: 'NOT_FOUND',
      message: "Registered trigger 'nope' was not found.",
    })
    expect((await world.ask(INFO)).error?.code).toBe('INVALID_ARGUMENTS')
  })
})
