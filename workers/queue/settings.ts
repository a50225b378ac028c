/** The settings of the queue worker as they are used. They may be others at any time: whoever uses them asks for those in force. */
import { limits } from '../../src/protocol/limits.ts'
import type { QueueConfig } from './config.ts'
import { namedQueue } from './names.ts'
import { type NamedQueue, namedQueues, type Tuning } from './tuning.ts'

export interface QueueSettings {
  /** By the name that is configured. */
  readonly named: ReadonlyMap<string, NamedQueue>
  /** By the name as it is kept. */
  readonly byQueue: ReadonlyMap<string, NamedQueue>
  /** Of topics, where a trigger does not say its own. */
  readonly usual: { readonly tuning: Tuning; readonly isFifo: boolean }
}

/** Those in force. */
export type CurrentSettings = () => QueueSettings

export function queueSettings(config: QueueConfig): QueueSettings {
  const named = namedQueues(config)
  return {
    named,
    byQueue: new Map([...named.values()].map(queue => [namedQueue(queue.name), queue])),
    usual: { tuning: topicTuning(config), isFifo: config.adapter.config.mode === 'fifo' },
  }
}

function topicTuning({ adapter: { config } }: QueueConfig): Tuning {
  return {
    concurrency: config.concurrency,
    leaseMs: limits.queueLeaseMs,
    missing: 'park',
    retry: {
      maxAttempts: config.max_attempts,
      backoff: { type: 'exponential', baseMs: config.backoff_ms, maxMs: limits.queueBackoffMs, jitter: 0 },
    },
  }
}

/** A tuning that is that of the settings in force whenever it is looked at. `undefined`: it stays what it was. */
export function currentTuning(
  current: CurrentSettings,
  of: (settings: QueueSettings) => Tuning | undefined,
): Tuning {
  let settings = current()
  let tuning = of(settings)!
  function now(): Tuning {
    const latest = current()
    if (latest === settings) return tuning
    settings = latest
    tuning = of(latest) ?? tuning
    return tuning
  }
  return {
    get concurrency() {
      return now().concurrency
    },
    get leaseMs() {
      return now().leaseMs
    },
    get retry() {
      return now().retry
    },
    get batch() {
      return now().batch
    },
    get perKey() {
      return now().perKey
    },
    get missing() {
      return now().missing
    },
  }
}
