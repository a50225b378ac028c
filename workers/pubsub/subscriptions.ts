/** Who gets a message: everyone whose topic or pattern matches, and one member of each group. */
import type { Binding } from '../../sdk/typescript/src/worker.ts'
import type { Deliveries, Subscription } from '../../src/delivery/deliveries.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import { createMetadataWriter, type MetadataForm, metadataForm } from './metadata.ts'
import { createTopicTable } from './topics.ts'
import type { SubscribeTrigger } from './trigger.ts'

export interface Message {
  readonly topic: string
  readonly data: JsonText
  readonly publishedAtMs: number
  readonly baggage: string | undefined
}

export interface Subscriber {
  readonly subscription: Subscription
  readonly pattern: string | undefined
  readonly group: string | undefined
}

export interface Subscriptions {
  readonly size: () => number
  /** A trigger that comes again replaces itself. */
  add(binding: Binding, trigger: SubscribeTrigger): void
  remove(id: string): void
  /** Returns how many functions the message was handed to. */
  publish(message: Message): number
  all(): IterableIterator<Subscriber>
}

interface Member extends Subscriber {
  readonly form: MetadataForm
  /** Name of the group together with the namespace of the function: groups of different namespaces have nothing in common. */
  readonly groupKey: string | undefined
}

/** Members of one group that match a message take turns. */
interface Group {
  members: number
  turn: number
}

export function createSubscriptions(deliveries: Deliveries, separators: string): Subscriptions {
  const topics = createTopicTable<Member>(separators)
  const byId = new Map<string, Member>()
  const forms = new Map<Subscription, MetadataForm>()
  const groups = new Map<string, Group>()

  function remove(id: string): void {
    const member = byId.get(id)
    if (member === undefined) return
    const { subscription, pattern, groupKey } = member
    byId.delete(id)
    forms.delete(subscription)
    if (pattern !== undefined) topics.remove(pattern, member)
    if (groupKey === undefined) return
    const group = groups.get(groupKey)!
    if (--group.members === 0) groups.delete(groupKey)
  }

  /** Hands a message to the members of a group, one after the other, until one has it. */
  function publishTo(groupKey: string, members: readonly Member[], message: DeliveredMessage): number {
    const group = groups.get(groupKey)!
    const first = group.turn++
    let tried = 0
    function tryNext(): number {
      while (tried < members.length) {
        const { subscription } = members[(first + tried++) % members.length]!
        if (deliveries.deliver([subscription], { ...message, lost: tryNext }) > 0) return 1
      }
      return 0
    }
    return tryNext()
  }

  return {
    size: () => byId.size,

    add(binding, { pattern, group, delivery }) {
      remove(binding.id)
      const subscription = deliveries.add(binding, delivery)
      const form = metadataForm(binding.metadata)
      const groupKey = group === undefined ? undefined : `${binding.namespace ?? ''}\0${group}`
      const member: Member = { subscription, pattern, group, groupKey, form }
      byId.set(binding.id, member)
      forms.set(subscription, form)
      if (pattern !== undefined) topics.add(pattern, member)
      if (groupKey === undefined) return
      const known = groups.get(groupKey)
      if (known === undefined) groups.set(groupKey, { members: 1, turn: 0 })
      else known.members++
    },

    remove(id) {
      remove(id)
      deliveries.remove(id)
    },

    publish({ topic, data, publishedAtMs, baggage }) {
      const members = topics.match(topic)
      if (members.length === 0) return 0
      const write = createMetadataWriter(topic, publishedAtMs)
      const message: DeliveredMessage = {
        data,
        metadataOf: subscription => write(forms.get(subscription)!),
        // The trace of the publisher ends here (`docs/pubsub.md#what-a-subscriber-gets`).
        cause: { traceparent: undefined, baggage },
      }
      const alone: Subscription[] = []
      let inGroups: Map<string, Member[]> | undefined
      for (const member of members) {
        const { groupKey, subscription } = member
        if (groupKey === undefined) {
          alone.push(subscription)
          continue
        }
        inGroups ??= new Map()
        const known = inGroups.get(groupKey)
        if (known === undefined) inGroups.set(groupKey, [member])
        else known.push(member)
      }
      let count = alone.length === 0 ? 0 : deliveries.deliver(alone, message)
      if (inGroups === undefined) return count
      for (const [groupKey, matching] of inGroups) count += publishTo(groupKey, matching, message)
      return count
    },

    all: () => byId.values(),
  }
}

type DeliveredMessage = Parameters<Deliveries['deliver']>[1]
