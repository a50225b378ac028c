/** The triggers on registry change (`docs/discovery.md#when-something-changes`). */
import { describe, expect, test } from 'bun:test'
import type { BuiltInClient } from '../../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../../src/clock/clock.ts'
import { toJsonText } from '../../../src/protocol/jsonText.ts'
import { watchAvailability } from '../../../workers/engine-functions/availability.ts'
import type { Catalogue, CatalogueEvent, FunctionRow } from '../../../workers/engine-functions/catalogue.ts'
import { createRecordingLog, createVirtualClock } from '../../support/fakes.ts'
import {
  announce,
  type Puppet,
  registerFunction,
  registerTrigger,
  unregisterFunction,
  unregisterTrigger,
} from '../../support/world.ts'
import { createDiscovery, type Discovery, takesCalls } from './support.ts'

const FUNCTIONS = 'engine::functions-available'
const WORKERS = 'engine::workers-available'
const COALESCE_MS = 50

/** A worker that watches; `on`: the trigger type, `config`: of its trigger. */
async function watcher(
  world: Discovery,
  on: string,
  config: unknown = {},
  more: object = {},
): Promise<Puppet> {
  const worker = world.join({ name: `watcher-of-${on}-${JSON.stringify(config)}` })
  const id = `watch::${worker.id}`
  worker.says(registerFunction(id))
  world.clock.advance(COALESCE_MS)
  await world.settled()
  worker.says(registerTrigger(`T-${worker.id}`, on, id, { config, ...more }))
  await world.settled()
  takesCalls(worker)
  return worker
}

/** What a watcher is called with when the time for it has come. */
async function heardBy(world: Discovery, worker: Puppet): Promise<Record<string, unknown>[]> {
  await world.settled()
  world.clock.advance(COALESCE_MS)
  await world.settled()
  const calls = takesCalls(worker)
  await world.settled()
  return calls
}

describe('functions-available', () => {
  test('tells of all functions, internal ones too, and of what came and went', async () => {
    const world = await createDiscovery()
    const watching = await watcher(world, FUNCTIONS)
    const a = world.join({ name: 'a' })
    a.says(registerFunction('x::f', { description: 'F', metadata: { internal: true } }))
    const [first, ...none] = await heardBy(world, watching)
    expect(none).toEqual([])
    expect(first).toMatchObject({ event: 'functions_changed', added: ['x::f'], removed: [] })
    expect(first?.functions).toContainEqual({
      function_id: 'x::f',
      namespace: 'default',
      worker_name: 'a',
      description: 'F',
      metadata: { internal: true },
    })
    expect(JSON.stringify(first?.functions)).toContain('"engine::functions::list"')
    a.says(unregisterFunction('x::f'), registerFunction('x::g'))
    expect(await heardBy(world, watching)).toMatchObject([{ added: ['x::g'], removed: ['x::f'] }])
    a.leaves()
    expect(await heardBy(world, watching)).toMatchObject([{ added: [], removed: ['x::g'] }])
  })

  test('fires once for a burst, at the latest 100 ms after its first change', async () => {
    const world = await createDiscovery()
    const watching = await watcher(world, FUNCTIONS)
    const a = world.join()
    const calls: object[] = []
    for (let i = 0; i < 20; i++) {
      a.says(registerFunction(`x::${i}`))
      world.clock.advance(4)
      await world.settled()
      calls.push(...takesCalls(watching))
    }
    expect(calls).toHaveLength(1)
    expect((calls[0] as { added: string[] }).added).toHaveLength(13)
    expect(await heardBy(world, watching)).toMatchObject([{ added: { length: 7 } }])
  })

  test('says nothing while nothing changes', async () => {
    const world = await createDiscovery()
    const watching = await watcher(world, FUNCTIONS)
    world.join().calls('no::such')
    world.clock.advance(60_000)
    expect(await heardBy(world, watching)).toEqual([])
    expect(world.clock.pending()).toBe(0)
  })

  test('tells of a function that changed without coming or going', async () => {
    const world = await createDiscovery()
    const a = world.join()
    a.says(registerFunction('x::f'))
    const watching = await watcher(world, FUNCTIONS)
    a.says(registerFunction('x::f', { description: 'new' }))
    const [call] = await heardBy(world, watching)
    expect(call).toMatchObject({ added: [], removed: [] })
    expect(call?.functions).toContainEqual(expect.objectContaining({ description: 'new' }))
  })

  test('can be narrowed to a prefix: other functions are not told of', async () => {
    const world = await createDiscovery()
    const watching = await watcher(world, FUNCTIONS, { prefix: 'orders::' })
    const a = world.join({ name: 'a' })
    a.says(registerFunction('invoices::f'))
    expect(await heardBy(world, watching)).toEqual([])
    a.says(registerFunction('orders::f'), registerFunction('invoices::g'))
    expect(await heardBy(world, watching)).toMatchObject([
      { added: ['orders::f'], functions: [{ function_id: 'orders::f' }] },
    ])
    a.says(registerFunction('orders::f', { description: 'new' }))
    expect(await heardBy(world, watching)).toMatchObject([{ functions: [{ description: 'new' }] }])
    a.leaves()
    expect(await heardBy(world, watching)).toMatchObject([{ removed: ['orders::f'], functions: [] }])
  })

  test('can be narrowed to a worker: a function that changes hands comes or goes', async () => {
    const world = await createDiscovery()
    const [first, second] = [world.join({ name: 'first' }), world.join({ name: 'second' })]
    first.says(registerFunction('x::f'))
    second.says(registerFunction('x::f'))
    const [ofFirst, ofSecond] = [
      await watcher(world, FUNCTIONS, { worker: 'first' }),
      await watcher(world, FUNCTIONS, { worker: 'second' }),
    ]
    first.says(unregisterFunction('x::f'))
    expect(await heardBy(world, ofFirst)).toMatchObject([{ removed: ['x::f'], functions: [] }])
    expect(await heardBy(world, ofSecond)).toMatchObject([
      { added: ['x::f'], functions: [{ worker_name: 'second' }] },
    ])
  })

  test.each([[null], ['text'], [7], [{ prefix: 7 }], [[]]])(
    'takes %p as a config that narrows nothing',
    async config => {
      const world = await createDiscovery()
      const watching = await watcher(world, FUNCTIONS, config)
      world.join().says(registerFunction('x::f'))
      expect(await heardBy(world, watching)).toMatchObject([{ added: ['x::f'] }])
    },
  )

  test('stops when its trigger is unregistered or its owner leaves, without a complaint', async () => {
    const world = await createDiscovery()
    const watching = await watcher(world, FUNCTIONS)
    const other = await watcher(world, FUNCTIONS, { prefix: 'x' })
    takesCalls(watching)
    watching.says(unregisterTrigger(`T-${watching.id}`))
    world.join().says(registerFunction('x::f'))
    expect(await heardBy(world, watching)).toEqual([])
    takesCalls(other)
    other.leaves()
    await world.settled()
    world.clock.advance(COALESCE_MS)
    await world.settled()
    expect(world.log.warnings()).toEqual([])
  })
})

describe('many watchers, each with a filter of its own', () => {
  /** A watch over one function that comes, and a clock that goes on by a millisecond with every look at it. */
  function watch(filters: number) {
    const clock = createVirtualClock()
    const log = createRecordingLog()
    const rows: FunctionRow[] = []
    let changed: ((event: CatalogueEvent) => void) | undefined
    const catalogue: Partial<Catalogue> = {
      functions: () => [...rows],
      watch(listener) {
        changed = listener
        return () => {}
      },
    }
    const fired: string[] = []
    let whenFirst: (() => void) | undefined
    const client: Partial<BuiltInClient> = {
      tellAll(targets) {
        fired.push(...targets.map(({ functionId }) => functionId))
        whenFirst?.()
        whenFirst = undefined
        return true
      },
    }
    let looks = 0
    let turns = 0
    const ticking: Clock = {
      now: () => clock.now() + looks++,
      after(ms, task) {
        turns++
        return clock.after(ms, task)
      },
    }
    const { functions } = watchAvailability(client as BuiltInClient, catalogue as Catalogue, ticking, log)
    const bindings = Array.from({ length: filters }, (_, index) => ({
      id: `T${index}`,
      trigger_type: FUNCTIONS,
      function_id: `watch::${index}`,
      config: toJsonText({ prefix: 'x::f'.slice(0, index % 5), worker: index < 5 ? undefined : `w${index}` }),
      metadata: undefined,
      namespace: undefined,
    }))
    for (const binding of bindings) functions.bind(binding)
    function change(): void {
      const unset = { description: undefined, requestFormat: undefined, responseFormat: undefined }
      const row = { id: 'x::f', namespace: 'default', workerName: 'w', metadata: undefined, ...unset }
      rows.push({ ...row, overrides: undefined, waiting: [] })
      changed?.({ kind: 'function', namespace: 'default', id: 'x::f' })
    }
    return {
      clock,
      log,
      fired,
      functions,
      bindings,
      change,
      turns: () => turns,
      /** Runs while the first watcher is told. */
      meanwhile(run: () => void) {
        whenFirst = run
      },
    }
  }

  test('are told in several turns, so that calls go on meanwhile, and none is left out', () => {
    const world = watch(50)
    world.change()
    world.clock.advance(COALESCE_MS)
    expect(world.turns()).toBe(2)
    world.clock.advance(1000)
    expect(world.turns()).toBeGreaterThan(5)
    expect(world.fired.toSorted()).toEqual([0, 1, 2, 3, 4].map(index => `watch::${index}`))
  })

  test('hear of what changes while the others are told, and one that has gone meanwhile is not told', () => {
    const world = watch(50)
    world.meanwhile(() => {
      world.functions.unbind(world.bindings[4]!)
      world.change()
    })
    world.change()
    for (let i = 0; i < 5; i++) world.clock.advance(COALESCE_MS)
    const both = [0, 1, 2, 3].flatMap(index => [`watch::${index}`, `watch::${index}`])
    expect(world.fired.toSorted()).toEqual(both)
    expect(world.clock.pending()).toBe(0)
  })
})

describe('workers-available', () => {
  test('tells of a worker that connects, announces itself and leaves, at once and one by one', async () => {
    const world = await createDiscovery()
    const watching = await watcher(world, WORKERS)
    const a = world.connect()
    a.says(announce({ name: 'a' }))
    a.says(announce({ name: 'b' }))
    a.leaves()
    await world.settled()
    expect(takesCalls(watching)).toMatchObject([
      { event: 'worker_connected', worker_id: a.id },
      { event: 'worker_metadata_updated', worker_id: a.id },
      { event: 'worker_metadata_updated', worker_id: a.id },
      { event: 'worker_disconnected', worker_id: a.id },
    ])
  })

  test('tells of an announce when what was held for it is registered', async () => {
    const world = await createDiscovery()
    const watching = await watcher(world, WORKERS)
    const a = world.connect()
    a.says(registerFunction('x::f'))
    await world.settled()
    takesCalls(watching)
    let answers: boolean | undefined
    world.engine.state.watchers.add(change => {
      if (change.change !== 'workerChanged') return
      answers = world.engine.state.directory.functions.inDefault.has('x::f')
    })
    a.says(announce())
    await world.settled()
    expect(takesCalls(watching)).toMatchObject([{ event: 'worker_metadata_updated' }])
    expect(answers).toBe(true)
  })

  test('does not call a watcher that is leaving itself', async () => {
    const world = await createDiscovery()
    const [staying, leaving] = [await watcher(world, WORKERS), await watcher(world, WORKERS, 1)]
    takesCalls(staying)
    leaving.leaves()
    await world.settled()
    expect(takesCalls(staying)).toMatchObject([{ event: 'worker_disconnected', worker_id: leaving.id }])
    expect(world.log.warnings()).toEqual([])
  })

  test('tells once of a worker that is replaced by its reattach', async () => {
    const world = await createDiscovery()
    const a = world.join()
    const watching = await watcher(world, WORKERS)
    const again = world.connect()
    again.says({ type: 'reattach', previous_worker_id: a.id, reattach_token: a.token })
    a.leaves()
    await world.settled()
    expect(takesCalls(watching)).toMatchObject([
      { event: 'worker_connected', worker_id: again.id },
      { event: 'worker_disconnected', worker_id: a.id },
    ])
  })
})

describe('a firing', () => {
  test('carries the metadata of its trigger and goes to the namespace of its trigger', async () => {
    const world = await createDiscovery()
    const worker = world.join({ namespace: 'team' })
    worker.says(
      registerFunction('watch::f'),
      registerTrigger('T1', WORKERS, 'watch::f', { namespace: 'team', metadata: { a: 1 } }),
    )
    await world.settled()
    takesCalls(worker)
    world.connect()
    await world.settled()
    expect(worker.hears()).toMatchObject([
      { type: 'invokefunction', function_id: 'watch::f', metadata: { a: 1 } },
    ])
  })

  test('whose target does not exist is counted and logged, and nobody else is held up', async () => {
    const world = await createDiscovery()
    const owner = world.join()
    owner.says(registerTrigger('T1', WORKERS, 'no::such'))
    const watching = await watcher(world, WORKERS)
    const before = world.engine.state.counters.lostVoids
    world.connect()
    await world.settled()
    expect(watching.hears()).toHaveLength(1)
    const lines = world.log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)
    expect(lines).toMatchObject([{ function_id: 'no::such', reason: 'function_not_found' }])
    expect(world.engine.state.counters.lostVoids).toBe(before + 1)
  })

  test('wants no answer: nothing waits for a target that gives none', async () => {
    const world = await createDiscovery()
    const watching = await watcher(world, WORKERS)
    for (let i = 0; i < 3; i++) world.connect()
    await world.settled()
    expect(watching.hears()).toHaveLength(3)
    expect(world.engine.callsInFlight()).toBe(0)
    world.clock.advance(30_100)
    expect(world.log.warnings()).toEqual([])
  })

  test('does not happen any more when the discovery worker has stopped', async () => {
    const world = await createDiscovery()
    const [functions, workers] = [await watcher(world, FUNCTIONS), await watcher(world, WORKERS)]
    takesCalls(functions)
    world.join().says(registerFunction('x::f'))
    await world.discovery.stop()
    world.connect()
    expect(await heardBy(world, functions)).toEqual([])
    expect(await heardBy(world, workers)).toEqual([])
  })
})
