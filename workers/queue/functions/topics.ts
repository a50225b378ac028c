/** Functions that tell which queues there are and how full they are: `engine::queue::*`. */
import { limits } from '../../../src/protocol/limits.ts'
import { text, whole } from '../../fields.ts'
import type { QueueBackend, QueueState } from '../backend.ts'
import type { Consumers } from '../consumers.ts'
import { namedQueue, parseQueue } from '../names.ts'
import type { Sources } from '../sources.ts'
import type { Topics } from '../topics.ts'
import type { NamedQueue } from '../tuning.ts'
import { nameOf } from './letters.ts'
import type { Register } from './register.ts'

export interface TopicParts {
  readonly backend: QueueBackend
  readonly consumers: Consumers
  readonly named: ReadonlyMap<string, NamedQueue>
  readonly topics: Topics
  readonly sources: Sources
}

const BROKER = 'builtin'

const paging = { limit: whole('rows; all without it', 1, limits.queuePage) } as const

export function registerTopics(register: Register, parts: TopicParts): void {
  const { backend, consumers, named, topics, sources } = parts

  /** Topics that have subscriptions, and those whose messages wait for one. */
  async function topicNames(): Promise<Set<string>> {
    const names = new Set(topics.all().keys())
    for (let after: string | undefined; ; ) {
      const page = await backend.queues(after, limits.queuePage)
      for (const { name, counts } of page) {
        const parsed = parseQueue(name)
        if (parsed.kind !== 'named' && counts.waiting + counts.dead > 0) names.add(parsed.topic)
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
      const rows = [...named.values()].map(({ name, tuning }) => ({
        name,
        broker_type: BROKER,
        subscriber_count: tuning.concurrency,
      }))
      const all = topics.all()
      for (const name of await topicNames()) {
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
      for (const name of named.keys()) {
        const queue = namedQueue(name)
        rows.push({ topic: queue, broker_type: BROKER, message_count: (await backend.state(queue)).dead })
      }
      for (const topic of await topicNames()) {
        let count = 0
        for (const queue of sources.queuesOf(topic)) count += (await backend.state(queue)).dead
        if (count > 0) rows.push({ topic, broker_type: BROKER, message_count: count })
      }
      return rows.slice(0, limit)
    },
  })

  async function statsOf(name: string) {
    const queue = sources.named(name)
    const sum = { waiting: 0, ready: 0, timed: 0, behind: 0, dead: 0, bytes: 0, leased: 0 }
    let isPaused = false
    let consumerCount = 0
    for (const kept of sources.queuesOf(name)) {
      const state: QueueState = await backend.state(kept)
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += state[key]
      isPaused ||= state.isPaused
      consumerCount += consumers.consumersOf(kept).consumers
    }
    return {
      depth: sum.waiting,
      consumer_count: queue === undefined ? consumerCount : queue.tuning.concurrency,
      dlq_depth: sum.dead,
      config: queue?.config ?? null,
      ready: sum.ready,
      delayed: sum.timed,
      behind: sum.behind,
      leased: sum.leased,
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
      const names = [...named.keys(), ...(await topicNames())]
      const queues: object[] = []
      for (const name of names.slice(0, limit)) {
        const kind = named.has(name) ? 'queue' : 'topic'
        queues.push({ queue: name, kind, ...(await statsOf(name)) })
      }
      return { queues, total: names.length }
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
