/** The built-in workers that run whatever the settings. */
import { type ConfigurationConfig, configurationConfigSchema } from '../../workers/configuration/config.ts'
import { systemFiles } from '../../workers/configuration/files.ts'
import { createConfigurationWorker } from '../../workers/configuration/worker.ts'
import type { EngineStatus } from '../../workers/engine-functions/catalogue.ts'
import { createEngineFunctionsWorker } from '../../workers/engine-functions/worker.ts'
import type { BuiltInWorker } from '../../workers/worker.ts'
import type { Clock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import type { HostState } from '../engine/registry.ts'
import type { Log } from '../log/log.ts'
import type { Peers } from './account.ts'
import { createFindCaller } from './callers.ts'
import { createCatalogue } from './catalogue.ts'
import { createSeeds } from './seeds.ts'

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
        seeds: createSeeds(settings.workers),
        loadReader: async () => (await import('../config/document.ts')).readDocument,
        clock,
        log,
      },
    ),
  ]
}
