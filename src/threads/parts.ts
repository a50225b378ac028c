/**
 * On which threads the parts of built-in workers stand, and how each is made. One row per worker; `placement.ts` has what a
 * configuration may say to them. Every thread knows this table and loads those workers only that stand on it.
 */
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import type { CronConfig } from '../../workers/cron/config.ts'
import { cronKeeping } from '../../workers/cron/keeping.ts'
import type { HttpConfig } from '../../workers/http/config.ts'
import type { PubsubConfig } from '../../workers/pubsub/config.ts'
import type { QueueConfig } from '../../workers/queue/config.ts'
import { queueKeeping } from '../../workers/queue/keeping.ts'
import type { QueueAccess } from '../../workers/queueAccess.ts'
import type { StateConfig } from '../../workers/state/config.ts'
import { stateKeeping } from '../../workers/state/keeping.ts'
import type { StreamConfig } from '../../workers/stream/config.ts'
import { streamKeeping } from '../../workers/stream/keeping.ts'
import type { BuiltInWorker } from '../../workers/worker.ts'
import type { Clock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import type { Log } from '../log/log.ts'
import type { Partition } from '../storage/partition.ts'

/** What a part can be made from, wherever it stands. */
export interface CommonParts {
  readonly clock: Clock
  readonly log: Log
  /** Random; of a process beside the engine, so that its parts find each other. Absent in the engine. */
  readonly process?: string
}

/** What a part on the threads with sockets can be made from. */
export interface PlacementParts extends CommonParts {
  /** It may listen beyond this machine without authentication. */
  readonly insecure: boolean
  /** Its listener shares its port with those of other shards. */
  readonly reusePort: boolean
  /**
   * Resolves when everything the worker has registered is in effect. Absent where nobody can be connected before it
   * listens.
   */
  readonly hasRegistered?: (client: WorkerClient) => Promise<void>
  /** Resolves when everything has come that the thread with the directory has sent. Absent on that thread. */
  readonly upToDate?: () => Promise<void>
}

/** Whether somebody answers a function now, and when that changes. */
export interface Functions {
  /** Id of the worker that answers it; `undefined`: nobody does. */
  find(namespace: string | undefined, functionId: string): string | undefined
  /** Told when somebody answers a function from now on. Returns how to stop it. */
  follow(told: (namespace: string, functionId: string) => void): () => void
}

/** What a part on the durable thread can be made from. */
export interface DurableParts extends CommonParts {
  /** The one of the folder that the part's `keeps` names: parts that name the same one share it. */
  readonly partition: Partition
  /** Whether somebody answers a function of the default namespace now. Absent outside the process of the engine. */
  readonly hasFunction?: (id: string) => boolean
  /** The same for all namespaces, and when that changes. */
  readonly functions?: Functions
  /** Queues that are kept in the same partition. Absent outside the process of the engine. */
  readonly queues?: QueueAccess
  /** Streams are kept in the same partition. */
  readonly streams?: boolean
}

/** Where a part keeps its things: in memory, or on disk. */
export type Keeping =
  | { readonly adapter: 'memory' }
  /** `folder`: absolute, or relative to the folder of the configuration file; absent: the data folder of the engine. */
  | { readonly adapter: 'sqlite'; readonly folder: string | undefined }

type Made = BuiltInWorker | Promise<BuiltInWorker>

/** Begins to load the code of a part, so that `create` need not wait for it. */
type Load = () => Promise<unknown>

/**
 * A part of a worker and where it stands. A worker may have several: what it keeps on the durable thread, the sockets of
 * its clients where all sockets are. Each is a worker of its own to the engine, and they speak through the engine.
 */
export type Part =
  /**
   * Where the sockets are: on every shard, or on the acceptor or the main thread. `'one'`: a gateway, whose instances are one
   * worker. `'each'`: every instance is a worker of its own, with functions of its own.
   */
  | {
      readonly on: 'shards'
      readonly as: 'one' | 'each'
      /** What its name has behind that of the worker, if that has another part: `clients` for `iii-stream:clients`. */
      readonly suffix?: string
      readonly load?: Load
      readonly create: (config: unknown, parts: PlacementParts) => Made
    }
  | {
      readonly on: 'main'
      readonly suffix?: string
      readonly load?: Load
      readonly create: (config: unknown, parts: CommonParts) => Made
    }
  | {
      readonly on: 'durable'
      readonly suffix?: string
      readonly keeps: (config: unknown) => Keeping
      readonly load?: Load
      readonly create: (config: unknown, parts: DurableParts) => Made
    }

const loadHttp = () => import('../../workers/http/worker.ts')
const loadPubsub = () => import('../../workers/pubsub/worker.ts')
const loadState = () =>
  Promise.all([import('../../workers/state/worker.ts'), import('../../workers/state/adapters/partition.ts')])

const loadCron = () =>
  Promise.all([import('../../workers/cron/worker.ts'), import('../../workers/cron/adapters/partition.ts')])

const loadQueue = () =>
  Promise.all([import('../../workers/queue/worker.ts'), import('../../workers/queue/adapters/partition.ts')])

const loadStream = () =>
  Promise.all([
    import('../../workers/stream/worker.ts'),
    import('../../workers/stream/adapters/partition.ts'),
  ])
const loadStreamGateway = () => import('../../workers/stream/gateway/worker.ts')

/** By the name of the worker. A worker that always runs, or has no part of its own, is not here. */
export const workerParts: ReadonlyMap<string, readonly Part[]> = new Map<string, readonly Part[]>([
  [
    'iii-http',
    [
      {
        on: 'shards',
        as: 'one',
        load: loadHttp,
        async create(config, parts) {
          const { createHttpWorker } = await loadHttp()
          return createHttpWorker(config as HttpConfig, parts)
        },
      },
    ],
  ],
  [
    'iii-pubsub',
    [
      // Beside the directory: who subscribes is known there first, and a message leaves once for each thread.
      {
        on: 'main',
        load: loadPubsub,
        async create(config, parts) {
          const { createPubsubWorker } = await loadPubsub()
          return createPubsubWorker(config as PubsubConfig, parts)
        },
      },
    ],
  ],
  [
    'iii-state',
    [
      {
        on: 'durable',
        keeps: config => stateKeeping(config as StateConfig),
        load: loadState,
        async create(config, { partition, ...parts }) {
          const [{ createStateWorker }, { createPartitionStore }] = await loadState()
          const store = createPartitionStore(partition)
          return createStateWorker(config as StateConfig, { ...parts, store, wallClock: Date.now })
        },
      },
    ],
  ],
  [
    'iii-cron',
    [
      {
        on: 'durable',
        keeps: config => cronKeeping(config as CronConfig),
        load: loadCron,
        async create(config, { partition, ...parts }) {
          const [{ createCronWorker }, { createPartitionStore }] = await loadCron()
          const wallClock = Date.now
          const store = createPartitionStore(partition, wallClock)
          return createCronWorker(config as CronConfig, { ...parts, store, wallClock })
        },
      },
    ],
  ],
  [
    'iii-queue',
    [
      {
        on: 'durable',
        keeps: config => queueKeeping(config as QueueConfig),
        load: loadQueue,
        async create(config, { partition, clock, log, functions, queues }) {
          const [{ createQueueWorker }, { createPartitionBackend }] = await loadQueue()
          const wallClock = Date.now
          return createQueueWorker(config as QueueConfig, {
            createBackend: concurrencyOf =>
              createPartitionBackend({
                partition,
                clock,
                log,
                wallClock,
                random: Math.random,
                epoch: crypto.randomUUID(),
                concurrencyOf,
              }),
            functions,
            access: queues,
            clock,
            wallClock,
            log,
          })
        },
      },
    ],
  ],
  [
    'iii-stream',
    [
      {
        on: 'durable',
        keeps: config => streamKeeping(config as StreamConfig),
        load: loadStream,
        async create(config, { partition, ...parts }) {
          const [{ createStreamWorker }, { createPartitionStore }] = await loadStream()
          const store = createPartitionStore(partition)
          const newId = () => crypto.randomUUID()
          return createStreamWorker(config as StreamConfig, { ...parts, store, wallClock: Date.now, newId })
        },
      },
      {
        on: 'shards',
        as: 'each',
        suffix: 'clients',
        load: loadStreamGateway,
        async create(config, parts) {
          const { createStreamGateway } = await loadStreamGateway()
          return createStreamGateway(config as StreamConfig, { ...parts, newId: () => crypto.randomUUID() })
        },
      },
    ],
  ],
])

/** A part of a configured worker. */
export interface PlacedPart<On extends Part['on']> {
  readonly part: Extract<Part, { on: On }>
  /** Of the worker it is a part of. */
  readonly name: string
  /** The instance of the worker it is a part of. */
  readonly worker: string
  /** The name it announces. */
  readonly instance: string
  readonly config: unknown
}

/** The parts that stand on threads of a kind, in the order of the settings. */
export function partsOn<On extends Part['on']>(on: On, { workers }: Settings): PlacedPart<On>[] {
  return workers.flatMap(({ name, instance, config }) =>
    (workerParts.get(name) ?? [])
      .filter((part): part is Extract<Part, { on: On }> => part.on === on)
      .map(part => ({
        part,
        name,
        worker: instance,
        instance: part.suffix === undefined ? instance : `${instance}:${part.suffix}`,
        config,
      })),
  )
}

/** A worker of parts needs nothing of the engine but a client. */
export function runsAlone(name: string): boolean {
  return workerParts.has(name)
}

/** Has the code of the parts loaded that stand on threads of a kind. Whether that fails is found out when they are made. */
export function loadParts(on: Part['on'], settings: Settings): void {
  for (const { part } of partsOn(on, settings)) part.load?.().catch(() => {})
}
