/** A world with the state worker in it, on its local link; who calls it is a puppet. */
import { createMemoryPartition } from '../../../src/storage/mod.ts'
import type { Partition } from '../../../src/storage/partition.ts'
import { createPartitionStore } from '../../../workers/state/adapters/partition.ts'
import { stateConfigSchema } from '../../../workers/state/config.ts'
import type { StateStore } from '../../../workers/state/store.ts'
import { createStateWorker, type StateParts } from '../../../workers/state/worker.ts'
import type { RunningWorker } from '../../../workers/worker.ts'
import { connectBuiltIn, createAsker, type Outcome } from '../../support/builtIn.ts'
import {
  createWorld,
  type Message,
  type Puppet,
  registerFunction,
  registerTrigger,
  type World,
} from '../../support/world.ts'

export interface StateWorld extends World {
  readonly state: RunningWorker
  readonly store: StateStore
  readonly partition: Partition
  /** Calls `state::<name>`; rejects if it is not answered. */
  ask(name: string, input: unknown, more?: object): Promise<Outcome>
  /** The answer of `state::<name>`, which must not fail. */
  done<Result = unknown>(name: string, input: unknown, more?: object): Promise<Result>
  /** The same, without waiting for the answer: it is to be found with `answerOf`. */
  asks(name: string, input: unknown): string
  answerOf(id: string): Outcome | undefined
  /** A worker with these functions. */
  worker(...ids: string[]): Puppet
  /** Binds `id` to a function; resolves with why that was refused, if it was. */
  bind(
    worker: Puppet,
    id: string,
    functionId: string,
    config?: unknown,
    more?: object,
  ): Promise<Outcome['error']>
  /** Resolves when everything under way has arrived. */
  settled(): Promise<void>
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await new Promise(resolve => setImmediate(resolve))
}

export async function createState(
  config: unknown = {},
  beyond: Pick<StateParts, 'streams' | 'hasFunction'> = { streams: true },
): Promise<StateWorld> {
  const world = createWorld()
  const { clock, log } = world
  const client = connectBuiltIn(world, 'iii-state', 79)
  const partition = createMemoryPartition({ clock, log, wallClock: clock.now }, 0)
  const store = createPartitionStore(partition)
  const parts = { store, clock, wallClock: clock.now, log, ...beyond }
  const state = await createStateWorker(stateConfigSchema.parse(config), parts).start(client)
  await settled()
  const caller = world.join({ name: 'caller' })
  const { answerOf, ask, done } = createAsker(caller, settled)

  return {
    ...world,
    state,
    store,
    partition,
    settled,
    answerOf,
    ask: (name, input, more) => ask(`state::${name}`, input, more),
    asks: (name, input) => caller.calls(`state::${name}`, input),
    done: (name, input, more) => done(`state::${name}`, input, more),
    worker(...ids) {
      const worker = world.join()
      worker.says(...ids.map(id => registerFunction(id)))
      worker.hears()
      return worker
    },
    async bind(worker, id, functionId, given = {}, more = {}) {
      worker.says(registerTrigger(id, 'state', functionId, { config: given, ...more }))
      await settled()
      const answer = worker.hears().find(({ type }) => type === 'triggerregistrationresult')
      return answer?.error as Outcome['error']
    },
  }
}

/** What a worker was called with since the last look. */
export const callsOf = (worker: Puppet): Message[] =>
  worker.hears().filter(({ type }) => type === 'invokefunction')

export const dataOf = (worker: Puppet): Record<string, unknown>[] =>
  callsOf(worker).map(({ data }) => data as Record<string, unknown>)
