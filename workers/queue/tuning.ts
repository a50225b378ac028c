/** How the messages of a queue are handled: that of named queues by the configuration, that of topics by triggers. */
import type { NamedQueueConfig, QueueConfig } from './config.ts'
import type { RetryPolicy } from './core/verdict.ts'

export interface Tuning {
  /** Calls that a consumer has at once. */
  readonly concurrency: number
  readonly leaseMs: number
  readonly retry: RetryPolicy
  /** Messages in one call, at most. Absent: each has a call of its own, with its bare data. */
  readonly batch?: number | undefined
  /** While nobody answers the function. */
  readonly missing: 'park' | 'fail'
}

/** How a message gets its place in a queue. */
export interface Ordering {
  /** `true`: messages of a group are in order; without a field all of them are one group. */
  readonly isFifo: boolean
  readonly groupField: string | undefined
  readonly priorityField: string | undefined
  readonly maxPriority: number | undefined
}

export interface NamedQueue {
  readonly name: string
  readonly tuning: Tuning
  readonly ordering: Ordering
  readonly config: NamedQueueConfig
}

function namedTuning(config: NamedQueueConfig): Tuning {
  return {
    concurrency: config.concurrency,
    leaseMs: config.lease_ms,
    missing: config.missing_function,
    retry: {
      maxAttempts: config.max_retries,
      backoff: {
        type: config.backoff_type,
        baseMs: config.backoff_ms,
        maxMs: config.max_backoff_ms,
        jitter: config.jitter,
      },
    },
  }
}

/** By their names. One called `default` is always there. */
export function namedQueues({ queue_configs }: QueueConfig): ReadonlyMap<string, NamedQueue> {
  return new Map(
    Object.entries(queue_configs).map(([name, config]) => [
      name,
      { name, config, tuning: namedTuning(config), ordering: namedOrdering(config) },
    ]),
  )
}

const namedOrdering = (config: NamedQueueConfig): Ordering => ({
  isFifo: config.type === 'fifo',
  groupField: config.message_group_field,
  priorityField: config.priority_field,
  maxPriority: config.max_priority,
})
