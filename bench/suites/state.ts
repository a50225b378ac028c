/** `state`: values written and read through a durable engine, the same with Redis, and what the disk takes by itself, in turn. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LoopPlan, LoopResult } from '../clients/closedLoop.ts'
import type { DiskResult } from '../clients/disk.ts'
import { KEYS, LISTED, type WorkName } from '../clients/works.ts'
import type { BenchContext, Values } from '../context.ts'
import { type RunningEngine, startEngine } from '../engine.ts'
import { createHistogram, median } from '../histogram.ts'
import { loopValues, perThread, planOf } from '../loopValues.ts'
import { freePort, type Running, runClient, start } from '../processes.ts'
import { findTool } from '../tools.ts'
import { createSyncCounter, type SyncCounter } from './syncs.ts'

interface Shape {
  readonly name: string
  readonly what: string
  readonly peer?: string
  /** Asks the engine in JSON or msgpack, or the Redis of this policy. */
  readonly via: 'json' | 'msgpack' | RedisPolicy
  readonly work: WorkName | 'set' | 'get'
}

type RedisPolicy = 'always' | 'everysec'

export const stateShapes: readonly Shape[] = [
  {
    name: 'state-set',
    what: 'state::set, on disk before its answer',
    peer: 'redis-always-set',
    via: 'json',
    work: 'state-set',
  },
  {
    name: 'state-set-os',
    what: 'state::set with durability os',
    peer: 'redis-everysec-set',
    via: 'json',
    work: 'state-set-os',
  },
  { name: 'state-get', what: 'state::get', peer: 'redis-always-get', via: 'json', work: 'state-get' },
  { name: 'state-update', what: 'state::update with an increment', via: 'json', work: 'state-update' },
  { name: 'state-list', what: `state::list of ${LISTED} values`, via: 'json', work: 'state-list' },
  {
    name: 'state-msgpack-set',
    what: 'state::set in msgpack',
    peer: 'redis-always-set',
    via: 'msgpack',
    work: 'state-set',
  },
  {
    name: 'state-msgpack-get',
    what: 'state::get in msgpack',
    peer: 'redis-always-get',
    via: 'msgpack',
    work: 'state-get',
  },
  { name: 'redis-always-set', what: 'SET, appendfsync always', via: 'always', work: 'set' },
  { name: 'redis-everysec-set', what: 'SET, appendfsync everysec', via: 'everysec', work: 'set' },
  { name: 'redis-always-get', what: 'GET', via: 'always', work: 'get' },
]

export const STATE_LEVELS: readonly number[] = [1, 64, 256]

export const stateMeasures = ['rate', 'p50', 'p99', 'cpu', 'lost', 'per-sync'] as const

const FILL_IN_FLIGHT = 256
/** A run with few in flight has to be long enough to compile everything. */
const WARM_SECONDS = 1

interface Contestant {
  readonly shape: Shape
  run(plan: LoopPlan): Promise<LoopResult>
  /** Of the disk so far, where it is known. */
  readonly syncs?: () => Promise<number>
}

function engineContestant(
  shape: Shape,
  engine: RunningEngine,
  url: string,
  counter: SyncCounter,
): Contestant {
  const client = shape.via === 'json' ? 'caller.ts' : 'msgpackCaller.ts'
  const target = { url, functionId: '', pid: engine.pid, connections: 1, work: shape.work }
  return { shape, run: plan => runClient<LoopResult>(client, { ...target, plan }), syncs: counter.syncs }
}

async function startRedis(
  program: string,
  policy: RedisPolicy,
  folder: string,
): Promise<{ server: Running; url: string }> {
  const port = await freePort()
  const server = start([
    ...[program, '--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--daemonize', 'no'],
    ...['--appendonly', 'yes', '--appendfsync', policy, '--appendfilename', `${policy}.aof`],
    ...['--appenddirname', policy, '--save', ''],
  ])
  await server.firstLine
  return { server, url: `redis://127.0.0.1:${port}` }
}

export async function measureState(context: BenchContext): Promise<Values> {
  const { options, say, wanted, infos } = context
  const wantedLevels = (name: string): number[] =>
    [...new Set([...options.inFlight, ...STATE_LEVELS])].filter(level =>
      stateMeasures.some(measure => {
        const full = `${name}-${level}-${measure}`
        return infos.some(info => info.name === full) && wanted(full)
      }),
    )
  const shapes = stateShapes.filter(({ name }) => wantedLevels(name).length > 0)
  const levels = [...new Set(shapes.flatMap(({ name }) => wantedLevels(name)))].sort((a, b) => a - b)
  const folder = mkdtempSync(join(tmpdir(), 'iii-bench-state-'))
  const running: { stop(): Promise<void> }[] = []
  const contestants: Contestant[] = []
  const values: Values = {}
  const disk: DiskResult[] = []

  async function probeDisk(): Promise<void> {
    disk.push(await runClient<DiskResult>('disk.ts', { folder, seconds: Math.min(1, options.seconds) }))
    const { syncs, seconds, latencies } = disk.at(-1)!
    const p50 = createHistogram(latencies).quantile(0.5) * 1000
    say(`the disk alone: ${Math.round(syncs / seconds)} syncs/s, one takes ${Math.round(p50)} µs (p50)`)
  }

  async function addEngine(ofEngine: readonly Shape[]): Promise<void> {
    const engine = startEngine(options.engine, {
      workers: ['{ name: iii-state }'],
      data: join(folder, 'data'),
    })
    running.push(engine)
    const { workers: url } = await engine.addresses
    const counter = await createSyncCounter(url)
    running.push(counter)
    const fill = (work: WorkName, calls: number) =>
      runClient<LoopResult>('caller.ts', {
        ...{ url, functionId: '', pid: engine.pid, connections: 1, work },
        plan: { inFlight: FILL_IN_FLIGHT, warmUpMs: 0, calls, patienceMs: planOf(1, 1).patienceMs },
      })
    await fill('state-set', KEYS)
    await fill('fill-listed', LISTED)
    for (const shape of ofEngine) contestants.push(engineContestant(shape, engine, url, counter))
  }

  async function addRedis(ofRedis: readonly Shape[]): Promise<void> {
    const program = findTool('redis-server', 'the rows redis-* are', say)
    if (program === undefined) return
    for (const policy of ['always', 'everysec'] as const) {
      const mine = ofRedis.filter(({ via }) => via === policy)
      if (mine.length === 0) continue
      const { server, url } = await startRedis(program, policy, folder)
      running.push(server)
      const run = (command: unknown, plan: LoopPlan) =>
        runClient<LoopResult>('redisCaller.ts', { url, command, pid: server.pid, plan })
      await run('set', {
        ...planOf(FILL_IN_FLIGHT, 1),
        warmUpMs: 0,
        calls: KEYS,
        measureMs: undefined as never,
      })
      for (const shape of mine) contestants.push({ shape, run: plan => run(shape.work, plan) })
    }
  }

  try {
    const isOfEngine = ({ via }: Shape): boolean => via === 'json' || via === 'msgpack'
    if (shapes.some(isOfEngine)) await addEngine(shapes.filter(isOfEngine))
    if (!shapes.every(isOfEngine)) await addRedis(shapes.filter(shape => !isOfEngine(shape)))
    for (const { run } of contestants) await run(planOf(FILL_IN_FLIGHT, WARM_SECONDS))
    for (const level of levels) {
      const taken = contestants
        .filter(({ shape }) => wantedLevels(shape.name).includes(level))
        .map(contestant => ({ contestant, results: [] as LoopResult[], perSync: [] as number[] }))
      for (let round = 1; round <= options.rounds; round++) {
        await probeDisk()
        for (const { contestant, results, perSync } of taken) {
          const { shape, run, syncs } = contestant
          const before = await syncs?.()
          const result = await run(planOf(level, options.seconds))
          const after = await syncs?.()
          const synced = (after ?? Number.NaN) - (before ?? Number.NaN)
          results.push(result)
          if (synced > 0) perSync.push(result.callsMade / synced)
          const rate = Math.round(result.answers / result.seconds)
          const shared =
            synced > 0 ? `; ${(result.callsMade / synced).toPrecision(3)} calls for each fsync` : ''
          say(`${shape.name} ${level} in flight, round ${round}: ${rate}/s${perThread(result)}${shared}`)
        }
      }
      for (const { contestant, results, perSync } of taken) {
        const { name } = contestant.shape
        Object.assign(values, loopValues(name, level, results))
        if (perSync.length > 0) values[`${name}-${level}-per-sync`] = median(perSync)
      }
    }
  } finally {
    for (const one of running.reverse()) await one.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  const quantile = (q: number): number =>
    median(disk.map(({ latencies }) => createHistogram(latencies).quantile(q))) * 1000
  return {
    ...values,
    'disk-sync-rate': median(disk.map(({ syncs, seconds }) => syncs / seconds)),
    'disk-sync-p50': quantile(0.5),
    'disk-sync-p99': quantile(0.99),
  }
}
