/**
 * Every measure there is: its name never changes its meaning, so that figures of different days can be compared.
 * `README.md` says in words what each one covers.
 */
import { callRows } from './callRows.ts'
import {
  cronMeasures,
  deliveryMeasures,
  keysMeasures,
  queueMeasures,
  stateMeasures,
} from './durableCatalogue.ts'
import { callShapes, hasShards } from './shapes.ts'
import { routeCounts } from './suites/http.ts'
import { idleShapes } from './suites/idle.ts'

export interface MeasureInfo {
  readonly name: string
  readonly unit:
    | 'calls/s'
    | 'requests/s'
    | 'µs'
    | 'ms'
    | 'ns'
    | 'MiB'
    | 'calls'
    | 'keys'
    | 'keys/s'
    | 'deliveries'
    | 'deliveries/s'
    | 'syncs/s'
    | 'answers'
    | 'requests'
    | 'messages'
    | 'messages/s'
    | 'records'
    | 'records/s'
    | 'KiB'
    | 'kills'
    | '%'
    | 'workers/s'
  readonly better: 'more' | 'less' | 'neither'
  readonly what: string
  /** Name of the measure it is compared with; the ratio is its value divided by that one's. */
  readonly peer?: string
  /** What the project promises to reach. */
  readonly goal?: string
}

/** What the goals are set for. */
const GOALS: Readonly<Record<string, string>> = {
  'calls-1-p50': '≤ 75',
  'calls-256-rate': '≥ 100000',
  'calls-256-cpu': '≤ 6.5',
  'calls-msgpack-256-rate': '≥ 1000000',
  'calls-msgpack-256-cpu': '≤ 0.6',
  'calls-same-shard-256-cpu': 'ratio ≤ 1.1',
  'calls-cross-256-rate': 'ratio ≥ 0.8',
  'calls-cross-1-p50': '≤ 110',
  'calls-msgpack-cross-256-rate': 'ratio ≥ 0.8',
  'calls-msgpack-cross-1-p50': '≤ 90',
  'calls-acceptor-same-shard-256-rate': 'ratio ≥ 0.5',
  'calls-acceptor-cross-256-rate': 'ratio ≥ 0.5',
  'calls-msgpack-acceptor-same-shard-256-rate': 'ratio ≥ 0.5',
  'calls-msgpack-acceptor-cross-256-rate': 'ratio ≥ 0.5',
  'idle-workers-memory': '≤ 10',
  'idle-workers-cpu': '≤ 1',
  'idle-workers-2-shards-memory': '≤ 10',
  'idle-workers-2-shards-cpu': '≤ 1',
  'state-set-1-p50': '≤ 250',
  'state-set-64-rate': '≥ 75000, ratio ≥ 1.0',
  'state-get-64-rate': '≥ 100000',
  'pubsub-32-rate': '≥ 200000',
  'stream-200-rate': '≥ 900000',
  'stream-200-lost': '0',
  'stream-200-stuck-p99': 'ratio ≤ 2',
  'queue-published': '≥ 60000',
  'queue-delivered': '≥ 45000',
  'queue-through': 'ratio ≥ 2',
  'queue-msgpack-published': '≥ 100000',
  'queue-msgpack-delivered': '≥ 80000',
  'queue-alone-start-p50': '≤ 400',
  'queue-groups-through': 'ratio ≥ 0.8',
  'queue-deep-through': 'ratio ≥ 0.8',
  'queue-beside-through': 'ratio ≥ 0.8',
  'queue-lost': '0',
  'keys-start': '≤ 1000',
  'keys-page-last-p50': 'ratio ≤ 1.5',
  'cron-mixed-cpu': '≤ 1',
  'cron-mixed-late-p99': '≤ 20',
  'cron-minutely-cpu': '≤ 1',
  'cron-minutely-late-p99': '≤ 20',
  'lost-answers': '0',
  'lost-unexpected': '0',
  'lost-wrong': '0',
  'lost-cross-answers': '0',
  'lost-cross-unexpected': '0',
  'lost-cross-wrong': '0',
  'http-post-rate': '≥ 45000',
  'http-post-p99': '≤ 5',
  'ring-rate': '≥ 5000000',
  'ring-wake-p50': '≤ 15',
  'ring-wrong': '0',
  'start-open-port': '≤ 200',
  'start-idle-memory': '≤ 120',
}

function callMeasures(levels: readonly number[], shardLevels: readonly number[]): MeasureInfo[] {
  return [
    ...callShapes.flatMap(shape =>
      (hasShards(shape) ? shardLevels : levels).flatMap(level =>
        callRows(shape.name, level, shape.what, 'engine', shape.peer),
      ),
    ),
    ...levels.flatMap(level => callRows('nats', level, 'NATS request', 'NATS server')),
  ]
}

function lostRows(name: string, calls: string): MeasureInfo[] {
  return [
    {
      name: `${name}-answers`,
      unit: 'answers',
      better: 'less',
      what: `${calls}: never answered, of ${name}-calls`,
    },
    {
      name: `${name}-unexpected`,
      unit: 'answers',
      better: 'less',
      what: `${calls}: answers that belong to no call`,
    },
    {
      name: `${name}-wrong`,
      unit: 'answers',
      better: 'less',
      what: `${calls}: answers that are errors or not what was returned`,
    },
    { name: `${name}-calls`, unit: 'calls', better: 'neither', what: `${calls}: made to find that out` },
    {
      name: `${name}-rate`,
      unit: 'calls/s',
      better: 'more',
      what: `${calls}: answered meanwhile, 256 in flight on 4 connections`,
    },
  ]
}

const lostMeasures: MeasureInfo[] = [
  ...lostRows('lost', 'calls'),
  ...lostRows('lost-cross', 'calls across 2 shards, the one with the worker is killed'),
  {
    name: 'lost-cross-stopped',
    unit: 'calls',
    better: 'neither',
    what: 'those whose callers were told invocation_stopped',
  },
  {
    name: 'lost-cross-not-found',
    unit: 'calls',
    better: 'neither',
    what: 'those that came before the worker was back',
  },
  { name: 'lost-cross-kills', unit: 'kills', better: 'neither', what: 'how often the shard was killed' },
]

function httpRows(name: string, what: string, peer: string | undefined, cpuOf: string): MeasureInfo[] {
  const row = (suffix: string, unit: MeasureInfo['unit'], better: MeasureInfo['better'], text: string) => ({
    name: `${name}-${suffix}`,
    unit,
    better,
    what: `${what}: ${text}`,
    ...(peer === undefined ? {} : { peer: `${peer}-${suffix}` }),
  })
  return [
    row('rate', 'requests/s', 'more', 'requests answered'),
    row('p50', 'ms', 'less', 'time to answer, median'),
    row('p99', 'ms', 'less', 'time to answer, 99th percentile'),
    row('cpu', 'µs', 'less', `CPU time of ${cpuOf} per request`),
  ]
}

const httpMeasures: MeasureInfo[] = [
  ...routeCounts.flatMap(routes =>
    routes === 1
      ? httpRows('http-post', 'POST → worker → answer, 1 route', 'http-bun-post', 'the engine')
      : httpRows(`http-post-${routes}-routes`, `POST round ${routes} routes`, 'http-post', 'the engine'),
  ),
  ...httpRows('http-get', 'GET → worker → answer, 1 route', 'http-bun-get', 'the engine'),
  ...httpRows('http-bun-post', 'POST to a bare Bun.serve', undefined, 'that process'),
  ...httpRows('http-bun-get', 'GET to a bare Bun.serve', undefined, 'that process'),
  {
    name: 'http-failures',
    unit: 'requests',
    better: 'less',
    what: 'requests to the engine that failed, timed out or got a status of 400 and above',
  },
]

function startRows(name: string, program: string, peer?: string): MeasureInfo[] {
  const toPeer = (suffix: string) => (peer === undefined ? {} : { peer: `${peer}-${suffix}` })
  return [
    {
      name: `${name}-open-port`,
      unit: 'ms',
      better: 'less',
      what: `from spawn of ${program} to its port open`,
      ...toPeer('open-port'),
    },
    {
      name: `${name}-idle-memory`,
      unit: 'MiB',
      better: 'less',
      what: `resident memory of ${program} 2 s later`,
      ...toPeer('idle-memory'),
    },
  ]
}

const microRow = (name: string, what: string, peer?: string): MeasureInfo => ({
  name: `micro-${name}`,
  unit: 'ns',
  better: 'less',
  what,
  ...(peer === undefined ? {} : { peer: `micro-${peer}` }),
})

const microMeasures: MeasureInfo[] = (['small', 'large'] as const)
  .flatMap(size => {
    const frame = `a ${size} call frame`
    return [
      microRow(`scan-${size}`, `${frame} scanned: proved to be JSON, members found`, `json-parse-${size}`),
      microRow(
        `decode-${size}`,
        `${frame} from text to header fields and payload slice`,
        `json-parse-${size}`,
      ),
      microRow(`json-parse-${size}`, `JSON.parse of ${frame}`),
      microRow(`encode-${size}`, `${frame} to bytes`, `json-stringify-${size}`),
      microRow(`json-stringify-${size}`, `JSON.stringify of the parsed frame, to bytes`),
    ]
  })
  .concat([
    microRow('route-call', 'router: both frames of a call, as objects, no link'),
    microRow('route-text-call', 'router: both frames of a call decoded, routed and encoded, no socket'),
    microRow('local-call', 'a call between two built-in workers over local links, 256 in flight'),
    microRow('msgpack-walk-small', 'a small call frame in msgpack: its elements found', 'decode-small'),
    microRow(
      'msgpack-decode-small',
      'a small call frame from msgpack to header fields and payload as JSON text',
      'decode-small',
    ),
    microRow('msgpack-encode-small', 'a small call frame to msgpack', 'encode-small'),
    microRow(
      'msgpack-route-call',
      'both frames of a call passed on in msgpack: looked up, copied under another id, no engine',
      'route-text-call',
    ),
  ])

const ringMeasures: MeasureInfo[] = [
  {
    name: 'ring-rate',
    unit: 'records/s',
    better: 'more',
    what: '200-byte records from one thread to another, one record per push',
    peer: 'ring-message-rate',
  },
  {
    name: 'ring-message-rate',
    unit: 'records/s',
    better: 'more',
    what: 'the same by postMessage',
  },
  {
    name: 'ring-wake-p50',
    unit: 'µs',
    better: 'less',
    what: 'from a push to the record on a thread that sleeps: half a round trip, a pause of 1 ms between two',
    peer: 'ring-message-wake-p50',
  },
  {
    name: 'ring-message-wake-p50',
    unit: 'µs',
    better: 'less',
    what: 'the same by postMessage',
  },
  {
    name: 'ring-wrong',
    unit: 'records',
    better: 'less',
    what: 'records of ring-records that came out of order or with a wrong checksum',
  },
  { name: 'ring-records', unit: 'records', better: 'neither', what: 'records sent to find that out' },
]

function idleRows({ name, engine }: (typeof idleShapes)[number]): MeasureInfo[] {
  const what = `idle workers, engine with ${engine.join(' ')}`
  const peer = (suffix: string) =>
    name === 'idle-workers' ? {} : { peer: `${idleShapes[0].name}-${suffix}` }
  return [
    {
      name: `${name}-memory`,
      unit: 'KiB',
      better: 'less',
      what: `${what}: memory for each`,
      ...peer('memory'),
    },
    {
      name: `${name}-cpu`,
      unit: '%',
      better: 'less',
      what: `${what}: share of a core that all of them take`,
      ...peer('cpu'),
    },
    {
      name: `${name}-connected`,
      unit: 'workers/s',
      better: 'more',
      what: `${what}: how fast they connected and announced themselves`,
      ...peer('connected'),
    },
  ]
}

/** All measures, in the order of the table, for these levels of calls in flight: without shards, with them, of the state. */
export function catalogue(
  levels: readonly number[],
  shardLevels = levels,
  stateLevels = levels,
): MeasureInfo[] {
  const all = [
    ...callMeasures(levels, shardLevels),
    ...lostMeasures,
    ...stateMeasures(stateLevels),
    ...queueMeasures,
    ...keysMeasures,
    ...deliveryMeasures,
    ...cronMeasures,
    ...httpMeasures,
    ...startRows('start', 'the engine', 'start-bun'),
    ...startRows('start-bun', 'a bare Bun.serve'),
    ...microMeasures,
    ...ringMeasures,
    ...idleShapes.flatMap(idleRows),
  ]
  return all.map(info => (GOALS[info.name] === undefined ? info : { ...info, goal: GOALS[info.name]! }))
}

/** Whether a measure is named by a word: by its whole name or by the first parts of it. */
export const isNamedBy = (measure: string, word: string): boolean =>
  measure === word || measure.startsWith(`${word}-`)

/**
 * The measures that words ask for, all if there are none. With `peers`, what a measure is compared with comes along,
 * because a ratio only counts in one run; and so does what is compared with it.
 */
export function selectMeasures(
  infos: readonly MeasureInfo[],
  words: readonly string[],
  peers: boolean,
): Set<string> {
  if (words.length === 0) return new Set(infos.map(({ name }) => name))
  const named = new Set(
    infos.filter(({ name }) => words.some(word => isNamedBy(name, word))).map(({ name }) => name),
  )
  if (!peers) return named
  const selected = new Set(named)
  for (const { name, peer } of infos) {
    if (peer === undefined) continue
    if (named.has(peer)) selected.add(name)
    if (named.has(name)) selected.add(peer)
  }
  return selected
}
