/** Settings of the state worker: the `config:` block of `iii-state`. Times in milliseconds, sizes in bytes. */
import { z } from 'zod'
import { limits } from '../../src/protocol/limits.ts'
import { LEVELS } from '../../src/storage/partition.ts'

const NOT_YET = 'is not part of this version yet; `kv` keeps the values in the data folder of the engine'

const kvSettings = z
  .strictObject({
    /** `file_based`: on disk, every write synced before its answer. `in_memory`: gone when the engine ends. */
    store_method: z.enum(['file_based', 'in_memory']).default('file_based'),
    /** A folder of its own; absent: the data folder of the engine. */
    file_path: z.string().min(1).optional(),
    /** Accepted from files of other engines and of no effect: no write waits to be saved. */
    save_interval_ms: z.int().min(1).optional(),
  })
  .prefault({})

const later = new Set(['redis', 'bridge'])

const adapter = z
  .strictObject({
    name: z
      .string()
      .refine(name => !later.has(name), { error: issue => `the adapter \`${issue.input}\` ${NOT_YET}` })
      .refine(name => name === 'kv' || later.has(name), { error: 'there is no such adapter; there is `kv`' })
      .default('kv'),
    config: kvSettings,
  })
  .prefault({})

export const stateConfigSchema = z.strictObject({
  adapter,
  /** Whether triggers of type `state` fire. */
  triggers_enabled: z.boolean().default(true),
  /** Events that may cause each other; a deeper one goes to nobody. */
  depth_limit: z.int().min(1).max(10_000).default(limits.deliveryDepth),
  /** Of one value; absent: what a message can hold. */
  max_value_bytes: z.int().min(0).optional(),
  /** How far a write comes before it is answered, where the call does not say. */
  durability: z.enum(LEVELS).default('disk'),
  /** The same for single scopes. */
  scope_durability: z.record(z.string(), z.enum(LEVELS)).default({}),
})

/** Parsed and with every default filled in. */
export type StateConfig = z.output<typeof stateConfigSchema>
