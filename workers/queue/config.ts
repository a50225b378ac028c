/** Settings of the queue worker: the `config:` block of `iii-queue`. Times in milliseconds. */
import { z } from 'zod'
import { limits } from '../../src/protocol/limits.ts'

const count = z.int().min(0)
const positive = z.int().min(1)

const adapter = z
  .strictObject({
    /** `redis`, `bridge` and `rabbitmq` are names of the file format. */
    name: z
      .enum(['builtin', 'memory'], {
        error: 'the adapter must be builtin or memory; redis, bridge and rabbitmq are not supported yet',
      })
      .default('builtin'),
    config: z
      .strictObject({
        /** `file_based`: an answer means that it is on disk. `in_memory`: all is forgotten when the engine ends. */
        store_method: z.enum(['file_based', 'in_memory']).default('file_based'),
        /** A folder of its own; absent: the data folder of the engine. */
        file_path: z.string().min(1).optional(),
        /** Of topics, where a trigger does not say its own. */
        max_attempts: count.default(3),
        backoff_ms: count.default(1000),
        concurrency: positive.max(limits.deliveriesInFlight).default(10),
        mode: z.enum(['concurrent', 'fifo']).default('concurrent'),
        /** Accepted from files of other engines and of no effect: no write waits to be saved, nothing is polled. */
        save_interval_ms: positive.optional(),
        poll_interval_ms: positive.optional(),
        channel_size: positive.optional(),
      })
      .prefault({}),
  })
  .prefault({})

const queueConfig = z
  .strictObject({
    type: z.enum(['standard', 'fifo']).default('standard'),
    /** Attempts in total; 0 is as 1. */
    max_retries: count.default(3),
    concurrency: positive.max(limits.deliveriesInFlight).default(10),
    /** Member of the data that says which group a message belongs to. */
    message_group_field: z.string().min(1).optional(),
    backoff_ms: count.default(1000),
    backoff_type: z.enum(['fixed', 'linear', 'exponential']).default('exponential'),
    max_backoff_ms: count.default(limits.queueBackoffMs),
    /** Share of a back-off that is left to chance. */
    jitter: z.number().min(0).max(1).default(0),
    /** Of a lease. */
    lease_ms: positive.max(limits.callAgeMs).default(limits.queueLeaseMs),
    /** While nobody answers the function: `park` waits, `fail` burns an attempt. */
    missing_function: z.enum(['park', 'fail']).default('park'),
    /** Member of the data that holds the priority, and the highest one. */
    priority_field: z.string().min(1).optional(),
    max_priority: z.int().min(1).max(255).optional(),
    /** Messages that are not dead, and bytes of their data: beyond it a push is refused, or drops the oldest. */
    max_messages: positive.optional(),
    max_bytes: positive.optional(),
    lossy: z.boolean().default(false),
    /** Dead messages: how many are kept, and how long. */
    max_dead: positive.optional(),
    dead_ms: positive.optional(),
    /** Calls in a second, at most. */
    rate_per_second: positive.max(limits.queueRate).optional(),
    /** Accepted and of no effect: nothing is polled. */
    poll_interval_ms: positive.optional(),
  })
  .refine(({ type, message_group_field }) => type === 'standard' || message_group_field !== undefined, {
    error:
      'a fifo queue needs message_group_field: the member of the data that says which group a message belongs to',
  })

export const queueConfigSchema = z.strictObject({
  adapter,
  /** By their names; one called `default` is always there. */
  queue_configs: z
    .object({ default: queueConfig.prefault({}) })
    .catchall(queueConfig)
    .prefault({}),
})

/** Parsed and with every default filled in. */
export type QueueConfig = z.output<typeof queueConfigSchema>
export type NamedQueueConfig = z.output<typeof queueConfig>
