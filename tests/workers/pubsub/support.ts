/** A world with the pubsub worker in it, on its local link; publishers and subscribers are puppets. */
import { pubsubConfigSchema } from '../../../workers/pubsub/config.ts'
import { createPubsubWorker } from '../../../workers/pubsub/worker.ts'
import type { RunningWorker } from '../../../workers/worker.ts'
import { connectBuiltIn, createAsker, type Outcome } from '../../support/builtIn.ts'
import {
  answerTo,
  createWorld,
  type Message,
  type Puppet,
  registerFunction,
  registerTrigger,
  type World,
} from '../../support/world.ts'

export interface Row {
  readonly id: string
  readonly topic: string | null
  readonly group?: string
  readonly delivered: number
  readonly failed: number
  readonly dropped: number
  readonly skipped: number
  readonly waiting: number
  readonly last_error: string | null
}

export interface PubsubWorld extends World {
  readonly pubsub: RunningWorker
  /** A worker with these functions. */
  worker(...ids: string[]): Puppet
  /** Binds `id` to a function; resolves with why that was refused, if it was. */
  subscribe(
    worker: Puppet,
    id: string,
    functionId: string,
    config: unknown,
    more?: object,
  ): Promise<Outcome['error']>
  publish(topic: unknown, data?: unknown, more?: object): Promise<Outcome>
  ask(functionId: string, input: unknown, more?: object): Promise<Outcome>
  /** By id. */
  rows(): Promise<Record<string, Row>>
  /** Resolves when everything under way on local links has arrived. */
  settled(): Promise<void>
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise(resolve => setImmediate(resolve))
}

export async function createPubsub(config: unknown = {}): Promise<PubsubWorld> {
  const world = createWorld()
  const { clock, log } = world
  const client = connectBuiltIn(world, 'iii-pubsub', 78)
  const pubsub = await createPubsubWorker(pubsubConfigSchema.parse(config), { clock, log }).start(client)
  await settled()
  const publisher = world.join({ name: 'publisher' })

  const { ask } = createAsker(publisher, settled)

  return {
    ...world,
    pubsub,
    settled,
    ask,
    worker(...ids) {
      const worker = world.join()
      worker.says(...ids.map(id => registerFunction(id)))
      worker.hears()
      return worker
    },
    async subscribe(worker, id, functionId, given, more = {}) {
      worker.says(registerTrigger(id, 'subscribe', functionId, { config: given, ...more }))
      await settled()
      const answer = worker.hears().find(({ type }) => type === 'triggerregistrationresult')
      return answer?.error as Outcome['error']
    },
    publish: (topic, data = {}, more = {}) => ask('publish', { topic, data, ...more }),
    async rows() {
      const { result } = await ask('iii-pubsub::subscriptions', {})
      const { subscriptions } = result as { subscriptions: Row[] }
      return Object.fromEntries(subscriptions.map(row => [row.id, row]))
    },
  }
}

/** What a worker was called with since the last look. */
export const callsOf = (worker: Puppet): Message[] =>
  worker.hears().filter(({ type }) => type === 'invokefunction')

export const dataOf = (worker: Puppet): unknown[] => callsOf(worker).map(({ data }) => data)

/** Answers a call that a worker has heard. */
export function answers(worker: Puppet, call: Message | undefined, outcome: object = {}): void {
  worker.says(answerTo(call, outcome))
}
