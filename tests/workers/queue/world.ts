/** A world with the queue worker in it, and workers that are puppets; time passes when a test says so. */
import { expect } from 'bun:test'
import { createMemoryPartition } from '../../../src/storage/mod.ts'
import type { Partition } from '../../../src/storage/partition.ts'
import { createPartitionBackend } from '../../../workers/queue/adapters/partition.ts'
import { queueConfigSchema } from '../../../workers/queue/config.ts'
import { createQueueWorker } from '../../../workers/queue/worker.ts'
import { connectBuiltIn, createAsker } from '../../support/builtIn.ts'
import { createSeededIds } from '../../support/fakes.ts'
import {
  answerTo,
  createWorld,
  type Message,
  type Puppet,
  registerFunction,
  registerTrigger,
  unregisterTrigger,
} from '../../support/world.ts'

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** `partition`: that of a world before, which has ended or was killed. */
export async function createQueues(config: unknown = {}, before?: { readonly partition: Partition }) {
  const world = createWorld()
  const { engine, clock, log } = world
  const wallClock = () => Math.floor(clock.now())
  // What the configuration worker says to it, as far as a test does.
  const kept = { config: queueConfigSchema.parse(config), revision: 1 }
  connectBuiltIn(world, 'configuration', 92).registerFunction('configuration::settings', () => kept)
  const client = connectBuiltIn(world, 'iii-queue', 91)
  const partition = before?.partition ?? createMemoryPartition({ clock, log, wallClock }, 0)
  const queues = await createQueueWorker(queueConfigSchema.parse(config), {
    createBackend: settings =>
      createPartitionBackend({
        partition,
        clock,
        log,
        wallClock,
        random: () => 0,
        epoch: crypto.randomUUID(),
        ...settings,
      }),
    functions: {
      find: (namespace, id) => engine.state.routes.find(namespace, id)?.workerId,
      follow: told => engine.state.routes.follow(told),
    },
    clock,
    wallClock,
    log,
    newId: createSeededIds(17),
  }).start(client)
  await settled()
  const caller = world.join({ name: 'caller' })
  const { answerOf, ask, done } = createAsker(caller, settled)

  return {
    ...world,
    queues,
    partition,
    caller,
    settled,
    answerOf,
    ask,
    done,
    /** Calls a function through a queue, as the action of the SDKs does. */
    enqueue: (queue: string, functionId: string, data: unknown, more: object = {}) =>
      ask(functionId, data, { action: { type: 'enqueue', queue }, ...more }),
    /** Resolves when other settings are in force. */
    async configure(config: unknown) {
      kept.config = queueConfigSchema.parse(config)
      kept.revision++
      expect(await ask('iii-queue::on-config-change', {})).toMatchObject({ result: { ok: true } })
    },
    publish: (topic: string, data: unknown) => done('iii::durable::publish', { topic, data }),
    /** A worker with these functions. */
    async worker(...ids: string[]): Promise<Puppet> {
      const puppet = world.join()
      puppet.says(...ids.map(id => registerFunction(id)))
      await settled()
      puppet.hears()
      return puppet
    },
    /** Resolves with why it was refused, if it was; calls that came meanwhile stay to be heard. */
    async bind(
      worker: Puppet,
      id: string,
      type: string,
      functionId: string,
      config: unknown,
      more: object = {},
    ) {
      worker.says(registerTrigger(id, type, functionId, { config, ...more }))
      await settled()
    },
    async unbind(worker: Puppet, id: string): Promise<void> {
      worker.says(unregisterTrigger(id))
      await settled()
    },
    async answer(
      worker: Puppet,
      call: Message | undefined,
      outcome: object = { result: null },
    ): Promise<void> {
      worker.says(answerTo(call, outcome))
      await settled()
    },
    async pass(ms: number): Promise<void> {
      clock.advance(ms)
      await settled()
    },
    /** The engine is gone; what was committed is there. */
    async kill() {
      await queues.stop()
      return { partition }
    },
  }
}

export type QueueWorld = Awaited<ReturnType<typeof createQueues>>

/** What a worker was called with since the last look. */
export const callsOf = (worker: Puppet): Message[] =>
  worker.hears().filter(({ type }) => type === 'invokefunction')

export const dataOf = (calls: readonly Message[]): unknown[] => calls.map(({ data }) => data)

export const failure = (message = 'no') => ({ error: { code: 'SHOP_CLOSED', message } })
