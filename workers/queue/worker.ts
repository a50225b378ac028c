/** The built-in worker `iii-queue`: messages that are kept until a function has succeeded with them. */
import type { Binding, BuiltInClient, TriggerProvider } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Log } from '../../src/log/log.ts'
import { createBoundedTally, shortened } from '../../src/log/notices.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Lane } from '../../src/storage/queue/message.ts'
import type { QueueAccess } from '../queueAccess.ts'
import { createWaiters } from '../waiters.ts'
import type { BuiltInWorker } from '../worker.ts'
import type { BackendSettings, QueueBackend } from './backend.ts'
import type { QueueConfig } from './config.ts'
import { type Consumers, createConsumers } from './consumers.ts'
import { publishCommands } from './enqueueCommand.ts'
import { registerControl } from './functions/control.ts'
import { registerLetters } from './functions/letters.ts'
import { registerPublishing } from './functions/publish.ts'
import { holderOf, registerPull } from './functions/pull.ts'
import { registerRedrive } from './functions/redrive.ts'
import { createRegister } from './functions/register.ts'
import { registerResults } from './functions/results.ts'
import { registerTopics } from './functions/topics.ts'
import { type Functions, functionsFromOutside } from './functionWatch.ts'
import type { ConsumerOptions } from './handling.ts'
import { isVolatile } from './keeping.ts'
import { dropLapsed } from './lapsed.ts'
import { receiptOf } from './messageRow.ts'
import { namedQueue, parseQueue, subscriberQueue, topicQueue } from './names.ts'
import { createProgress } from './progress.ts'
import { createPublishing } from './publishing.ts'
import { createPull } from './pull.ts'
import { createSources } from './sources.ts'
import { settingsText, subscriptionSettings } from './subscriptionSettings.ts'
import { createTopics, type Topics } from './topics.ts'
import { parseQueueTrigger, queueType, subscriberType } from './trigger.ts'
import { type NamedQueue, namedQueues, type Tuning } from './tuning.ts'

export interface QueueParts {
  readonly createBackend: (settings: BackendSettings) => QueueBackend
  /** Absent outside the process of the engine. */
  readonly functions: Functions | undefined
  /** Filled in for those who keep their things in the same partition. */
  readonly access?: QueueAccess | undefined
  readonly clock: Clock
  /** The clock on the wall, milliseconds: messages are due by it. */
  readonly wallClock: () => number
  readonly log: Log
  /** A UUID that was never there before, best one that grows. */
  readonly newId: () => string
}

const NO_CAUSE = { traceparent: undefined, baggage: undefined }

/** Of topics, where a trigger does not say its own. */
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

export function createQueueWorker(config: QueueConfig, parts: QueueParts): BuiltInWorker {
  const { createBackend, functions, access = {}, clock, wallClock, log, newId } = parts
  return {
    name: 'iii-queue',
    description: 'Queues and durable topics: messages are kept until a function has succeeded with them',
    async start(client) {
      const named = namedQueues(config)
      const usual = { tuning: topicTuning(config), isFifo: config.adapter.config.mode === 'fifo' }
      const topics = createTopics(clock.now)
      const sources = createSources(named, topics, usual.tuning)
      const byQueue = new Map([...named.values()].map(queue => [namedQueue(queue.name), queue]))
      const backend = createBackend({
        concurrencyOf: queue => byQueue.get(queue)?.tuning.concurrency ?? Number.POSITIVE_INFINITY,
        resultMsOf: queue => byQueue.get(queue)?.config.result_ms ?? limits.queueResultMs,
      })
      const consumers = createConsumers({
        client,
        backend,
        functions: functions ?? functionsFromOutside(client),
        clock,
        wallClock,
        implicit: lane => ofFunction(lane, byQueue),
        ratePerSecond: queue => byQueue.get(queue)?.config.rate_per_second,
      })
      const waits = (more: number): void => client.wait(more)
      const pull = createPull(backend, clock, waits)
      const progress = createProgress(limits.queueProgressKept)
      const waiters = createWaiters({ clock, most: limits.queueWaiters, of: 'queue::result', waits })
      backend.follow({
        ready(lanes) {
          const all = [...lanes]
          consumers.ready(all)
          pull.ready(all)
        },
        expired: lease => consumers.expired(lease),
        idle: lanes => consumers.idle(lanes),
        gone(message) {
          if (message.deadAtMs === undefined) progress.forget(message.number)
          if (!waiters.isEmpty()) waiters.wake(receiptOf(message))
        },
      })
      await Promise.all([...named.values()].map(queue => configure(backend, queue)))
      await restore(backend, topics, consumers)
      const stopDropping = dropLapsed({ topics, backend, clock })
      const { register, idle } = createRegister(client)
      const publishing = createPublishing({ backend, named: sources.named, topics, wallClock, newId })
      const readPush = registerPublishing(register, publishing, wallClock)
      registerPull(register, { backend, pull, wallClock, source: sources.open })
      registerLetters(register, { backend, sources })
      registerRedrive(register, { backend, sources, clock, waiters })
      registerControl(register, { backend, sources, progress })
      registerResults(register, { backend, clock, wallClock, progress, waiters })
      registerTopics(register, { backend, consumers, named, topics, sources, wallClock })
      followWorkers(client, backend, wallClock)
      // A name of the file format; settings are read at start in this version.
      client.registerFunction('iii-queue::on-config-change', () => ({ ok: true }), {
        description: 'Told when the configuration of the worker changes',
        metadata: { internal: true },
      })
      const provider = createProvider({ named: sources.named, topics, consumers, backend, usual, clock, log })
      client.registerTriggerType(subscriberType, provider)
      client.registerTriggerType(queueType, provider)
      if (isVolatile(config))
        log.warn(
          'queues are kept in memory: messages are gone when the engine ends (store_method: in_memory)',
        )
      await client.ready()
      access.messagesOf = (members, refuse, cause = NO_CAUSE) =>
        publishCommands(readPush(members, refuse, cause))
      return {
        addresses: {},
        async drain() {
          pull.end()
          waiters.end()
          await Promise.all([consumers.drain(), idle()])
        },
        async stop() {
          stopDropping()
          access.messagesOf = undefined
          pull.end()
          waiters.end()
          provider.stop()
          consumers.stop()
          backend.stop()
        },
      }
    },
  }
}

/** Messages of a named queue that say which function they are for. */
function ofFunction(lane: Lane, byQueue: ReadonlyMap<string, NamedQueue>): ConsumerOptions | undefined {
  const queue = byQueue.get(lane.queue)
  const { functionId, namespace } = lane
  if (queue === undefined || functionId === undefined) return undefined
  return {
    id: `queue ${queue.name}`,
    lane,
    functionId,
    namespace,
    tuning: queue.tuning,
    hasPlace: true,
  }
}

async function configure(backend: QueueBackend, { name, config }: NamedQueue): Promise<void> {
  await backend.configure(namedQueue(name), undefined, {
    messages: config.max_messages,
    bytes: config.max_bytes,
    isLossy: config.lossy,
    dead: config.max_dead,
    deadMs: config.dead_ms,
  })
}

/** What is there from before: subscriptions last, lanes have messages. */
async function restore(backend: QueueBackend, topics: Topics, consumers: Consumers): Promise<void> {
  for (let after: string | undefined; ; ) {
    const page = await backend.queues(after, limits.queuePage)
    for (const { name, settings, isPaused } of page) {
      if (isPaused) backend.park(name, 'paused')
      const parsed = parseQueue(name)
      if (parsed.kind === 'subscriber') {
        const { topic, functionId, namespace } = parsed
        const lane = { queue: name, functionId, namespace }
        topics.restore({ topic, lane, ...subscriptionSettings(settings) })
      }
      consumers.ready(await backend.lanes(name))
    }
    if (page.length < limits.queuePage) return
    after = page.at(-1)!.name
  }
}

/** A worker that is gone has nothing leased any more. */
function followWorkers(client: BuiltInClient, backend: QueueBackend, wallClock: () => number): void {
  const id = 'iii-queue::on-worker-change'
  client.registerFunction<{ event?: unknown; worker_id?: unknown } | null>(
    id,
    input => {
      if (input?.event !== 'worker_disconnected' || typeof input.worker_id !== 'string') return
      backend.leave(holderOf(input.worker_id), {
        atMs: Math.floor(wallClock()),
        code: 'consumer_gone',
        message: 'The worker that had taken the message has disconnected',
        worker: input.worker_id,
      })
    },
    { description: 'Told when a worker comes or goes', metadata: { internal: true } },
  )
  client.registerTrigger({ type: 'engine::workers-available', function_id: id })
}

interface ProviderParts {
  readonly named: (name: string) => NamedQueue | undefined
  readonly topics: Topics
  readonly consumers: Consumers
  readonly backend: QueueBackend
  readonly usual: { readonly tuning: Tuning; readonly isFifo: boolean }
  readonly clock: Clock
  readonly log: Log
}

function createProvider(parts: ProviderParts): TriggerProvider & { stop(): void } {
  const { named, topics, consumers, backend, usual, clock, log } = parts
  /** What is to be written of a subscription, and is not yet, by the id of its trigger. */
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

  return {
    bind(binding) {
      const trigger = readOrRemove(binding)
      const { id, function_id: functionId, namespace, metadata, trigger_type } = binding
      const { source, delivery, ordering, tuning, delayMs, warnings } = trigger
      remark(binding, warnings)
      if (source === '') {
        remove(id)
        return warnings
      }
      const { condition, conditionFunctionId } = delivery
      const consumer = { id, functionId, namespace, tuning, metadata, condition, conditionFunctionId }
      const queue = trigger_type === 'queue' ? named(source) : undefined
      if (queue !== undefined) {
        topics.unsubscribe(id)
        unwritten.delete(id)
        const lane = { queue: namedQueue(queue.name), functionId: undefined, namespace: undefined }
        consumers.add({ ...consumer, lane, hasPlace: true })
        return warnings
      }
      const lane = { queue: subscriberQueue(source, functionId, namespace), functionId, namespace }
      topics.subscribe(id, { topic: source, lane, ordering, delayMs })
      // It lasts, and begins with the messages that came before anybody had subscribed: also those that were left when the engine
      // ended while they were moved.
      keep(id, () =>
        Promise.all([
          backend.configure(lane.queue, settingsText({ ordering, delayMs }), {}),
          backend.adopt(topicQueue(source), lane),
        ]),
      )
      consumers.add({ ...consumer, lane, hasPlace: false })
      return warnings
    },
    unbind: ({ id }) => remove(id),
    stop: () => unwritten.clear(),
  }

  /** A trigger that comes again replaces itself, also when its new form is refused. */
  function readOrRemove(binding: Binding) {
    const isOfQueue = binding.trigger_type === 'queue'
    try {
      return parseQueueTrigger(binding, source => {
        const queue = isOfQueue ? named(source) : undefined
        return queue === undefined ? usual : { tuning: queue.tuning, isFifo: queue.ordering.isFifo }
      })
    } catch (error) {
      remove(binding.id)
      throw error
    }
  }
}
