/** Functions that list queues: `queue::list`, `engine::queue::list_topics`, `engine::queue::dlq_topics`. */
import type { Clock } from '../../../src/clock/clock.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { QueueRow } from '../../../src/storage/queue/tables.ts'
import { text, whole } from '../../fields.ts'
import type { QueueBackend } from '../backend.ts'
import { namedQueue, parseQueue } from '../names.ts'
import type { CurrentSettings } from '../settings.ts'
import type { Topics } from '../topics.ts'
import type { Register } from './register.ts'
import type { StatsOf } from './stats.ts'

export interface ListParts {
  readonly backend: Pick<QueueBackend, 'queues'>
  readonly current: CurrentSettings
  readonly topics: Topics
  readonly clock: Clock
  readonly statsOf: StatsOf
}

const BROKER = 'builtin'

const paging = { limit: whole('rows; all without it', 1, limits.queuePage) } as const

/** Where a page of `queue::list` begins: so many named queues were before it, and the queues of topics up to a name. */
interface Place {
  readonly passed: number
  readonly after: string | undefined
}

interface Name {
  readonly name: string
  readonly kind: 'queue' | 'topic'
}

interface Names {
  readonly names: readonly Name[]
  /** Absent: there are no more. */
  readonly next: Place | undefined
}

const START: Place = { passed: 0, after: undefined }

const cursorOf = ({ passed, after = '' }: Place): string => `${passed}.${after}`

function placeOf(cursor: string, refuse: (why: string) => never): Place {
  const [, passed, after] =
    /^(\d{1,9})\.(.*)$/s.exec(cursor) ?? refuse('field `cursor`: it is none that a page has given')
  return { passed: Number(passed), after: after === '' ? undefined : after }
}

/** It has messages; or nobody would find it to let it go on. */
const isWorthRow = ({ counts: { waiting, dead }, isPaused }: QueueRow): boolean =>
  isPaused || waiting + dead > 0

export function registerLists(register: Register, parts: ListParts): void {
  const { backend, current, topics, clock, statsOf } = parts

  /** Portion by portion: others have their turn between, however many there are. Ends early if `told` returns false. */
  async function eachQueue(from: string | undefined, told: (row: QueueRow) => boolean): Promise<void> {
    for (let after = from; ; ) {
      const page = await backend.queues(after, limits.queuePage)
      for (const row of page) if (!told(row)) return
      if (page.length < limits.queuePage) return
      after = page.at(-1)!.name
      await new Promise<void>(resolve => clock.after(0, resolve))
    }
  }

  /** Topics that have subscriptions, and those whose messages wait for one; named queues that are not configured and have messages; what is paused. No more than `most`. */
  async function topicNames(most: number): Promise<string[]> {
    const names = new Set(topics.all().keys())
    if (names.size < most) {
      await eachQueue(undefined, row => {
        const parsed = parseQueue(row.name)
        if (!isWorthRow(row)) return true
        if (parsed.kind !== 'named') names.add(parsed.topic)
        else if (!current().named.has(parsed.name)) names.add(parsed.name)
        return names.size < most
      })
    }
    return [...names].slice(0, most)
  }

  register({
    id: 'engine::queue::list_topics',
    description: 'Lists named queues and topics',
    fields: paging,
    failure: 'list_topics_failed',
    async run({ limit = Number.POSITIVE_INFINITY }) {
      const rows = [...current().named.values()].map(({ name, tuning }) => ({
        name,
        broker_type: BROKER,
        subscriber_count: tuning.concurrency,
      }))
      const all = topics.all()
      for (const name of await topicNames(limit)) {
        // Such a name means the queue.
        if (current().named.has(name)) continue
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
      const dead = new Map([...current().named.keys()].map(name => [namedQueue(name), 0]))
      await eachQueue(undefined, ({ name, counts }) => {
        const parsed = parseQueue(name)
        const of = dead.has(name) ? name : parsed.kind === 'named' ? parsed.name : parsed.topic
        if (counts.dead > 0) dead.set(of, (dead.get(of) ?? 0) + counts.dead)
        return true
      })
      const rows = [...dead].map(([topic, message_count]) => ({ topic, broker_type: BROKER, message_count }))
      return rows.slice(0, limit)
    },
  })

  register({
    id: 'queue::list',
    description: 'Lists named queues and topics, and how full each is',
    fields: {
      limit: whole(`queues; ${limits.queuePage} without it`, 1, limits.queuePage),
      cursor: text('of the page before'),
    },
    failure: 'list_failed',
    async run({ limit = limits.queuePage, cursor }, _, refuse) {
      const { names, next } = await pageOf(limit, cursor === undefined ? START : placeOf(cursor, refuse))
      const queues: object[] = []
      for (const { name, kind } of names) queues.push({ queue: name, kind, ...(await statsOf(name, kind)) })
      return { queues, ...(next && { cursor: cursorOf(next) }) }
    },
  })

  /** Named queues, then topics in the order in which their queues are kept. */
  async function pageOf(limit: number, { passed, after }: Place): Promise<Names> {
    const configured = [...current().named.keys()]
    const names: Name[] = []
    for (const name of configured.slice(passed, passed + limit)) names.push({ name, kind: 'queue' })
    const rest = passed + names.length
    if (rest < configured.length) return { names, next: { passed: rest, after } }
    const nameAt = createNameAt(topics, current)
    let last = after
    let next: Place | undefined
    await eachQueue(after, row => {
      const name = nameAt(row)
      if (name !== undefined && names.length === limit) next = { passed: rest, after: last }
      else if (name !== undefined) names.push(name)
      last = row.name
      return next === undefined
    })
    return { names, next }
  }
}

/**
 * What is listed in the place of a queue: a topic in that of its first subscription, or of what waits for one, so that it is there
 * once; a named queue that is not configured, if it has messages.
 */
function createNameAt(topics: Topics, current: CurrentSettings): (row: QueueRow) => Name | undefined {
  const firsts = new Map<string, string | undefined>()

  function firstOf(topic: string): string | undefined {
    if (firsts.has(topic)) return firsts.get(topic)
    let first: string | undefined
    for (const queue of topics.queuesOf(topic)) if (first === undefined || queue < first) first = queue
    firsts.set(topic, first)
    return first
  }

  return row => {
    const parsed = parseQueue(row.name)
    if (parsed.kind === 'named') {
      const isHere = isWorthRow(row) && !current().named.has(parsed.name)
      return isHere ? { name: parsed.name, kind: 'queue' } : undefined
    }
    const first = firstOf(parsed.topic)
    const isHere = first === undefined ? isWorthRow(row) : first === row.name
    return isHere ? { name: parsed.topic, kind: 'topic' } : undefined
  }
}
