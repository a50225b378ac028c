/**
 * A thread: an engine, its links, and the workers placed on it. With one thread this is the whole process.
 */

import packageJson from '../../package.json' with { type: 'json' }
import { createClient } from '../../sdk/typescript/src/client.ts'
import type { BuiltInWorker, RunningWorker } from '../../workers/worker.ts'
import { systemClock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import type { Change } from '../engine/directory/changes.ts'
import { COMMAND_LINE_NAME } from '../engine/directory/records.ts'
import { createEngine, type Engine, type HostEngine } from '../engine/engine.ts'
import { createLocalLink } from '../engine/links/local.ts'
import type { Log } from '../log/log.ts'
import { urlHost } from '../net/loopback.ts'
import { createInvocationIds } from '../protocol/uuid.ts'
import { type Listener, listen } from '../server/listener.ts'
import { createTurn } from '../server/turn.ts'
import { createLocalTransport } from './localTransport.ts'
import { alwaysPlaced, knownWorkers, type PlacementParts } from './placement.ts'

export interface RunningThread {
  /** What listens where: `workers`, `http`, … */
  readonly addresses: Readonly<Record<string, string>>
  /** Takes no new work; resolves when calls under way have ended, at the latest after `ms`. */
  drain(ms: number): Promise<void>
  /** Ends at once and frees the ports. */
  stop(): Promise<void>
}

export interface ThreadOptions {
  readonly log: Log
}

/** Looks at the calls in flight this often while draining. */
const DRAIN_LOOK_MS = 20

/** Connects a built-in worker by a local link and starts it. */
async function place(engine: Engine, worker: BuiltInWorker, instance: string): Promise<RunningWorker> {
  const [engineSide, workerSide] = createLocalLink(engine.state.limits)
  engineSide.listen(engine.connect(engineSide, { builtIn: true, ipAddress: undefined }).receiver)
  const client = createClient({
    transport: createLocalTransport(workerSide),
    clock: systemClock,
    newId: createInvocationIds(engine.state.randomId),
    announcement: () => ({
      name: instance,
      description: worker.description,
      version: packageJson.version,
      runtime: 'engine',
      isolation: 'in-process',
    }),
  })
  return worker.start(client)
}

/** `workers`, `workers#1`, … and whatever else listens. */
function addressesOf(
  listeners: readonly Listener[],
  running: readonly RunningWorker[],
): Record<string, string> {
  const addresses: Record<string, string> = {}
  listeners.forEach(({ host, port }, index) => {
    addresses[index === 0 ? 'workers' : `workers#${index}`] = `ws://${urlHost(host)}:${port}`
  })
  for (const worker of running) {
    for (const [name, address] of Object.entries(worker.addresses)) {
      let key = name
      for (let count = 1; key in addresses; count++) key = `${name}#${count}`
      addresses[key] = address
    }
  }
  return addresses
}

/** One line when a worker has said who it is; the commands of the command line come and go too often for that. */
function tellOfWorkers(engine: HostEngine, log: Log, change: Change): void {
  if (change.change !== 'workerChanged' || change.event !== 'worker_metadata_updated') return
  const worker = engine.state.directory.workers.get(change.workerId)
  const name = worker?.announcement?.name
  if (worker === undefined || worker.builtIn || name?.startsWith(COMMAND_LINE_NAME) === true) return
  const { functions, bindings } = worker
  log.info('worker connected', { worker_name: name, functions: functions.size, triggers: bindings.size })
}

/** Starts everything the settings name; when one part cannot start, the others are stopped and the error is thrown. */
export async function startThread(settings: Settings, { log }: ThreadOptions): Promise<RunningThread> {
  const turn = createTurn()
  const engine = createEngine({
    clock: systemClock,
    log,
    randomId: () => crypto.randomUUID(),
    namespaceGraceMs: settings.namespaceGraceMs,
    builtIns: new Set(knownWorkers.keys()),
  })
  engine.state.watchers.add(change => tellOfWorkers(engine, log, change))
  const parts: PlacementParts = { engine: engine.state, clock: systemClock, log }
  const running: RunningWorker[] = []
  const listeners: Listener[] = []

  async function stop(): Promise<void> {
    for (const listener of listeners) listener.close()
    engine.stop()
    await Promise.all([
      ...listeners.map(listener => listener.stop()),
      ...running.map(worker => worker.stop()),
    ])
  }

  try {
    for (const worker of alwaysPlaced(parts)) running.push(await place(engine, worker, worker.name))
    for (const { name, instance, config } of settings.workers) {
      const worker = knownWorkers.get(name)?.create?.(config, parts)
      if (worker !== undefined) running.push(await place(engine, worker, instance))
    }
    // The workers' port opens last: who connects finds everything there.
    for (const listener of settings.listeners) {
      listeners.push(listen(listener, { engine, turn, clock: systemClock, log, insecure: settings.insecure }))
    }
  } catch (error) {
    await stop()
    throw error
  }

  async function drain(ms: number): Promise<void> {
    const until = systemClock.now() + ms
    for (const listener of listeners) listener.close()
    engine.drain()
    const workersDone = Promise.all(running.map(worker => worker.drain()))
    const timeOver = new Promise<void>(resolve => systemClock.after(ms, resolve))
    await Promise.race([workersDone, timeOver])
    // An answer has arrived when it has left: those of the last turn still wait in the links of their callers.
    const isBusy = (): boolean => engine.callsInFlight() > 0 || engine.unsentBytes() > 0
    while (isBusy() && systemClock.now() < until) {
      await new Promise<void>(resolve => systemClock.after(DRAIN_LOOK_MS, resolve))
    }
    log.debug('drained', { calls_left: engine.callsInFlight() })
  }

  return { addresses: addressesOf(listeners, running), drain, stop }
}
