/**
 * Which queues the messages of a topic go to: one for each function that subscribes. A subscription lasts for a time after its
 * last trigger has gone, so that a worker that comes back has missed nothing; where there is none, messages wait for the first.
 */
import { limits } from '../../src/protocol/limits.ts'
import type { Lane } from '../../src/storage/queue/message.ts'
import { parseQueue } from './names.ts'
import type { Ordering } from './tuning.ts'

export interface Subscription {
  readonly topic: string
  readonly lane: Lane
  readonly ordering: Ordering
  /** Of messages, before they may be delivered. */
  readonly delayMs: number
}

export interface Topics {
  /** By a trigger. */
  subscribe(triggerId: string, subscription: Subscription): void
  /** Of a time before: it lasts as if its last trigger had gone just now. */
  restore(subscription: Subscription): void
  /** `forGood`: it does not last, if that was its last trigger. */
  unsubscribe(triggerId: string, forGood?: boolean): void
  /** How many triggers have a queue of a topic; `undefined`: there is none. */
  triggersOf(topic: string, queue: string): number | undefined
  /** Those that last. */
  of(topic: string): readonly Subscription[]
  /** Names of the queues of all there have been: messages may be left in them. */
  queuesOf(topic: string): readonly string[]
  /** Names of the queues of those that last no longer. */
  lapsed(): readonly string[]
  /** Its queue is gone. Does nothing if it lasts again. */
  forget(queue: string): void
  /** With the number of triggers. */
  all(): ReadonlyMap<string, readonly { readonly subscription: Subscription; readonly triggers: number }[]>
}

interface Entry {
  subscription: Subscription
  readonly triggers: Set<string>
  /** Absent: it has triggers. */
  endsAtMs: number | undefined
}

/** `now`: steady. */
export function createTopics(now: () => number): Topics {
  const topics = new Map<string, Map<string, Entry>>()
  const byTrigger = new Map<string, Entry>()

  const isLasting = ({ endsAtMs }: Entry): boolean => endsAtMs === undefined || endsAtMs > now()

  function leave(triggerId: string, forGood = false): void {
    const entry = byTrigger.get(triggerId)
    if (entry === undefined) return
    byTrigger.delete(triggerId)
    entry.triggers.delete(triggerId)
    if (entry.triggers.size === 0) entry.endsAtMs = now() + (forGood ? 0 : limits.queueSubscriptionMs)
  }

  function entryOf(subscription: Subscription): Entry {
    const { topic, lane } = subscription
    let entries = topics.get(topic)
    if (entries === undefined) {
      entries = new Map()
      topics.set(topic, entries)
    }
    let entry = entries.get(lane.queue)
    if (entry === undefined) {
      entry = { subscription, triggers: new Set(), endsAtMs: now() + limits.queueSubscriptionMs }
      entries.set(lane.queue, entry)
    }
    return entry
  }

  return {
    subscribe(triggerId, subscription) {
      leave(triggerId)
      const entry = entryOf(subscription)
      entry.subscription = subscription
      entry.triggers.add(triggerId)
      entry.endsAtMs = undefined
      byTrigger.set(triggerId, entry)
    },
    restore: subscription => void entryOf(subscription),
    unsubscribe: leave,
    triggersOf: (topic, queue) => topics.get(topic)?.get(queue)?.triggers.size,
    of(topic) {
      const lasting: Subscription[] = []
      for (const entry of topics.get(topic)?.values() ?? [])
        if (isLasting(entry)) lasting.push(entry.subscription)
      return lasting
    },
    queuesOf: topic => [...(topics.get(topic)?.keys() ?? [])],
    lapsed() {
      const queues: string[] = []
      for (const entries of topics.values())
        for (const [queue, entry] of entries) if (!isLasting(entry)) queues.push(queue)
      return queues
    },
    forget(queue) {
      const parsed = parseQueue(queue)
      const topic = parsed.kind === 'subscriber' ? parsed.topic : ''
      const entries = topics.get(topic)
      const entry = entries?.get(queue)
      if (entries === undefined || entry === undefined || isLasting(entry)) return
      entries.delete(queue)
      if (entries.size === 0) topics.delete(topic)
    },
    all: () =>
      new Map(
        [...topics].map(([topic, entries]) => [
          topic,
          [...entries.values()].map(({ subscription, triggers }) => ({
            subscription,
            triggers: triggers.size,
          })),
        ]),
      ),
  }
}
