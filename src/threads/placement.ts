/**
 * Which built-in workers a configuration may name and what it may say to them. One row per worker; where its parts stand is in
 * `parts.ts`. No code of workers: with the settings the other threads can begin, while this one loads the rest.
 */
import { z } from 'zod'
import { configurationConfigSchema } from '../../workers/configuration/config.ts'
import { cronConfigSchema } from '../../workers/cron/config.ts'
import { httpConfigSchema } from '../../workers/http/config.ts'
import { pubsubConfigSchema } from '../../workers/pubsub/config.ts'
import { queueConfigSchema } from '../../workers/queue/config.ts'
import { stateConfigSchema } from '../../workers/state/config.ts'
import { streamConfigSchema } from '../../workers/stream/config.ts'
import type { KnownWorker } from '../config/settings.ts'

// Parsers that are compiled pay for themselves after thousands of inputs: settings are parsed once.
z.config({ jitless: true })

/** Where a worker keeps its things: another partition is another start. */
const KEPT = [
  ['adapter', 'name'],
  ['adapter', 'config', 'store_method'],
  ['adapter', 'config', 'file_path'],
] as const

/**
 * Configurable workers by their name in a configuration file; other spellings stand in `config/names.ts`. The worker
 * listener is no worker to place: `config/place.ts` makes its settings by the schema of `server/config.ts`. None may be
 * listed twice: its functions and trigger types have one provider, and a second listener would never get a route.
 */
export const knownWorkers: ReadonlyMap<string, KnownWorker> = new Map<string, KnownWorker>([
  ['iii-engine-functions', { schema: z.strictObject({}), multiple: false }],
  ['configuration', { schema: configurationConfigSchema, multiple: false }],
  [
    'iii-cron',
    {
      schema: cronConfigSchema,
      multiple: false,
      changeable: {
        description: 'Schedules: what holds for triggers that do not say their own',
        fixed: KEPT,
      },
    },
  ],
  ['iii-http', { schema: httpConfigSchema, multiple: false }],
  ['iii-pubsub', { schema: pubsubConfigSchema, multiple: false }],
  [
    'iii-queue',
    {
      schema: queueConfigSchema,
      multiple: false,
      changeable: { description: 'Named queues, and what holds for topics', fixed: KEPT },
    },
  ],
  ['iii-state', { schema: stateConfigSchema, multiple: false }],
  ['iii-stream', { schema: streamConfigSchema, multiple: false }],
])
