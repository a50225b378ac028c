/** A world with the discovery worker in it, on its local link, and a way to ask it. */
import { createClient } from '../../../sdk/typescript/src/client.ts'
import { createLocalLink } from '../../../src/engine/links/local.ts'
import { createCatalogue } from '../../../src/threads/catalogue.ts'
import { createStatus } from '../../../src/threads/engineStatus.ts'
import { createLocalTransport } from '../../../src/threads/localTransport.ts'
import { createEngineFunctionsWorker } from '../../../workers/engine-functions/worker.ts'
import type { RunningWorker } from '../../../workers/worker.ts'
import { createSeededIds } from '../../support/fakes.ts'
import { createWorld, type Message, type Puppet, type World, type WorldOptions } from '../../support/world.ts'

export interface Outcome<Result> {
  readonly result: Result
  readonly error: { readonly code: string; readonly message: string } | undefined
}

export interface Discovery extends World {
  readonly discovery: RunningWorker
  /** Calls a discovery function; without `input` the call has no data. */
  ask<Result = Record<string, unknown>>(functionId: string, input?: unknown): Promise<Outcome<Result>>
  /** The same for answers that are not waited for here: the worker that asks, and the id of its call. */
  asks(functionId: string, input: unknown): Promise<{ asker: Puppet; id: string }>
  /** Resolves when everything under way on local links has arrived. */
  settled(): Promise<void>
}

/** A turn of the event loop: all microtasks have run. */
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

export async function createDiscovery(options: WorldOptions = {}): Promise<Discovery> {
  const world = createWorld(options)
  const { engine, clock, log } = world
  const [engineSide, workerSide] = createLocalLink()
  const { workerId, receiver } = engine.connect(engineSide, { builtIn: true, ipAddress: undefined })
  engineSide.listen(receiver)
  engine.state.carryOut(
    engine.state.directory.announce(workerId, 'default', {
      name: 'iii-engine-functions',
      description: 'Discovery',
      version: '9.9.9',
      runtime: 'engine',
      os: undefined,
      pid: undefined,
      isolation: 'in-process',
      telemetry: undefined,
    }),
  )
  const newId = createSeededIds(77)
  const own = { threadId: undefined, links: new Map(), resyncs: 0 }
  const alone = { peers: undefined, shards: 0, acceptor: 'kernel' as const, own: () => own, nameOf: () => 'main' }
  const status = createStatus({ ...alone, engine: engine.state })
  const catalogue = createCatalogue(engine.state, { peers: undefined, status })
  const client = createClient({ transport: createLocalTransport(workerSide), clock, newId })
  const worker = createEngineFunctionsWorker({ catalogue, clock, log, newId })
  const discovery = await worker.start(client)
  await settled()

  async function asks(functionId: string, input: unknown): Promise<{ asker: Puppet; id: string }> {
    const asker = world.connect()
    const id = asker.calls(functionId, input)
    await settled()
    return { asker, id }
  }

  return {
    ...world,
    discovery,
    asks,
    settled,
    async ask<Result>(functionId: string, input?: unknown): Promise<Outcome<Result>> {
      const { asker, id } = await asks(functionId, input)
      const answer = asker.hears().find(message => message.invocation_id === id)
      asker.leaves()
      if (answer === undefined) throw new Error(`${functionId} did not answer`)
      return { result: answer.result as Result, error: answer.error as Outcome<Result>['error'] }
    },
  }
}

/** Answers every `invokefunction` a worker has heard and returns the payloads it was called with. */
export function takesCalls(worker: Puppet): Record<string, unknown>[] {
  const calls = worker.hears().filter(({ type }) => type === 'invokefunction')
  for (const { invocation_id, function_id } of calls) {
    worker.says({ type: 'invocationresult', invocation_id, function_id })
  }
  return calls.map((call: Message) => call.data as Record<string, unknown>)
}
