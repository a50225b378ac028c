/** What threads say of themselves, and what the main thread makes of it (`src/threads/account.ts`). */
import { describe, expect, test } from 'bun:test'
import type { Engine } from '../../src/engine/engine.ts'
import { EVERYWHERE, type Place } from '../../src/engine/routes.ts'
import type { Frame } from '../../src/protocol/frames.ts'
import { decodeJson } from '../../src/protocol/json/decode.ts'
import { limits } from '../../src/protocol/limits.ts'
import { accountOf, joinAccounts, type Peer, type Peers, sumCounters } from '../../src/threads/account.ts'
import { createCatalogue } from '../../src/threads/catalogue.ts'
import { createStatus } from '../../src/threads/engineStatus.ts'
import type { WorkerRow } from '../../workers/engine-functions/catalogue.ts'
import { until } from '../support/waiting.ts'
import { createWorld, registerTrigger } from '../support/world.ts'
import { createThreads, type TestWorker, type Threads } from './threads.ts'

const parts = { threadId: undefined, links: new Map(), resyncs: 0 }

const says = ({ receiver }: TestWorker, message: object): void =>
  receiver.receive(decodeJson(JSON.stringify(message)) as Frame)

const calls = (worker: TestWorker, function_id: string, more: object = {}): void =>
  says(worker, { type: 'invokefunction', invocation_id: crypto.randomUUID(), function_id, data: {}, ...more })

/** Peers as `shards.ts` has them, without its messages between threads. */
function peersOf({ shards }: Threads, silent: readonly Place[] = []): Peers & { asked: Place[][] } {
  const asked: Place[][] = []
  function peerOf({ state }: Engine, workers: readonly string[]): Peer {
    const { place } = state
    const known = { place, name: `shard ${place}`, state: 'serving' as const, startedAtMs: 0, restarts: 0 }
    const account = silent.includes(place) ? undefined : accountOf(state, parts, workers)
    return { ...known, account, counters: { ...state.counters } }
  }
  return {
    asked,
    async ask(workers, places) {
      const wanted = shards.filter(({ state }) => places === undefined || places.has(state.place))
      asked.push(wanted.map(({ state }) => state.place))
      return wanted.map(shard => peerOf(shard, workers))
    },
  }
}

const noStatus = (): Promise<never> => Promise.reject(new Error('nobody asks for it'))

describe('counters of all threads together', () => {
  test('count a call that crosses threads once, and its answer', async () => {
    using threads = createThreads(2)
    const [caller, callee] = [await threads.worker(0, []), await threads.worker(1, ['b::f', 'b::never'])]
    const { counters } = createCatalogue(threads.main.state, { peers: peersOf(threads), status: noStatus })
    const before = (await counters()).counters
    calls(caller, 'b::f')
    says(caller, { type: 'invokefunction', function_id: 'b::f', data: {}, action: { type: 'void' } })
    const heard: Frame[] = []
    await until('both have come', () => heard.push(...callee.link.take()) === 2)
    for (const frame of heard) {
      if (frame.type === 'invokefunction')
        says(callee, { type: 'invocationresult', invocation_id: frame.invocationId, result: 1 })
    }
    await until('the answer is there', () => caller.link.take().length > 0)
    const after = (await counters()).counters
    const grown = Object.entries(after).filter(([name, count]) => count !== before[name])
    expect(grown.map(([name, count]) => [name, count - before[name]!])).toEqual([
      ['calls', 1],
      ['voidCalls', 1],
      ['answers', 1],
      ['voidResults', 1],
    ])
  })

  test('count a call once that ends by its deadline, and neither thread keeps it', async () => {
    using threads = createThreads(2)
    const [caller] = [await threads.worker(0, []), await threads.worker(1, ['b::never'])]
    const { counters } = createCatalogue(threads.main.state, { peers: peersOf(threads), status: noStatus })
    calls(caller, 'b::never', { timeout_ms: 50 })
    await until('it is answered', () => caller.link.take().length > 0)
    await until('nobody keeps it', () => threads.shards.every(shard => shard.callsInFlight() === 0))
    const { timeouts, answers, calls: made } = (await counters()).counters
    expect({ timeouts, answers, made }).toEqual({ timeouts: 1, answers: 0, made: 1 })
  })

  test('are what is known of threads that do not answer, which are named', async () => {
    using threads = createThreads(2)
    const peers = peersOf(threads, [2])
    const { counters } = createCatalogue(threads.main.state, { peers, status: noStatus })
    threads.shards[0]!.state.counters.problems = 3
    threads.shards[1]!.state.counters.problems = 5
    expect(await counters()).toMatchObject({ counters: { problems: 8 }, silentThreads: ['shard 2'] })
  })

  test('are sums, and accounts of one worker on several threads are, too', () => {
    const { counters } = createWorld().engine.state
    expect(
      sumCounters([
        { ...counters, calls: 1 },
        { ...counters, calls: 2, faults: 1 },
      ]),
    ).toEqual({
      ...counters,
      calls: 3,
      faults: 1,
    })
    expect(
      joinAccounts([
        { activeInvocations: 1, warnings: { a: 1 }, problems: {} },
        { activeInvocations: 2, warnings: { a: 2, b: 1 }, problems: { too_deep: 1 } },
      ]),
    ).toEqual({ activeInvocations: 3, warnings: { a: 3, b: 1 }, problems: { too_deep: 1 } })
  })
})

describe('the details of workers', () => {
  /** A worker on each shard with a call that it executes, a message that cannot be read and a warning. */
  async function busy(threads: Threads): Promise<TestWorker[]> {
    const workers = [await threads.worker(0, ['a::f']), await threads.worker(1, ['b::f'])]
    calls(workers[0]!, 'b::f')
    calls(workers[1]!, 'a::f')
    for (const worker of workers) {
      worker.receiver.problem(decodeJson('{') as Parameters<TestWorker['receiver']['problem']>[0])
      says(worker, { type: 'reattach', previous_worker_id: worker.id, reattach_token: 'x' })
    }
    await until('both calls have come', () =>
      threads.shards.every(({ state }) => accountOf(state, parts, []).callsInFlight === 1),
    )
    return workers
  }

  test('come from the threads of their connections, each asked once', async () => {
    using threads = createThreads(2)
    const workers = await busy(threads)
    const peers = peersOf(threads)
    const catalogue = createCatalogue(threads.main.state, { peers, status: noStatus })
    const rows = await catalogue.completed(catalogue.workers())
    expect(rows.map(({ workerId }) => workerId)).toEqual(workers.map(({ id }) => id))
    for (const row of rows) {
      expect(row).toMatchObject({
        activeInvocations: 1,
        problems: { invalid_json: 1 },
        warnings: { reattach: 1 },
      })
    }
    expect(peers.asked).toEqual([[1, 2]])
  })

  test('ask only the threads that have them', async () => {
    using threads = createThreads(2)
    const [, second] = await busy(threads)
    const peers = peersOf(threads)
    const catalogue = createCatalogue(threads.main.state, { peers, status: noStatus })
    const row = catalogue.workers().find(({ workerId }) => workerId === second!.id)!
    expect(await catalogue.completed([row])).toMatchObject([{ activeInvocations: 1 }])
    expect(await catalogue.completed([])).toEqual([])
    expect(peers.asked).toEqual([[2]])
  })

  test('are unknown where their thread does not answer', async () => {
    using threads = createThreads(2)
    await busy(threads)
    const peers = peersOf(threads, [1])
    const catalogue = createCatalogue(threads.main.state, { peers, status: noStatus })
    const rows = await catalogue.completed(catalogue.workers())
    expect(rows.map(({ activeInvocations }) => activeInvocations)).toEqual([undefined, 1])
  })

  test('of a worker that stands on every thread are sums', async () => {
    using threads = createThreads(2)
    const { main } = threads
    const [id, token] = ['gateway', 'secret']
    const whole = { builtIn: true, ipAddress: undefined, place: EVERYWHERE }
    main.state.registry.submit({ command: 'join', id, token, ...whole })
    const accounts = { [id]: { activeInvocations: 2, warnings: { slow: 1 }, problems: {} } }
    const peers: Peers = {
      async ask(workers, places) {
        expect([workers, places]).toEqual([[id], undefined])
        const account = { ...accountOf(threads.shards[0]!.state, parts, []), workers: accounts }
        const { counters } = account
        const known = { name: '', state: 'serving' as const, startedAtMs: 0, restarts: 0, account, counters }
        return [1, 2].map(place => ({ place, ...known }))
      },
    }
    const catalogue = createCatalogue(main.state, { peers, status: noStatus })
    const rows: readonly WorkerRow[] = await catalogue.completed(catalogue.workers())
    expect(rows).toMatchObject([{ activeInvocations: 4, warnings: { slow: 2 } }])
  })

  test('cost no question on one thread', async () => {
    const world = createWorld()
    world.join().says(registerTrigger('T', 'none'))
    const catalogue = createCatalogue(world.engine.state, { peers: undefined, status: noStatus })
    const rows = catalogue.workers()
    expect(await catalogue.completed(rows)).toBe(rows)
  })
})

describe('the status of an engine', () => {
  const startedAtMs = 1_000_000

  /** The engine of a world with peers of which only their state matters. */
  function setUp(peers: readonly Partial<Peer>[]) {
    const world = createWorld()
    const startMs = world.clock.now()
    const cpu = new Map([[7, 1]])
    const none = { ...world.engine.state.counters }
    const known = { name: 'shard 1', place: 1, startedAtMs, restarts: 0, state: 'serving' as const }
    const status = createStatus({
      engine: world.engine.state,
      own: () => ({ ...parts, threadId: 7 }),
      peers: {
        ask: async () => peers.map(peer => ({ ...known, account: undefined, counters: none, ...peer })),
      },
      nameOf: place => ['main', 'shard 1', 'shard 2', 'acceptor'][place]!,
      shards: 2,
      acceptor: 'thread',
      cpuSeconds: id => cpu.get(id),
    })
    return { world, status, cpu, startMs }
  }

  test('shows threads that are silent, begin or are lost, with what is known of them', async () => {
    const { status } = setUp([
      {},
      { name: 'shard 2', state: 'lost', restarts: 2 },
      { name: 'acceptor', state: 'starting' },
    ])
    const { threads, restarts, mode } = await status()
    expect(threads.map(({ name, state, connections }) => [name, state, connections])).toEqual([
      ['main', 'serving', 0],
      ['shard 1', 'silent', undefined],
      ['shard 2', 'lost', undefined],
      ['acceptor', 'starting', undefined],
    ])
    expect([restarts, mode]).toEqual([2, 'shards and acceptor'])
  })

  test('tells the share of a core since the last look, and not of too short a time', async () => {
    const { status, world, cpu } = setUp([])
    const look = async (): Promise<unknown[]> => {
      const [main] = (await status()).threads
      return [main!.cpuSeconds, main!.cpuShare]
    }
    world.clock.advance(4000)
    expect(await look()).toEqual([1, 0.25])
    world.clock.advance(limits.cpuSpanMs - 1)
    cpu.set(7, 1.499)
    expect(await look()).toEqual([1.499, 1])
    world.clock.advance(1 + limits.cpuSpanMs)
    expect(await look()).toEqual([1.499, 0.499])
    cpu.delete(7)
    expect(await look()).toEqual([undefined, undefined])
  })

  test('counts what there is, and names what was dropped', async () => {
    const { status, world } = setUp([])
    world.join({ pid: 1 }).says({ type: 'registerfunction', id: 'a::f' })
    world.join({ namespace: 'team' }).says({ type: 'registerfunction', id: 'a::f' })
    world.builtIn()
    world.connect().saysText('{')
    world.clock.advance(1500)
    expect(await status()).toMatchObject({
      uptimeMs: 1500,
      workers: 4,
      functions: 2,
      connections: 3,
      dropped: { problems: 1, lostVoids: 0 },
    })
  })
})
