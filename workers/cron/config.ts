/** Settings of the cron worker: the `config:` block of `iii-cron`. Times in milliseconds. */
import { z } from 'zod'
import { limits } from '../../src/protocol/limits.ts'

const adapter = z
  .strictObject({
    /** `redis` is a name of the file format. */
    name: z.enum(['kv'], { error: 'the adapter must be kv; redis is not supported yet' }).default('kv'),
    config: z
      .strictObject({
        /** `file_based`: a run is on disk before its function is called. `in_memory`: forgotten when the engine ends. */
        store_method: z.enum(['file_based', 'in_memory']).default('file_based'),
        /** A folder of its own; absent: the data folder of the engine. */
        file_path: z.string().min(1).optional(),
        /** Accepted from files of other engines and of no effect: no write waits to be saved, and nobody shares the store. */
        save_interval_ms: z.int().min(1).optional(),
        lock_ttl_ms: z.int().min(1).optional(),
        lock_index: z.string().optional(),
      })
      .prefault({}),
  })
  .prefault({})

export const cronConfigSchema = z.strictObject({
  adapter,
  /** For the function of a trigger that does not say its own. */
  timeout_ms: z.int().min(1).max(limits.callAgeMs).default(limits.cronTimeoutMs),
})

/** Parsed and with every default filled in. */
export type CronConfig = z.output<typeof cronConfigSchema>
