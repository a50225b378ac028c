/**
 * Which built-in workers there are, on which threads their parts stand, and how each is made. One row per worker: this
 * table is the only place that knows them all.
 */
import { z } from 'zod'
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import { type ConfigurationConfig, configurationConfigSchema } from '../../workers/configuration/config.ts'
import { systemFiles } from '../../workers/configuration/files.ts'
import { createConfigurationWorker } from '../../workers/configuration/worker.ts'
import type { EngineStatus } from '../../workers/engine-functions/catalogue.ts'
import { createEngineFunctionsWorker } from '../../workers/engine-functions/worker.ts'
import { type HttpConfig, httpConfigSchema } from '../../workers/http/config.ts'
import { createHttpWorker } from '../../workers/http/worker.ts'
import { type PubsubConfig, pubsubConfigSchema } from '../../workers/pubsub/config.ts'
import { createPubsubWorker } from '../../workers/pubsub/worker.ts'
import type { BuiltInWorker } from '../../workers/worker.ts'
import type { Clock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import type { HostState } from '../engine/registry.ts'
import type { Log } from '../log/log.ts'
import type { Partition } from '../storage/partition.ts'
import type { Peers } from './account.ts'
import { createFindCaller } from './callers.ts'
import { createCatalogue } from './catalogue.ts'

/** What a part can be made from, wherever it stands. */
export interface CommonParts {
  readonly clock: Clock
  readonly log: Log
}

/** What a part on the threads with sockets can be made from. */
export interface PlacementParts extends CommonParts {
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

/** What a part on the durable thread can be made from. */
export interface DurableParts extends CommonParts {
  /** The one of the folder that the part's `keeps` names: parts that name the same one share it. */
  readonly partition: Partition
}

/** Where a part keeps its things: in memory, or on disk. */
export type Keeping =
  | { readonly adapter: 'memory' }
  /** `folder`: absolute, or relative to the folder of the configuration file; absent: the data folder of the engine. */
  | { readonly adapter: 'sqlite'; readonly folder: string | undefined }

type Made = BuiltInWorker | Promise<BuiltInWorker>

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
      readonly create: (config: unknown, parts: PlacementParts) => Made
    }
  | {
      readonly on: 'main'
      readonly suffix?: string
      readonly create: (config: unknown, parts: CommonParts) => Made
    }
  | {
      readonly on: 'durable'
      readonly suffix?: string
      readonly keeps: (config: unknown) => Keeping
      readonly create: (config: unknown, parts: DurableParts) => Made
    }

/** What workers of the main thread can be made from. */
export interface MainParts {
  readonly engine: HostState
  /** The other threads, if there are any. */
  readonly peers: Peers | undefined
  readonly status: () => Promise<EngineStatus>
  readonly settings: Pick<Settings, 'data' | 'workers'>
  readonly clock: Clock
  readonly log: Log
}

export interface Placement {
  readonly schema: z.ZodType
  /** May be listed more than once. */
  readonly multiple: boolean
  /** Empty for workers that always run. */
  readonly parts: readonly Part[]
}

/**
 * Configurable workers by their name in a configuration file; other spellings stand in `config/names.ts`. The worker
 * listener is no worker to place: `config/place.ts` makes its settings by the schema of `server/config.ts`.
 */
export const knownWorkers: ReadonlyMap<string, Placement> = new Map<string, Placement>([
  ['iii-engine-functions', { schema: z.strictObject({}), multiple: false, parts: [] }],
  ['configuration', { schema: configurationConfigSchema, multiple: false, parts: [] }],
  [
    'iii-http',
    {
      schema: httpConfigSchema,
      // A trigger type has one provider; a second listener would never get a route.
      multiple: false,
      parts: [
        {
          on: 'shards',
          as: 'one',
          create: (config: unknown, parts: PlacementParts) => createHttpWorker(config as HttpConfig, parts),
        },
      ],
    },
  ],
  [
    'iii-pubsub',
    {
      schema: pubsubConfigSchema,
      multiple: false,
      // Beside the directory: who subscribes is known there first, and a message leaves once for each thread.
      parts: [
        {
          on: 'main',
          create: (config: unknown, parts: CommonParts) => createPubsubWorker(config as PubsubConfig, parts),
        },
      ],
    },
  ],
])

/** Workers that always run, on the main thread. */
export function alwaysPlaced({ engine, clock, log, peers, status, settings }: MainParts): BuiltInWorker[] {
  const catalogue = createCatalogue(engine, { peers, status })
  const configuration = settings.workers.find(({ name }) => name === 'configuration')
  return [
    createEngineFunctionsWorker({ catalogue, clock, log, newId: engine.randomId }),
    createConfigurationWorker(
      (configuration?.config ?? configurationConfigSchema.parse({})) as ConfigurationConfig,
      {
        files: systemFiles,
        folder: settings.data.base,
        env: process.env,
        findCaller: createFindCaller(engine, clock),
        loadReader: async () => (await import('../config/document.ts')).readDocument,
        clock,
        log,
      },
    ),
  ]
}

/** A part of a configured worker. */
export interface PlacedPart<On extends Part['on']> {
  readonly part: Extract<Part, { on: On }>
  /** The instance of the worker it is a part of. */
  readonly worker: string
  /** The name it announces. */
  readonly instance: string
  readonly config: unknown
}

/** The parts that stand on threads of a kind, in the order of the settings. */
export function partsOn<On extends Part['on']>(on: On, { workers }: Settings): PlacedPart<On>[] {
  return workers.flatMap(({ name, instance, config }) =>
    (knownWorkers.get(name)?.parts ?? [])
      .filter((part): part is Extract<Part, { on: On }> => part.on === on)
      .map(part => ({
        part,
        worker: instance,
        instance: part.suffix === undefined ? instance : `${instance}:${part.suffix}`,
        config,
      })),
  )
}

/** A worker of parts needs nothing of the engine but a client. */
export function runsAlone(name: string): boolean {
  return (knownWorkers.get(name)?.parts.length ?? 0) > 0
}
