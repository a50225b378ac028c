/** The built-in worker `iii-queue`: messages that are kept until a function has succeeded with them. */
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Log } from '../../src/log/log.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Lane } from '../../src/storage/queue/message.ts'
import type { QueueAccess } from '../queueAccess.ts'
import { createSettings } from '../settings.ts'
import { createWaiters } from '../waiters.ts'
import type { BuiltInWorker } from '../worker.ts'
import type { BackendSettings, QueueBackend } from './backend.ts'
import { configureQueue, createChangingQueues, leaveAlone, takeOver } from './changing.ts'
import type { QueueConfig } from './config.ts'
import { type Consumers, createConsumers } from './consumers.ts'
import { publishCommands } from './enqueueCommand.ts'
import { registerControl } from './functions/control.ts'
import { registerLetters } from './functions/letters.ts'
import { registerLists } from './functions/lists.ts'
import { registerPublishing } from './functions/publish.ts'
import { holderOf, registerPull } from './functions/pull.ts'
import { registerRedrive } from './functions/redrive.ts'
import { createRegister } from './functions/register.ts'
import { registerResults } from './functions/results.ts'
import { registerStats } from './functions/stats.ts'
import { type Functions, functionsFromOutside } from './functionWatch.ts'
import type { ConsumerOptions } from './handling.ts'
import { isVolatile } from './keeping.ts'
import { dropLapsed } from './lapsed.ts'
import { receiptOf } from './messageRow.ts'
import { parseQueue } from './names.ts'
import { createProgress } from './progress.ts'
import { createProvider } from './provider.ts'
import { createPublishing } from './publishing.ts'
import { createPull } from './pull.ts'
import { type CurrentSettings, currentTuning, type QueueSettings, queueSettings } from './settings.ts'
import { createSources } from './sources.ts'
import { subscriptionSettings } from './subscriptionSettings.ts'
import { createTopics, type Topics } from './topics.ts'
import { queueType, subscriberType } from './trigger.ts'

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

export function createQueueWorker(config: QueueConfig, parts: QueueParts): BuiltInWorker {
  const { createBackend, functions, access = {}, clock, wallClock, log, newId } = parts
  return {
    name: 'iii-queue',
    description: 'Queues and durable topics: messages are kept until a function has succeeded with them',
    async start(client) {
      const isAlone = functions === undefined
      const settings = createSettings<QueueConfig>({ client, id: 'iii-queue', isAlone, clock, log })
      let inForce = queueSettings((await settings.begin()) ?? config)
      const current = (): QueueSettings => inForce
      const topics = createTopics(clock.now)
      const unconfigured = new Set<string>()
      const sources = createSources(current, topics, unconfigured)
      const backend = createBackend({
        concurrencyOf: queue => current().byQueue.get(queue)?.tuning.concurrency ?? Number.POSITIVE_INFINITY,
        resultMsOf: queue => current().byQueue.get(queue)?.config.result_ms ?? limits.queueResultMs,
      })
      const consumers = createConsumers({
        client,
        backend,
        functions: functions ?? functionsFromOutside(client),
        clock,
        wallClock,
        implicit: lane => ofFunction(lane, current),
        ratePerSecond: queue => current().byQueue.get(queue)?.config.rate_per_second,
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
      await Promise.all([...current().named.values()].map(queue => configureQueue(backend, queue)))
      await restore({ backend, topics, consumers, unconfigured, current })
      const stopDropping = dropLapsed({ topics, backend, clock })
      const { register, idle } = createRegister(client)
      const publishing = createPublishing({ backend, named: sources.named, topics, wallClock, newId })
      const readPush = registerPublishing(register, publishing, wallClock)
      registerPull(register, { backend, pull, wallClock, source: sources.open })
      registerLetters(register, { backend, sources })
      registerRedrive(register, { backend, sources, clock, waiters })
      registerControl(register, { backend, sources, progress })
      registerResults(register, { backend, clock, wallClock, progress, waiters })
      const statsOf = registerStats(register, { backend, consumers, sources, wallClock })
      registerLists(register, { backend, current, topics, clock, statsOf })
      followWorkers(client, backend, wallClock)
      const provider = createProvider({ current, topics, consumers, backend, clock, log })
      client.registerTriggerType(subscriberType, provider)
      client.registerTriggerType(queueType, provider)
      if (isVolatile(config))
        log.warn(
          'queues are kept in memory: messages are gone when the engine ends (store_method: in_memory)',
        )
      const changing = createChangingQueues({
        backend,
        unconfigured,
        changed(queue) {
          consumers.changed(queue)
          pull.ready([{ queue, functionId: undefined, namespace: undefined }])
        },
      })
      settings.follow(async config => {
        const before = inForce
        const after = queueSettings(config)
        await changing.prepare(before, after)
        inForce = after
        provider.settle()
        await changing.follow(before, after)
      })
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
          settings.stop()
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
function ofFunction(lane: Lane, current: CurrentSettings): ConsumerOptions | undefined {
  const queue = current().byQueue.get(lane.queue)
  const { functionId, namespace } = lane
  if (queue === undefined || functionId === undefined) return undefined
  return {
    id: `queue ${queue.name}`,
    lane,
    functionId,
    namespace,
    tuning: currentTuning(current, ({ byQueue }) => byQueue.get(lane.queue)?.tuning),
    hasPlace: true,
  }
}

interface RestoreParts {
  readonly backend: QueueBackend
  readonly topics: Topics
  readonly consumers: Consumers
  readonly unconfigured: Set<string>
  readonly current: CurrentSettings
}

/** What is there from before: subscriptions last, lanes have messages. */
async function restore({ backend, topics, consumers, unconfigured, current }: RestoreParts): Promise<void> {
  const { named } = current()
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
      if (parsed.kind === 'named' && !named.has(parsed.name))
        leaveAlone({ backend, unconfigured }, parsed.name)
      if (parsed.kind === 'topic' && named.has(parsed.topic)) await takeOver(backend, parsed.topic)
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
