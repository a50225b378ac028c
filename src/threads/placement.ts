/**
 * Which built-in workers there are and how each is made. One row per worker: this table is the only place that
 * knows them all.
 */
import { dirname } from 'node:path'
import { z } from 'zod'
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import { type ConfigurationConfig, configurationConfigSchema } from '../../workers/configuration/config.ts'
import { systemFiles } from '../../workers/configuration/files.ts'
import { createConfigurationWorker } from '../../workers/configuration/worker.ts'
import type { EngineStatus } from '../../workers/engine-functions/catalogue.ts'
import { createEngineFunctionsWorker } from '../../workers/engine-functions/worker.ts'
import { type HttpConfig, httpConfigSchema } from '../../workers/http/config.ts'
import { createHttpWorker } from '../../workers/http/worker.ts'
import type { BuiltInWorker } from '../../workers/worker.ts'
import type { Clock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import type { HostState } from '../engine/registry.ts'
import type { Log } from '../log/log.ts'
import type { Peers } from './account.ts'
import { createFindCaller } from './callers.ts'
import { createCatalogue } from './catalogue.ts'

/** What a worker can be made from. */
export interface PlacementParts {
  readonly clock: Clock
  readonly log: Log
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

/** What workers of the main thread can be made from. */
export interface MainParts {
  readonly engine: HostState
  /** The other threads, if there are any. */
  readonly peers: Peers | undefined
  readonly status: () => Promise<EngineStatus>
  readonly settings: Pick<Settings, 'file' | 'workers'>
  readonly clock: Clock
  readonly log: Log
}

interface Placement {
  readonly schema: z.ZodType
  /** May be listed more than once. */
  readonly multiple: boolean
  /** Absent for workers of the main thread. */
  readonly create?: (config: unknown, parts: PlacementParts) => BuiltInWorker
}

/**
 * Configurable workers by their name in a configuration file; other spellings stand in `config/names.ts`. The worker
 * listener is no worker to place: `config/place.ts` makes its settings by the schema of `server/config.ts`.
 */
export const knownWorkers: ReadonlyMap<string, Placement> = new Map([
  ['iii-engine-functions', { schema: z.strictObject({}), multiple: false }],
  ['configuration', { schema: configurationConfigSchema, multiple: false }],
  [
    'iii-http',
    {
      schema: httpConfigSchema,
      // A trigger type has one provider; a second listener would never get a route.
      multiple: false,
      create: (config: unknown, parts: PlacementParts) => createHttpWorker(config as HttpConfig, parts),
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
        folder: settings.file === undefined ? process.cwd() : dirname(settings.file),
        env: process.env,
        findCaller: createFindCaller(engine),
        loadReader: async () => (await import('../config/document.ts')).readDocument,
        clock,
        log,
      },
    ),
  ]
}
