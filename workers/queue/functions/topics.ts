/** Functions that tell which queues there are and how full they are: `engine::queue::*`. */
import { limits } from '../../../src/protocol/limits.ts'
import { text, whole } from '../../fields.ts'
import type { ParkedLane, QueueBackend, QueueState } from '../backend.ts'
import type { Consumers } from '../consumers.ts'
import { namedQueue, parseQueue } from '../names.ts'
import type { CurrentSettings } from '../settings.ts'
import type { Sources } from '../sources.ts'
import type { Topics } from '../topics.ts'
import type { NamedQueue } from '../tuning.ts'
import { nameOf } from './letters.ts'
import type { Register } from './register.ts'

export interface TopicParts {
  readonly backend: QueueBackend
  readonly consumers: Consumers
  readonly current: CurrentSettings
  readonly topics: Topics
  readonly sources: Sources
  readonly wallClock: () => number
}

const BROKER = 'builtin'

const paging = { limit: whole('rows; all without it', 1, limits.queuePage) } as const

export function registerTopics(register: Register, parts: TopicParts): void {
  const { backend, consumers, current, topics, sources, wallClock } = parts

  /** Topics that have subscriptions, messages, or are paused; named queues that are not configured and have messages, or are paused. */
  async function topicNames(): Promise<Set<string>> {
    const names = new Set(topics.all().keys())
    for (let after: string | undefined; ; ) {
      const page = await backend.queues(after, limits.queuePage)
      for (const { name, counts, isPaused } of page) {
        if (counts.waiting + counts.dead === 0 && !isPaused) continue
        const parsed = parseQueue(name)
        if (parsed.kind !== 'named') names.add(parsed.topic)
        else if (sources.named(parsed.name) === undefined) names.add(parsed.name)
      }
      if (page.length < limits.queuePage) return names
      after = page.at(-1)!.name
    }
  }

  register({
    id: 'engine::queue::list_topics',
    description: 'Lists named queues and topics',
    fields: paging,
    failure: 'list_topics_failed',
    async run({ limit }) {
      const rows = [...current().named.values()].map(({ name, tuning }) => ({
        name,
        broker_type: BROKER,
        subscriber_count: tuning.concurrency,
      }))
      const all = topics.all()
      for (const name of await topicNames()) {
        // Such a name means the queue.
        if (sources.named(name) !== undefined) continue
        const triggers = (all.get(name) ?? []).reduce((sum, each) => sum + each.triggers, 0)
        rows.push({ name, broker_type: BROKER, subscriber_count: triggers })
      }
      return rows.slice(0, limit)
    },
  })

  register({
    id: 'engine::queue::dlq_topics',
    description: 'Lists named queues and topics with the numbers of their dead messages',
    fields: paging,
    failure: 'dlq_topics_failed',
    async run({ limit }) {
      const rows: { topic: string; broker_type: string; message_count: number }[] = []
      for (const name of current().named.keys()) {
        const queue = namedQueue(name)
        rows.push({ topic: queue, broker_type: BROKER, message_count: (await backend.state(queue)).dead })
      }
      for (const topic of await topicNames()) {
        let count = 0
        for (const queue of sources.topicQueuesOf(topic)) count += (await backend.state(queue)).dead
        if (count > 0) rows.push({ topic, broker_type: BROKER, message_count: count })
      }
      return rows.slice(0, limit)
    },
  })

  const statsOf = (name: string) => statsOfAll(sources.named(name), sources.queuesOf(name))

  /** `queue`: the settings, if it is a named queue. */
  async function statsOfAll(queue: NamedQueue | undefined, queues: readonly string[]) {
    const sum = { waiting: 0, ready: 0, timed: 0, behind: 0, dead: 0, bytes: 0, leased: 0 }
    const rates = { published: 0, done: 0, failed: 0 }
    let isPaused = false
    let consumerCount = 0
    let functions = 0
    let oldestAtMs = Number.POSITIVE_INFINITY
    let parked: number | null = 0
    const parkedLanes: ParkedLane[] = []
    for (const kept of queues) {
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

  register({
    id: 'queue::list',
    description: 'Lists named queues and topics, and how full each is',
    fields: { limit: whole('queues; 1000 without it', 1, limits.queuePage) },
    failure: 'list_failed',
    async run({ limit = limits.queuePage }) {
      const { named } = current()
      const all = [
        ...[...named.keys()].map(name => ({ queue: name, kind: 'queue' })),
        ...[...(await topicNames())].map(name => ({ queue: name, kind: 'topic' })),
      ]
      const queues: object[] = []
      for (const row of all.slice(0, limit)) {
        const stats =
          row.kind === 'queue'
            ? await statsOf(row.queue)
            : await statsOfAll(undefined, sources.topicQueuesOf(row.queue))
        queues.push({ ...row, ...stats })
      }
      return { queues, total: all.length }
    },
  })

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
}
