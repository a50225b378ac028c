/** `queue`: messages published and kept, and delivered meanwhile; beside BullMQ on Redis and graphile-worker on PostgreSQL. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LoopPlan } from '../clients/closedLoop.ts'
import type { QueueLoad, QueueResult } from '../clients/queueLoad.ts'
import type { BenchContext, Values } from '../context.ts'
import { startEngine } from '../engine.ts'
import { createHistogram, median } from '../histogram.ts'
import { perThread, planOf } from '../loopValues.ts'
import { freePort, run, runClient, start } from '../processes.ts'
import { findTool } from '../tools.ts'
import { startPostgres } from './postgres.ts'

interface Shape {
  readonly name: string
  readonly what: string
  readonly peer?: string
  readonly client: 'queueJson.ts' | 'queueMsgpack.ts' | 'bullmq.ts' | 'graphile.ts'
  readonly via: 'engine' | 'redis' | 'postgres'
  readonly inFlight: number
  readonly groups?: number
  /** Messages that wait before. */
  readonly waiting?: number
}

export const GROUPS = 10_000
const IN_FLIGHT = 64

export const queueShapes: readonly Shape[] = [
  {
    name: 'queue',
    what: 'durable topic with one subscriber',
    peer: 'queue-bullmq',
    client: 'queueJson.ts',
    via: 'engine',
    inFlight: IN_FLIGHT,
  },
  {
    name: 'queue-msgpack',
    what: 'durable topic with one subscriber, in msgpack',
    peer: 'queue-bullmq',
    client: 'queueMsgpack.ts',
    via: 'engine',
    inFlight: 256,
  },
  {
    name: 'queue-alone',
    what: 'durable topic, one message at a time',
    client: 'queueJson.ts',
    via: 'engine',
    inFlight: 1,
  },
  {
    name: 'queue-groups',
    what: `named queue with ${GROUPS} groups, each in order`,
    peer: 'queue',
    client: 'queueJson.ts',
    via: 'engine',
    inFlight: IN_FLIGHT,
    groups: GROUPS,
  },
  {
    name: 'queue-deep',
    what: 'durable topic behind --messages waiting ones',
    peer: 'queue',
    client: 'queueJson.ts',
    via: 'engine',
    inFlight: IN_FLIGHT,
    waiting: -1,
  },
  {
    name: 'queue-bullmq',
    what: 'BullMQ on Redis, appendfsync everysec',
    client: 'bullmq.ts',
    via: 'redis',
    inFlight: IN_FLIGHT,
  },
  {
    name: 'queue-graphile',
    what: 'graphile-worker on PostgreSQL, its batches',
    client: 'graphile.ts',
    via: 'postgres',
    inFlight: IN_FLIGHT,
  },
]

interface Server {
  readonly url: string
  readonly pids: readonly number[]
  stop(): Promise<void>
}

const peersFolder = join(import.meta.dir, '..', 'peers')

async function installPeers(say: BenchContext['say']): Promise<void> {
  if (existsSync(join(peersFolder, 'node_modules'))) return
  say('installing the peers of the queue (bench/peers) …')
  await run([process.execPath, 'install', '--cwd', peersFolder, '--frozen-lockfile'])
}

async function startRedis(folder: string, say: BenchContext['say']): Promise<Server | undefined> {
  const program = findTool('redis-server', 'the rows queue-bullmq-* are', say)
  if (program === undefined) return undefined
  const port = await freePort()
  const server = start([
    ...[program, '--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--daemonize', 'no'],
    ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '', '--maxmemory-policy', 'noeviction'],
  ])
  await server.firstLine
  return { url: `redis://127.0.0.1:${port}`, pids: [server.pid], stop: server.stop }
}

const ORDERED =
  '{ name: iii-queue, config: { queue_configs: { ordered: { type: fifo, message_group_field: group, concurrency: 256 } } } }'

async function startOurs(entry: string): Promise<Server> {
  const engine = startEngine(entry, { workers: [ORDERED] })
  const { workers: url } = await engine.addresses
  return { url, pids: [engine.pid], stop: engine.stop }
}

export async function measureQueue(context: BenchContext): Promise<Values> {
  const { options, say, wanted, infos } = context
  const values: Values = {}
  const folder = mkdtempSync(join(tmpdir(), 'iii-bench-queue-'))
  const running: { stop(): Promise<void> }[] = []
  const shapes = queueShapes.filter(({ name }) =>
    infos.some(info => isOf(name, info.name) && wanted(info.name)),
  )
  const starters = {
    engine: () => startOurs(options.engine),
    redis: () => startRedis(folder, say),
    postgres: () => startPostgres(mkdtempSync(join(tmpdir(), 'iii-bench-postgres-')), say),
  } satisfies Record<Shape['via'], () => Promise<Server | undefined>>

  /** Everybody begins with nothing in it. */
  async function runShape(shape: Shape, plan: LoopPlan): Promise<QueueResult | undefined> {
    const server = await starters[shape.via]()
    if (server === undefined) return undefined
    running.push(server)
    const waiting = shape.waiting === undefined ? 0 : options.messages
    const load: QueueLoad = { url: server.url, pids: server.pids, plan, groups: shape.groups ?? 0, waiting }
    const result = await runClient<QueueResult>(shape.client, load)
    running.pop()
    await server.stop()
    return result
  }

  try {
    if (shapes.some(({ via }) => via !== 'engine')) await installPeers(say)
    const results = new Map<Shape, QueueResult[]>(shapes.map(shape => [shape, []]))
    for (let round = 1; round <= options.rounds; round++) {
      for (const [shape, all] of results) {
        const result = await runShape(shape, planOf(shape.inFlight, options.seconds))
        if (result === undefined) {
          results.delete(shape)
          continue
        }
        all.push(result)
        const [published, delivered] = [result.answers, result.delivered].map(count =>
          Math.round(count / result.seconds),
        )
        const faults = faultsOf(result)
        if (faults.length > 0)
          say(
            `${shape.name}, round ${round}: ${faults.map(([what, count]) => `${count} ${what}`).join(', ')}`,
          )
        say(
          `${shape.name}, round ${round}: ${published} published/s, ${delivered} delivered/s${perThread({ ...result, answers: result.delivered })}`,
        )
      }
    }
    for (const [{ name }, all] of results) Object.assign(values, queueValues(name, all))
  } finally {
    for (const one of running) await one.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  return values
}

export const QUEUE_MEASURES = [
  'published',
  'delivered',
  'drained',
  'through',
  'p50',
  'p99',
  'start-p50',
  'start-p99',
  'cpu',
  'lost',
]

const isOf = (shape: string, measure: string): boolean =>
  measure.startsWith(`${shape}-`) && QUEUE_MEASURES.includes(measure.slice(shape.length + 1))

/** What must not happen, and how often it did. */
const faultsOf = (result: QueueResult): [string, number][] =>
  (['lost', 'wrong', 'unexpected', 'missing', 'again', 'outOfOrder'] as const)
    .map((what): [string, number] => [what, result[what]])
    .filter(([, count]) => count > 0)

function queueValues(name: string, results: readonly QueueResult[]): Values {
  const middle = (of: (result: QueueResult) => number): number => median(results.map(of))
  const micros = (of: (result: QueueResult) => QueueResult['starts'], q: number): number =>
    middle(result => createHistogram(of(result)).quantile(q)) * 1000
  return {
    [`${name}-published`]: middle(({ answers, seconds }) => answers / seconds),
    [`${name}-delivered`]: middle(({ delivered, seconds }) => delivered / seconds),
    [`${name}-drained`]: middle(({ drained, drainSeconds }) => drained / drainSeconds),
    [`${name}-through`]: middle(
      ({ delivered, seconds, drained, drainSeconds }) => (delivered + drained) / (seconds + drainSeconds),
    ),
    [`${name}-p50`]: micros(({ latencies }) => latencies, 0.5),
    [`${name}-p99`]: micros(({ latencies }) => latencies, 0.99),
    [`${name}-start-p50`]: micros(({ starts }) => starts, 0.5),
    [`${name}-start-p99`]: micros(({ starts }) => starts, 0.99),
    [`${name}-cpu`]: middle(
      ({ cpuSeconds = Number.NaN, delivered }) => ((cpuSeconds || Number.NaN) / delivered) * 1e6,
    ),
    [`${name}-lost`]: results.flatMap(faultsOf).reduce((sum, [, count]) => sum + count, 0),
  }
}
