/** The measures of what is kept and told: values on disk, very many keys, topics and streams. */
import { callRows } from './callRows.ts'
import type { MeasureInfo } from './catalogue.ts'
import { cronShapes } from './cronShapes.ts'
import { pubsubShapes, SUBSCRIBERS } from './suites/pubsub.ts'
import { queueShapes } from './suites/queue.ts'
import { stateShapes } from './suites/state.ts'
import { streamShapes } from './suites/stream.ts'

export const cronMeasures: MeasureInfo[] = cronShapes.flatMap(({ name, what, count }) => {
  const row = (suffix: string, unit: MeasureInfo['unit'], better: MeasureInfo['better'], text: string) => ({
    name: `${name}-${suffix}`,
    unit,
    better,
    what: `${what}: ${text}`,
  })
  const cpu = row('cpu', '%', 'less', 'share of a core that the engine takes, all threads')
  if (count === 0) return [cpu]
  return [
    { ...cpu, peer: 'cron-none-cpu' },
    row('fired', 'calls/s', 'neither', 'calls of the function'),
    row('late-p50', 'ms', 'less', 'from the instant until the worker reads the call, median'),
    row('late-p99', 'ms', 'less', 'the same, 99th percentile'),
    row('late-max', 'ms', 'less', 'the same, the latest of all'),
  ]
})

/** For these levels of calls in flight. */
export function stateMeasures(levels: readonly number[]): MeasureInfo[] {
  const rows = stateShapes.flatMap(({ name, what, peer, via }) =>
    levels.flatMap(level => {
      const isRedis = via === 'always' || via === 'everysec'
      const all = callRows(name, level, what, isRedis ? 'Redis server' : 'engine', peer)
      const perSync: MeasureInfo = {
        name: `${name}-${level}-per-sync`,
        unit: 'calls',
        better: 'neither',
        what: `${what}: calls for each fsync, ${level} in flight`,
      }
      return isRedis || /get|list|-os/.test(name) ? all : [...all, perSync]
    }),
  )
  return rows.concat(
    {
      name: 'disk-sync-rate',
      unit: 'syncs/s',
      better: 'more',
      what: 'blocks of 8 KiB written and synced, one after the other, without anything else',
    },
    { name: 'disk-sync-p50', unit: 'µs', better: 'less', what: 'one of them: fdatasync alone, median' },
    {
      name: 'disk-sync-p99',
      unit: 'µs',
      better: 'less',
      what: 'one of them: fdatasync alone, 99th percentile',
    },
  )
}

/** Of messages of queues. */
export const queueMeasures: MeasureInfo[] = queueShapes.flatMap(({ name, what, peer, inFlight }) => {
  const row = (suffix: string, unit: MeasureInfo['unit'], better: MeasureInfo['better'], text: string) => ({
    name: `${name}-${suffix}`,
    unit,
    better,
    what: `${what}, ${inFlight} in flight: ${text}`,
    ...(peer === undefined || suffix === 'lost' ? {} : { peer: `${peer}-${suffix}` }),
  })
  return [
    row('published', 'messages/s', 'more', 'published per second, while they are delivered'),
    row('delivered', 'messages/s', 'more', 'delivered and acknowledged per second, meanwhile'),
    row('drained', 'messages/s', 'more', 'delivered per second when no more are published'),
    row(
      'through',
      'messages/s',
      'more',
      'delivered per second from the first publication to the last delivery',
    ),
    row('p50', 'µs', 'less', 'time until it is kept, median'),
    row('p99', 'µs', 'less', 'time until it is kept, 99th percentile'),
    row('start-p50', 'µs', 'less', 'time until its handler begins, median'),
    row('start-p99', 'µs', 'less', 'time until its handler begins, 99th percentile'),
    row('cpu', 'µs', 'less', 'CPU time of the program per delivery, all threads'),
    row('lost', 'messages', 'less', 'not kept, not delivered, delivered twice, or out of their order'),
  ]
})

export const keysMeasures: MeasureInfo[] = [
  {
    name: 'keys-start',
    unit: 'ms',
    better: 'less',
    what: 'from spawn of the engine until it listens, --keys keys in its data folder',
    peer: 'keys-none-start',
  },
  { name: 'keys-none-start', unit: 'ms', better: 'less', what: 'the same without any' },
  {
    name: 'keys-memory',
    unit: 'MiB',
    better: 'less',
    what: 'resident memory of the engine 2 s later',
    peer: 'keys-none-memory',
  },
  { name: 'keys-none-memory', unit: 'MiB', better: 'less', what: 'the same without any' },
  {
    name: 'keys-walked-memory',
    unit: 'MiB',
    better: 'less',
    what: 'the same when all keys have been listed by cursor',
    peer: 'keys-none-memory',
  },
  {
    name: 'keys-page-last-p50',
    unit: 'µs',
    better: 'less',
    what: 'a page of 100 keys at the end of the list, asked for by its cursor, median',
    peer: 'keys-page-first-p50',
  },
  { name: 'keys-page-first-p50', unit: 'µs', better: 'less', what: 'the same at its beginning' },
  {
    name: 'keys-fill-rate',
    unit: 'keys/s',
    better: 'more',
    what: 'keys written, a thousand in a transaction, without waiting for the disk',
  },
  { name: 'keys-count', unit: 'keys', better: 'neither', what: 'keys that the list had' },
]

function deliveryRows(name: string, what: string, peer?: string): MeasureInfo[] {
  const row = (suffix: string, unit: MeasureInfo['unit'], better: MeasureInfo['better'], text: string) => ({
    name: `${name}-${suffix}`,
    unit,
    better,
    what: `${what}: ${text}`,
    ...(peer === undefined || suffix === 'lost' ? {} : { peer: `${peer}-${suffix}` }),
  })
  return [
    row('rate', 'deliveries/s', 'more', 'deliveries per second'),
    row('p50', 'µs', 'less', 'time until the last one has it, median'),
    row('p99', 'µs', 'less', 'time until the last one has it, 99th percentile'),
    row('cpu', 'µs', 'less', 'CPU time of the engine per delivery, all threads'),
    row('lost', 'deliveries', 'less', 'messages that did not reach everybody once, and notices of loss'),
  ]
}

export const deliveryMeasures: MeasureInfo[] = [
  ...pubsubShapes.flatMap(({ name, what }) =>
    SUBSCRIBERS.flatMap(count => deliveryRows(`${name}-${count}`, `${count} × ${what}`)),
  ),
  ...streamShapes.flatMap(shape =>
    deliveryRows(shape.name, shape.what, 'peer' in shape ? shape.peer : undefined),
  ),
]
