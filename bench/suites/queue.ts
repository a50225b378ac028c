/** `queue`: messages published and kept, and delivered meanwhile; beside BullMQ on Redis and graphile-worker on PostgreSQL. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectWorker } from '../../sdk/typescript/src/connect.ts'
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
  readonly via: 'engine' | 'crowded' | 'redis' | 'postgres'
  readonly inFlight: number
  readonly groups?: number
  /** Small queues beside it; what is timed is how long their messages wait. */
  readonly small?: number
  /** Messages that wait before. */
  readonly waiting?: number
}

const GROUPS = 10_000
const IN_FLIGHT = 64
const SMALL = 100
/** Messages in one call, of those that are there before. */
const BATCH = 1000
/** Until everything is compiled. */
const WARM_SECONDS = 3

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
    name: 'queue-beside',
    what: 'durable topic beside so many others, each with a message: --messages / 10',
    peer: 'queue',
    client: 'queueJson.ts',
    via: 'crowded',
    inFlight: IN_FLIGHT,
  },
  {
    name: 'queue-fair',
    what: `${SMALL} small durable topics beside a hot one`,
    peer: 'queue-quiet',
    client: 'queueJson.ts',
    via: 'engine',
    inFlight: IN_FLIGHT,
    small: SMALL,
  },
  {
    name: 'queue-quiet',
    what: `${SMALL} small durable topics alone`,
    client: 'queueJson.ts',
    via: 'engine',
    inFlight: 0,
    small: SMALL,
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

/** Topics in which a message waits for whoever subscribes. */
async function startCrowded(entry: string, topics: number): Promise<Server> {
  const server = await startOurs(entry)
  const client = connectWorker(server.url, { workerName: 'bench-crowd', reconnect: false })
  await client.ready()
  for (let from = 0; from < topics; from += BATCH) {
    const messages = Array.from({ length: Math.min(BATCH, topics - from) }, (_, at) => ({
      topic: `crowd-${from + at}`,
      data: null,
    }))
    await client.trigger({ function_id: 'queue::push', payload: { messages } })
  }
  await client.shutdown()
  return server
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
    crowded: () => startCrowded(options.engine, Math.ceil(options.messages / 10)),
    redis: () => startRedis(folder, say),
    postgres: () => startPostgres(mkdtempSync(join(tmpdir(), 'iii-bench-postgres-')), say),
  } satisfies Record<Shape['via'], () => Promise<Server | undefined>>

  const servers = new Map<Shape['via'], Server | undefined>()

  async function serverFor(via: Shape['via']): Promise<Server | undefined> {
    if (servers.has(via)) return servers.get(via)
    const server = await starters[via]()
    servers.set(via, server)
    if (server !== undefined) running.push(server)
    return server
  }

  /** Each run has a queue of its own, with nothing in it. */
  function runShape(shape: Shape, server: Server, plan: LoopPlan): Promise<QueueResult> {
    const waiting = shape.waiting === undefined ? 0 : options.messages
    const load: QueueLoad = {
      url: server.url,
      pids: server.pids,
      plan,
      groups: shape.groups ?? 0,
      waiting,
      small: shape.small ?? 0,
    }
    return runClient<QueueResult>(shape.client, load)
  }

  try {
    if (shapes.some(({ via }) => via === 'redis' || via === 'postgres')) await installPeers(say)
    const contestants: { shape: Shape; server: Server; results: QueueResult[] }[] = []
    for (const shape of shapes) {
      const server = await serverFor(shape.via)
      if (server === undefined) continue
      contestants.push({ shape, server, results: [] })
      if (shape.waiting === undefined) await runShape(shape, server, planOf(shape.inFlight, WARM_SECONDS))
    }
    for (let round = 1; round <= options.rounds; round++) {
      for (const { shape, server, results } of contestants) {
        const result = await runShape(shape, server, planOf(shape.inFlight, options.seconds))
        results.push(result)
        const [published, delivered] = [result.answers, result.delivered].map(count =>
          Math.round(count / result.seconds),
        )
        const faults = faultsOf(result).map(([what, count]) => `, ${count} ${what}`)
        say(
          `${shape.name}, round ${round}: ${published} published/s, ${delivered} delivered/s${faults.join('')}${perThread({ ...result, answers: result.delivered })}`,
        )
      }
    }
    for (const { shape, results } of contestants) Object.assign(values, queueValues(shape.name, results))
  } finally {
    for (const one of running) await one.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  return values
}

const QUEUE_MEASURES = [
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
