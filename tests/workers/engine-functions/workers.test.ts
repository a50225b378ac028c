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
        refused: [
          {
            what: 'function',
            id: 'x::taken',
            reason: expect.stringContaining('held by worker'),
            at_ms: Math.floor(world.clock.now()),
          },
        ],
        dropped_messages: { invalid_json: 1 },
        warnings: { refused: 1 },
        namesakes: [],
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

  test('say so, too, when nothing was refused, dropped or warned of', async () => {
    const world = await createDiscovery()
    world.join({ name: 'orders' })
    const { result } = await world.ask<{ worker: object }>(INFO, { name: 'orders' })
    expect(result.worker).toMatchObject({ refused: [], dropped_messages: {}, warnings: {}, namesakes: [] })
    expect(result.worker).not.toHaveProperty('counters')
  })

  test('show a worker that was refused because this one has its name, and how often', async () => {
    const world = await createDiscovery()
    const a = world.join({ name: 'orders' })
    const seconds = Array.from({ length: 300 }, () => world.join({ name: 'orders' }))
    const { result } = await world.ask<{ worker: { refused: object[] } }>(INFO, { name: 'orders' })
    expect(result.worker).toMatchObject({ id: a.id, warnings: { refused: 300 } })
    expect(result.worker.refused.at(-1)).toMatchObject({
      what: 'worker',
      id: seconds.at(-1)!.id,
      reason: "its name 'orders' is held by this live worker",
    })
    // One line each for the first fifty, then 100 and no more: nobody can flood the log by coming back.
    expect(world.log.warnings()).toHaveLength(51)
  })

  test('are chosen by id as well; workers of one name are told apart by it', async () => {
    const world = await createDiscovery()
    const old = { name: 'orders', version: '0.22.1' }
    const [a, b] = [world.join(old), world.join(old)]
    world.join({ ...old, namespace: 'team' })
    const idAndOthers = async (input: object): Promise<unknown> => {
      const { worker } = (await world.ask<{ worker: Record<string, unknown> }>(INFO, input)).result
      return [worker.id, worker.namesakes]
    }
    expect(await idAndOthers({ id: b.id })).toEqual([b.id, [a.id]])
    expect(await idAndOthers({ name: 'orders', namespace: 'default' })).toEqual([a.id, [b.id]])
    expect(await idAndOthers({ id: 'iii-engine-functions' })).toEqual(['iii-engine-functions', []])
    expect((await world.ask(INFO, { id: 'nobody' })).error).toEqual({
      code: 'NOT_FOUND',
      message: "No connected worker has the id 'nobody'.",
    })
    expect((await world.ask(INFO, { id: a.id, name: 'orders' })).error).toEqual({
      code: 'INVALID_ARGUMENTS',
      message: 'pass either `name` or `id`, not both',
    })
  })

  test('of the discovery worker have what the engine has counted', async () => {
    const world = await createDiscovery()
    const a = world.join()
    a.says(registerFunction('x::f'))
    a.calls('no::such', {}, { action: { type: 'void' } })
    a.saysText('{')
    const { result } = await world.ask<{ worker: { counters: object } }>(INFO, {
      name: 'iii-engine-functions',
    })
    expect(result.worker.counters).toEqual({
      calls: 1,
      void_calls: 0,
      answers: 0,
      timeouts: 0,
      late_results: 0,
      void_results: 0,
      lost_voids: 1,
      problems: 1,
      faults: 0,
      telemetry_frames: 0,
      strange_telemetry: 0,
      slow_readers: 0,
    })
    const page = await Bun.file(new URL('../../../docs/discovery.md', import.meta.url)).text()
    const untold = Object.keys(result.worker.counters).filter(name => !page.includes(`| \`${name}\` |`))
    expect(untold).toEqual([])
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
