/**
 * Binds the triggers of queues and durable topics. What a trigger does not say itself is as the settings say it now. One of type
 * `queue` has a named queue while there is one of that name, and subscribes to a topic else: it changes over by itself.
 */
import type { Binding, TriggerProvider } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Log } from '../../src/log/log.ts'
import { createBoundedTally, shortened } from '../../src/log/notices.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Lane } from '../../src/storage/queue/message.ts'
import type { QueueBackend } from './backend.ts'
import type { Consumers } from './consumers.ts'
import { namedQueue, subscriberQueue, topicQueue } from './names.ts'
import { type CurrentSettings, currentTuning, type QueueSettings } from './settings.ts'
import { settingsText } from './subscriptionSettings.ts'
import type { Topics } from './topics.ts'
import { parseQueueTrigger, type QueueTrigger } from './trigger.ts'
import type { NamedQueue } from './tuning.ts'

export interface ProviderParts {
  readonly current: CurrentSettings
  readonly topics: Topics
  readonly consumers: Pick<Consumers, 'add' | 'remove'>
  readonly backend: Pick<QueueBackend, 'configure' | 'adopt'>
  readonly clock: Clock
  readonly log: Log
}

export interface QueueProvider extends TriggerProvider {
  bind(binding: Binding): readonly string[]
  /** The settings are others: triggers that belong elsewhere now go there. */
  settle(): void
  stop(): void
}

/** A trigger that has a source, and which messages it has. */
interface Attached {
  readonly binding: Binding
  readonly trigger: QueueTrigger
  readonly isNamed: boolean
  /** Of its topic, as it is kept. */
  readonly text: JsonText
}

export function createProvider(parts: ProviderParts): QueueProvider {
  const { current, topics, consumers, backend, clock, log } = parts
  const attached = new Map<string, Attached>()
  /** What is to be written of a trigger, and is not yet, by its id. */
  const unwritten = new Map<string, () => Promise<unknown>>()
  const tally = createBoundedTally(limits.deliveryNotices)

  function remark({ id, trigger_type, function_id }: Binding, warnings: readonly string[]): void {
    for (const warning of warnings) {
      const message = `${trigger_type} trigger: ${warning}`
      const about = { trigger_id: shortened(id), function_id: shortened(function_id) }
      const count = tally(`${about.function_id} ${message}`)
      if (count !== undefined) log.warn(message, { ...about, count })
    }
  }

  function remove(id: string): void {
    attached.delete(id)
    consumers.remove(id)
    topics.unsubscribe(id)
    unwritten.delete(id)
  }

  /** Until it is written it lasts as long as the engine; while it cannot be, that is tried again. */
  function keep(id: string, write: () => Promise<unknown>): void {
    unwritten.set(id, write)
    const isWanted = (): boolean => unwritten.get(id) === write
    write().then(
      () => isWanted() && unwritten.delete(id),
      error => {
        if (!isWanted()) return
        log.warn('a subscription could not be kept yet', {
          trigger_id: shortened(id),
          error: String(error),
        })
        clock.after(limits.storageRetryMs, () => isWanted() && keep(id, write))
      },
    )
  }

  const queueOf = (
    { trigger_type }: Pick<Binding, 'trigger_type'>,
    source: string,
    settings: QueueSettings,
  ): NamedQueue | undefined =>
    trigger_type === 'queue' ? (settings.named.get(source) ?? settings.byQueue.get(source)) : undefined

  const subscriptionOf = ({ orderingOver, delayMs }: QueueTrigger) => ({
    ordering: orderingOver(current().usual),
    delayMs,
  })

  function attach(binding: Binding, trigger: QueueTrigger): void {
    const { id, function_id: functionId, namespace, metadata } = binding
    const { source, delivery, tuningOver } = trigger
    const tuning = currentTuning(current, settings =>
      tuningOver(queueOf(binding, source, settings)?.tuning ?? settings.usual.tuning),
    )
    const { condition, conditionFunctionId } = delivery
    const consumer = { id, functionId, namespace, tuning, metadata, condition, conditionFunctionId }
    const queue = queueOf(binding, source, current())
    const text = settingsText(subscriptionOf(trigger))
    const isSameSource = attached.get(id)?.trigger.source === source
    attached.set(id, { binding, trigger, isNamed: queue !== undefined, text })
    if (queue !== undefined) {
      const to = namedQueue(queue.name)
      unwritten.delete(id)
      topics.unsubscribe(id, isSameSource)
      takeAlong(id, { queue: to, functionId, namespace }, source)
      consumers.add({
        ...consumer,
        lane: { queue: to, functionId: undefined, namespace: undefined },
        hasPlace: true,
      })
      return
    }
    consumers.add({ ...consumer, lane: subscribe(binding, trigger), hasPlace: false })
  }

  function subscribe({ id, function_id: functionId, namespace }: Binding, trigger: QueueTrigger): Lane {
    const { source } = trigger
    const kept = subscriptionOf(trigger)
    const lane = { queue: subscriberQueue(source, functionId, namespace), functionId, namespace }
    topics.subscribe(id, { topic: source, lane, ...kept })
    // It lasts, and begins with the messages that came before anybody had subscribed: also those that were left when the engine
    // ended while they were moved.
    keep(id, () =>
      Promise.all([
        backend.configure(lane.queue, settingsText(kept), {}),
        backend.adopt(topicQueue(source), lane),
      ]),
    )
    return lane
  }

  /** The topic is a named queue now: what its function has not handled yet waits there, for that function. */
  function takeAlong(id: string, lane: Lane & { readonly functionId: string }, source: string): void {
    const from = subscriberQueue(source, lane.functionId, lane.namespace)
    if (topics.triggersOf(source, from) === 0) keep(id, () => backend.adopt(from, lane))
  }

  return {
    bind(binding) {
      const trigger = readOrRemove(binding)
      const { warnings } = trigger
      remark(binding, warnings)
      if (trigger.source === '') remove(binding.id)
      else attach(binding, trigger)
      return warnings
    },
    unbind: ({ id }) => remove(id),
    settle() {
      for (const { binding, trigger, isNamed, text } of [...attached.values()]) {
        const isNamedNow = queueOf(binding, trigger.source, current()) !== undefined
        if (isNamedNow !== isNamed) {
          attach(binding, trigger)
          continue
        }
        const textNow = settingsText(subscriptionOf(trigger))
        if (isNamed || textNow === text) continue
        // Its calls that run still count.
        attached.set(binding.id, { binding, trigger, isNamed, text: textNow })
        subscribe(binding, trigger)
      }
    },
    stop: () => unwritten.clear(),
  }

  /** A trigger that comes again replaces itself, also when its new form is refused. */
  function readOrRemove(binding: Binding): QueueTrigger {
    try {
      return parseQueueTrigger(binding, source => {
        const settings = current()
        return queueOf(binding, source, settings)?.tuning ?? settings.usual.tuning
      })
    } catch (error) {
      remove(binding.id)
      throw error
    }
  }
}
