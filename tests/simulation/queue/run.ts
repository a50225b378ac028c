/**
 * One run: the queue worker with a real partition in a real engine, publishers, and workers that are puppets, who do everything by
 * chance, while commits fail, disks break, processes crash, connections are lost and the clock on the wall is set. Everything,
 * time included, follows from the seed.
 */
import { createPartitionBackend } from '../../../workers/queue/adapters/partition.ts'
import { queueConfigSchema } from '../../../workers/queue/config.ts'
import { createQueueWorker } from '../../../workers/queue/worker.ts'
import { createRandom } from '../../support/random.ts'
import {
  answerTo,
  createWorld,
  type Message as Frame,
  type Puppet,
  registerFunction,
} from '../../support/world.ts'
import type { Fault } from '../durable/faultyStore.ts'
import { createHost, type Mistakes, type StartWorker, settled } from '../durable/host.ts'
import type { Failure } from '../seeds.ts'
import { BACKOFF_MS, CONCURRENCY, createTruth, LEASE_MS, MAX_ATTEMPTS, type Message, Wrong } from './truth.ts'

const STEPS = 100
const FUNCTIONS = ['f', 'g']
const QUIET_STEPS = 300
/** Memory has no disk that does not say what it has. */
const FAULTS = ['broken after', 'crash after', 'broken before', 'full', 'crash before'] as const

const queueOf = (more: object = {}) => ({
  ...{ max_retries: MAX_ATTEMPTS, backoff_ms: BACKOFF_MS, backoff_type: 'fixed', lease_ms: LEASE_MS },
  ...{ concurrency: CONCURRENCY, ...more },
})
const CONFIG = {
  queue_configs: { plain: queueOf(), ordered: queueOf({ type: 'fifo', message_group_field: 'group' }) },
}

/** `undefined`: everything was as it has to be. */
export async function run(seed: number, mistakes: Mistakes = {}): Promise<Failure | undefined> {
  const { between } = createRandom(seed)
  const pick = <Item>(items: readonly Item[]): Item => items[between(0, items.length)]!
  const chance = (percent: number): boolean => between(0, 100) < percent
  const world = createWorld({ seed })
  const { clock, engine } = world
  let skewMs = 0
  const wallClock = (): number => Math.floor(clock.now() + skewMs)
  const startWorker: StartWorker = (client, { partition, clock: own, log, generation }) =>
    createQueueWorker(queueConfigSchema.parse(CONFIG), {
      createBackend: settings =>
        createPartitionBackend({
          ...{
            partition,
            clock: own,
            log,
            wallClock,
            random: () => 0,
            epoch: `e${generation}`,
            ...settings,
          },
        }),
      functions: {
        find: (namespace, id) => engine.state.routes.find(namespace, id)?.workerId,
        follow: told => engine.state.routes.follow(told),
      },
      ...{ clock: own, wallClock, log, newId: () => crypto.randomUUID() },
    }).start(client)
  await using host = createHost(world, seed % 2 === 0 ? 'sqlite' : 'memory', mistakes, {
    startWorker,
    wallClock,
  })
  const truth = createTruth()
  const happened: string[] = []
  const note = (text: string): void => void happened.push(`${clock.now() % 1e6} ${text}`)
  const caller = world.join({ name: 'publisher' })
  const published = new Map<string, Message>()
  const workers = new Map<string, Puppet>()
  const calls = new Map<number, { readonly worker: Puppet; readonly frame: Frame }>()
  let isBroken = false

  async function publish(): Promise<void> {
    const queue = pick(['plain', 'ordered'])
    const group = queue === 'ordered' ? pick(['a', 'b']) : undefined
    const dueMs = chance(80) ? 0 : wallClock() + between(1, 300)
    if (!host.isUp()) return
    const message = truth.publish(queue, group, dueMs)
    const more = dueMs === 0 ? {} : { run_at: dueMs }
    const data = { id: message.id, group }
    note(`publishes ${message.id} to ${queue} ${group ?? ''}`)
    published.set(
      caller.calls('queue::push', { queue, data, function_id: pick(FUNCTIONS), ...more }),
      message,
    )
    await hear()
  }

  /** Everything that workers and the publisher are told now. */
  async function hear(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await settled()
    for (const frame of caller.hears()) {
      const message = published.get(String(frame.invocation_id))
      if (message === undefined) continue
      published.delete(String(frame.invocation_id))
      if (frame.error === undefined && message.is === 'unwritten')
        throw new Wrong(`message ${message.id} is acknowledged before it is written`)
      if (frame.error === undefined && message.is === 'maybe')
        throw new Wrong(`message ${message.id} is acknowledged, and nobody knows whether it is written`)
    }
    for (const [name, worker] of workers)
      for (const frame of worker.hears()) {
        if (frame.type !== 'invokefunction') continue
        const { id } = frame.data as { id: number }
        const { attempt, lease_until } = frame.metadata as { attempt: number; lease_until: number }
        note(`${name} is called with ${id}, attempt ${attempt}`)
        const invocation = String(frame.invocation_id)
        const { queue } = truth.called(
          id,
          attempt,
          { worker: name, invocation, untilMs: lease_until },
          { nowMs: wallClock(), isBroken },
        )
        calls.set(id, { worker, frame })
        if (truth.running(queue) > CONCURRENCY)
          throw new Wrong(`more than ${CONCURRENCY} of ${queue} are under way`)
      }
  }

  async function answer(isGood: boolean): Promise<void> {
    const running = truth.messages.filter(({ call }) => call !== undefined)
    if (running.length === 0) return
    const message = pick(running)
    const { worker, frame } = calls.get(message.id)!
    note(`message ${message.id} has ${isGood ? 'succeeded' : 'failed'}`)
    truth.ended(message, isGood ? 'done' : 'failed', wallClock())
    worker.says(answerTo(frame, isGood ? { result: null } : { error: { code: 'BAD', message: 'no' } }))
    await hear()
  }

  async function join(name: string): Promise<void> {
    note(`${name} comes`)
    const worker = world.join({ name })
    workers.set(name, worker)
    worker.says(registerFunction(name))
    await hear()
  }

  async function leave(name: string): Promise<void> {
    note(`${name} leaves`)
    const worker = workers.get(name)!
    workers.delete(name)
    truth.lost(name)
    worker.leaves()
    await hear()
  }

  async function endTurn(fault?: Fault): Promise<void> {
    const store = host.store()
    const wasBroken = isBroken
    store.fault = fault
    host.endTurn()
    store.fault = undefined
    const attempt = store.attempts().at(-1)
    note(`the turn ends: ${attempt === undefined ? 'nothing to commit' : (attempt.fault ?? 'committed')}`)
    const isSyncBroken = store.hasSyncFailed()
    if (attempt?.fault === 'broken before' || isSyncBroken) isBroken = true
    if (attempt?.fault?.startsWith('crash') === true) {
      truth.commit(attempt.fault === 'crash after' ? 'doubt' : 'refused', wallClock())
      crash()
    } else if (isSyncBroken) truth.commit('doubt', wallClock())
    else {
      // Ends that nobody waits for are synced later.
      const isRefused = wasBroken || (attempt?.fault !== undefined && attempt.fault !== 'broken after')
      truth.commit(isRefused ? 'refused' : 'committed', wallClock())
    }
    await hear()
  }

  function crash(): void {
    note('the process crashes')
    host.crash()
    isBroken = false
    for (const worker of workers.values()) worker.hears()
    truth.commit('refused', wallClock())
    truth.forgetCalls()
    if (host.adapter === 'memory') for (const message of truth.messages) message.is = 'gone'
    published.clear()
    caller.hears()
  }

  async function restart(): Promise<void> {
    note('it starts again')
    await host.start()
    host.store().attempts()
    await hear()
  }

  async function wait(ms: number): Promise<void> {
    note(`${ms} ms pass`)
    clock.advance(ms)
    if (host.isUp() && host.store().hasSyncFailed()) isBroken = true
    const recovery = host.isUp() ? host.store().recovery() : undefined
    if (recovery !== undefined) isBroken = recovery === 'failed'
    truth.expire(wallClock())
    await hear()
  }

  async function step(): Promise<void> {
    const dice = between(0, 100)
    if (!host.isUp()) {
      if (dice < 30) await restart()
      else await wait(between(1, 100))
    } else if (dice < 30) await publish()
    else if (dice < 50) await answer(chance(70))
    else if (dice < 74) await endTurn()
    else if (dice < 80) await endTurn(pick(host.adapter === 'sqlite' ? FAULTS : FAULTS.slice(2)))
    else if (dice < 90) await wait(between(1, 200))
    else if (dice < 93) await wait(1001)
    else if (dice < 97) {
      const name = pick(FUNCTIONS)
      if (workers.has(name)) await leave(name)
      else await join(name)
    } else if (dice < 98) host.store().failingRecoveries = between(1, 3)
    else if (dice < 99) {
      const setMs = between(500, 3000) * (chance(50) ? 1 : -1)
      skewMs += setMs
      truth.clockSet(setMs)
      note(`the clock on the wall is set, ${skewMs} ms from the other`)
    } else crash()
  }

  /** Everything works again, and everything is answered: nothing may be left. */
  async function drain(): Promise<void> {
    note('from now on everything works')
    if (!host.isUp()) await restart()
    host.store().failingRecoveries = 0
    for (const name of FUNCTIONS) if (!workers.has(name)) await join(name)
    for (let count = 0; count < QUIET_STEPS; count++) {
      await endTurn()
      for (let all = truth.messages.length; all > 0; all--) await answerOne()
      await endTurn()
      await wait(200)
      if (truth.waiting().length === 0 && !isBroken) return
    }
    const left = truth.waiting().map(({ id, call }) => `${id}${call === undefined ? '' : ' (with somebody)'}`)
    for (const queue of Object.keys(CONFIG.queue_configs)) caller.calls('queue::messages', { queue })
    for (let turn = 0; turn < 3; turn++) await settled()
    for (const { result } of caller.hears()) note(JSON.stringify(result))
    throw new Wrong(`nobody is called with ${left.join(', ')}`)
  }

  async function answerOne(): Promise<void> {
    if (truth.messages.some(({ call }) => call !== undefined)) await answer(true)
  }

  let at = 0
  try {
    await host.start()
    host.store().attempts()
    for (const name of FUNCTIONS) await join(name)
    for (; at < STEPS; at++) await step()
    await drain()
    return undefined
  } catch (error) {
    if (!(error instanceof Wrong)) note(String((error as Error).stack))
    return { step: at, reason: (error as Error).message, happened }
  }
}
