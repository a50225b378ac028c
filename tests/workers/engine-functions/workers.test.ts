/** `engine::workers::list` and `engine::workers::info` (`docs/discovery.md#a-worker`). */
import { describe, expect, test } from 'bun:test'
import { registerFunction, registerTrigger, registerType } from '../../support/world.ts'
import { createDiscovery } from './support.ts'

const LIST = 'engine::workers::list'
const INFO = 'engine::workers::info'

interface Listed {
  workers: { name: string | null; id: string }[]
}

const namesOf = ({ workers }: Listed): (string | null)[] => workers.map(({ name }) => name)

describe('the list of workers', () => {
  test('has every member of a row, null where nothing is known', async () => {
    const world = await createDiscovery()
    const a = world.join({ name: 'orders', pid: 42, version: '0.22.1', runtime: 'node', os: 'linux' })
    a.says(registerFunction('x::f'), registerFunction('x::g'))
    world.join().calls('x::f')
    const { result } = await world.ask<Listed>(LIST, { search: 'ORD' })
    expect(result).toEqual({
      workers: [
        {
          name: 'orders',
          description: null,
          version: '0.22.1',
          id: a.id,
          namespace: 'default',
          runtime: 'node',
          os: 'linux',
          status: 'connected',
          function_count: 2,
          connected_at_ms: Math.floor(world.clock.now()),
          active_invocations: 1,
          isolation: null,
          ip_address: '127.0.0.1',
        },
      ],
    } as never)
  })

  test('shows built-ins as available, in process', async () => {
    const world = await createDiscovery()
    const { result } = await world.ask<Listed>(LIST)
    expect(result.workers).toMatchObject([
      {
        name: 'iii-engine-functions',
        id: 'iii-engine-functions',
        version: '9.9.9',
        runtime: 'engine',
        status: 'available',
        isolation: 'in-process',
        ip_address: null,
      },
    ])
  })

  test('hides connections without a process id, browsers and unannounced ones, unless asked', async () => {
    const world = await createDiscovery()
    world.join({ name: 'browser:1' })
    world.join({ name: 'node', pid: 0 })
    world.connect()
    expect(namesOf((await world.ask<Listed>(LIST)).result)).toEqual(['iii-engine-functions', 'node'])
    const all = await world.ask<Listed>(LIST, { include_hidden: true })
    // The one that asks is there, too.
    expect(namesOf(all.result)).toEqual([null, null, 'browser:1', 'iii-engine-functions', 'node'])
  })

  test('is sorted by name, then id, and can be narrowed', async () => {
    const world = await createDiscovery()
    const old = { version: '0.22.1', pid: 1 }
    const twins = [world.join({ ...old, name: 'b' }), world.join({ ...old, name: 'b' })]
    world.join({ name: 'a', pid: 1, runtime: 'python' })
    const { result } = await world.ask<Listed>(LIST, { status: 'connected' })
    expect(result.workers.map(({ id }) => id).slice(1)).toEqual(twins.map(({ id }) => id).sort())
    expect(namesOf(result)).toEqual(['a', 'b', 'b'])
    expect(namesOf((await world.ask<Listed>(LIST, { runtime: 'python' })).result)).toEqual(['a'])
    expect(namesOf((await world.ask<Listed>(LIST, { status: 'available' })).result)).toEqual([
      'iii-engine-functions',
    ])
  })

  test('counts the functions a worker answers, not those it waits for', async () => {
    const world = await createDiscovery()
    const [a, b] = [world.join({ name: 'a', pid: 1 }), world.join({ name: 'b', pid: 1 })]
    for (const worker of [a, b]) worker.says(registerFunction('x::f'))
    const countOf = async (search: string): Promise<unknown> =>
      (await world.ask<Listed>(LIST, { search })).result.workers
    expect(await countOf('b')).toMatchObject([{ function_count: 0 }])
    a.leaves()
    expect(await countOf('b')).toMatchObject([{ function_count: 1 }])
  })
})

describe('the details of a worker', () => {
  test('have what it answers, provides and has bound, and what was refused or dropped', async () => {
    const world = await createDiscovery()
    world.join().says(registerFunction('x::taken'))
    const a = world.join({ name: 'orders', pid: 42, namespace: 'default' })
    a.says(
      registerFunction('x::f', { description: 'F' }),
      registerFunction('x::taken'),
      registerType('tick'),
      registerTrigger('T1', 'tick', 'x::f'),
    )
    a.saysText('{')
    const { result } = await world.ask(INFO, { name: 'orders' })
    expect(result).toMatchObject({
      worker: {
        name: 'orders',
        id: a.id,
        pid: 42,
        internal: false,
        function_count: 1,
        refused: [{ what: 'function', id: 'x::taken', reason: expect.stringContaining('held by worker') }],
        dropped_messages: { invalid_json: 1 },
      },
      functions: [{ function_id: 'x::f', worker_name: 'orders', description: 'F' }],
      trigger_types: [{ id: 'tick', worker_name: 'orders' }],
      registered_triggers: [{ id: 'T1', trigger_type: 'tick', config_summary: '{}' }],
    })
  })

  test('of a built-in say so', async () => {
    const world = await createDiscovery()
    const { result } = await world.ask<{ functions: object[] }>(INFO, { name: 'iii-engine-functions' })
    expect(result).toMatchObject({ worker: { internal: true, status: 'available' } })
    expect(result.functions.length).toBeGreaterThan(10)
  })

  test('are found for workers the list hides', async () => {
    const world = await createDiscovery()
    world.join({ name: 'browser:1' })
    const { result } = await world.ask(INFO, { name: 'browser:1' })
    expect(result).toMatchObject({ worker: { name: 'browser:1' } })
    expect(result.worker).not.toHaveProperty('pid')
  })

  test('are chosen by namespace when the name is in several', async () => {
    const world = await createDiscovery()
    for (const namespace of ['b', 'a']) world.join({ name: 'orders', namespace })
    expect((await world.ask(INFO, { name: 'orders', namespace: 'b' })).result).toMatchObject({
      worker: { namespace: 'b' },
    })
    expect((await world.ask(INFO, { name: 'orders' })).error).toEqual({
      code: 'NOT_FOUND',
      message:
        "Worker 'orders' is ambiguous: it is connected in namespace(s): a, b. Pass `namespace` to disambiguate.",
    })
    expect((await world.ask(INFO, { name: 'orders', namespace: 'c' })).error).toEqual({
      code: 'NOT_FOUND',
      message:
        "Worker 'orders' is not connected in the requested namespace; it is connected in namespace(s): a, b.",
    })
  })

  test('of an unknown one are not found', async () => {
    const world = await createDiscovery()
    expect((await world.ask(INFO, { name: 'nope' })).error).toEqual({
      code: 'NOT_FOUND',
      message: "Worker 'nope' is not connected.",
    })
    expect((await world.ask(INFO, null)).error?.code).toBe('INVALID_ARGUMENTS')
  })
})
