/** Functions that tell how full a queue is: `queue::stats`, `engine::queue::topic_stats`. */
import { limits } from '../../../src/protocol/limits.ts'
import { text } from '../../fields.ts'
import type { ParkedLane, QueueBackend, QueueState } from '../backend.ts'
import type { Consumers } from '../consumers.ts'
import { namedQueue } from '../names.ts'
import type { Sources } from '../sources.ts'
import { nameOf } from './letters.ts'
import type { Register } from './register.ts'

export interface StatsParts {
  readonly backend: QueueBackend
  readonly consumers: Consumers
  readonly sources: Sources
  readonly wallClock: () => number
}

/** Of a named queue, or of all queues of a topic together. Without `kind`: of what the name means. */
export type StatsOf = (name: string, kind?: 'queue' | 'topic') => Promise<object>

/** Returns how others ask for the same. */
export function registerStats(register: Register, parts: StatsParts): StatsOf {
  const { backend, consumers, sources, wallClock } = parts

  function queuesOf(name: string, kind: 'queue' | 'topic' | undefined): readonly string[] {
    if (kind === undefined) return sources.queuesOf(name)
    return kind === 'topic' ? sources.topicQueuesOf(name) : [namedQueue(name)]
  }

  async function statsOf(name: string, kind?: 'queue' | 'topic') {
    const queue = kind === 'topic' ? undefined : sources.named(name)
    const sum = { waiting: 0, ready: 0, timed: 0, behind: 0, dead: 0, bytes: 0, leased: 0 }
    const rates = { published: 0, done: 0, failed: 0 }
    let isPaused = false
    let consumerCount = 0
    let functions = 0
    let oldestAtMs = Number.POSITIVE_INFINITY
    let parked: number | null = 0
    const parkedLanes: ParkedLane[] = []
    for (const kept of queuesOf(name, kind)) {
      const state: QueueState = await backend.state(kept)
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += state[key]
      for (const key of Object.keys(rates) as (keyof typeof rates)[]) rates[key] += state.rates[key]
      isPaused ||= state.isPaused
      const served = consumers.consumersOf(kept)
      consumerCount += served.consumers
      functions += served.functions
      oldestAtMs = Math.min(oldestAtMs, state.oldestAtMs ?? oldestAtMs)
      parked = parked === null || state.parked === undefined ? null : parked + state.parked
      parkedLanes.push(...state.parkedLanes)
    }
    return {
      depth: sum.waiting,
      consumer_count: queue === undefined ? consumerCount : queue.tuning.concurrency,
      functions,
      dlq_depth: sum.dead,
      config: queue?.config ?? null,
      ready: sum.ready,
      delayed: sum.timed,
      behind: sum.behind,
      leased: sum.leased,
      parked,
      parked_for: parkedLanes.slice(0, limits.queueParkedLanes).map(({ lane, reason }) => ({
        reason,
        function_id: lane.functionId,
        namespace: lane.namespace,
      })),
      oldest_ms:
        oldestAtMs === Number.POSITIVE_INFINITY ? null : Math.max(0, Math.floor(wallClock()) - oldestAtMs),
      rates,
      bytes: sum.bytes,
      paused: isPaused,
    }
  }

  const which = {
    queue: text('a named queue, or a topic'),
    topic: text('the same as `queue`'),
  } as const
  register({
    id: 'engine::queue::topic_stats',
    description: 'How full a queue is',
    fields: which,
    failure: 'topic_stats_failed',
    run: (input, _, refuse) => statsOf(nameOf(input, refuse, 'topic_required', 'topic is required')),
  })
  register({
    id: 'queue::stats',
    description: 'How full a queue is',
    fields: which,
    failure: 'stats_failed',
    async run(input, _, refuse) {
      const name = nameOf(input, refuse, 'queue_not_set', 'Queue name is required')
      return { queue: name, ...(await statsOf(name)) }
    },
  })
  return statsOf
}
