/**
 * Which built-in workers a configuration may name and what it may say to them. One row per worker; where its parts stand is in
 * `parts.ts`.
 */
import { z } from 'zod'
import { type ConfigurationConfig, configurationConfigSchema } from '../../workers/configuration/config.ts'
import { systemFiles } from '../../workers/configuration/files.ts'
import { createConfigurationWorker } from '../../workers/configuration/worker.ts'
// Loaded with the rest, because nearly every engine has it: by itself it takes 20 ms.
import '../../workers/http/worker.ts'
import type { EngineStatus } from '../../workers/engine-functions/catalogue.ts'
import { createEngineFunctionsWorker } from '../../workers/engine-functions/worker.ts'
import { httpConfigSchema } from '../../workers/http/config.ts'
import { pubsubConfigSchema } from '../../workers/pubsub/config.ts'
import { stateConfigSchema } from '../../workers/state/config.ts'
import { streamConfigSchema } from '../../workers/stream/config.ts'
import type { BuiltInWorker } from '../../workers/worker.ts'
import type { Clock } from '../clock/clock.ts'
import type { KnownWorker, Settings } from '../config/settings.ts'
import type { HostState } from '../engine/registry.ts'
import type { Log } from '../log/log.ts'
import type { Peers } from './account.ts'
import { createFindCaller } from './callers.ts'
import { createCatalogue } from './catalogue.ts'

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

/**
 * Configurable workers by their name in a configuration file; other spellings stand in `config/names.ts`. The worker
 * listener is no worker to place: `config/place.ts` makes its settings by the schema of `server/config.ts`. None may be
 * listed twice: its functions and trigger types have one provider, and a second listener would never get a route.
 */
export const knownWorkers: ReadonlyMap<string, KnownWorker> = new Map<string, KnownWorker>([
  ['iii-engine-functions', { schema: z.strictObject({}), multiple: false }],
  ['configuration', { schema: configurationConfigSchema, multiple: false }],
  ['iii-http', { schema: httpConfigSchema, multiple: false }],
  ['iii-pubsub', { schema: pubsubConfigSchema, multiple: false }],
  ['iii-state', { schema: stateConfigSchema, multiple: false }],
  ['iii-stream', { schema: streamConfigSchema, multiple: false }],
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
