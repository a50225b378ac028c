/** Settings of the stream worker: the `config:` block of `iii-stream`. Times in milliseconds, sizes in bytes. */
import { z } from 'zod'
import { limits } from '../../src/protocol/limits.ts'
import { LEVELS } from '../../src/storage/partition.ts'

const LATER = 'comes with a later version; use the adapter kv, which keeps its items on disk'

const kvSettings = z
  .strictObject({
    /** `file_based`: on disk, every write synced before it is answered. `in_memory`: gone with the process. */
    store_method: z.enum(['file_based', 'in_memory']).default('file_based'),
    /** A folder; absent: the data folder of the engine. */
    file_path: z.string().min(1).optional(),
    /** Accepted and of no effect: what is acknowledged is on disk. */
    save_interval_ms: z.int().min(1).optional(),
    /** Accepted and of no effect. */
    channel_size: z.int().min(1).optional(),
  })
  .prefault({})

const adapter = z
  .strictObject({
    name: z
      .string()
      .refine(name => name !== 'redis' && name !== 'bridge', { error: `this adapter ${LATER}` })
      .pipe(z.literal('kv', { error: 'unknown adapter; there is kv' }))
      .default('kv'),
    config: kvSettings,
  })
  .prefault({})

export const streamConfigSchema = z.strictObject({
  /** 0 = any free port. */
  port: z.int().min(0).max(65_535).default(3112),
  host: z.string().min(1).default('127.0.0.1'),
  /** Asked at the upgrade of every client. */
  auth_function: z.string().min(1).max(limits.nameLength).optional(),
  /** Who cannot be asked, and who gives an answer that means nothing, refuses. */
  auth_fail_closed: z.boolean().default(true),
  auth_timeout_ms: z.int().min(1).max(limits.callAgeMs).default(limits.streamAuthMs),
  /** Browser origins that may connect beside those of this machine; with `*`: any. */
  allowed_origins: z.array(z.string().min(1)).default([]),
  /** What becomes of a client that takes its messages more slowly than they come. */
  slow_client: z.enum(['drop_oldest_then_resync', 'drop', 'close']).default('drop_oldest_then_resync'),
  slow_client_bytes: z.int().min(1).max(limits.outboundBytes).default(limits.streamUnsentBytes),
  connection_limit: z.int().min(1).default(limits.streamConnections),
  subscription_limit: z.int().min(1).default(limits.streamSubscriptions),
  message_limit_bytes: z.int().min(64).max(limits.messageBytes).default(limits.streamMessageBytes),
  messages_per_second: z.int().min(1).default(limits.streamMessagesPerSecond),
  /** Of one item; absent: what a message can hold. */
  max_value_bytes: z.int().min(0).optional(),
  /** How far a write comes before it is answered, where the call does not say. */
  durability: z.enum(LEVELS).default('disk'),
  /** The same for single streams. */
  stream_durability: z.record(z.string(), z.enum(LEVELS)).default({}),
  /** Events that may cause each other. */
  depth_limit: z.int().min(1).max(10_000).default(limits.deliveryDepth),
  adapter,
})

/** Parsed and with every default filled in. */
export type StreamConfig = z.output<typeof streamConfigSchema>
