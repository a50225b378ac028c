/**
 * A thread: an engine, its links, and the workers placed on it. With one thread this is the whole process.
 */

import packageJson from '../../package.json' with { type: 'json' }
import { createClient } from '../../sdk/typescript/src/client.ts'
import type { BuiltInWorker, RunningWorker } from '../../workers/worker.ts'
import { systemClock } from '../clock/clock.ts'
import type { Engine } from '../engine/engine.ts'
import { createLocalLink } from '../engine/links/local.ts'
import type { Log } from '../log/log.ts'
import { urlHost } from '../net/loopback.ts'
import { createInvocationIds } from '../protocol/uuid.ts'
import type { ListenerSettings } from '../server/config.ts'
import { type Listener, listen } from '../server/listener.ts'
import type { SocketHandlers } from '../server/sockets.ts'
import { createTurn, type Turn } from '../server/turn.ts'
import { createLocalTransport } from './localTransport.ts'

/** Who an instance of a gateway is to the directory. */
export interface Identity {
  readonly id: string
  readonly token: string
}

export interface ListenOptions {
  readonly insecure: boolean
  readonly reusePort: boolean
  /** Who takes the sockets, if not the engine of this thread. */
  readonly handlers?: SocketHandlers | undefined
}

export interface Thread {
  readonly engine: Engine
  /** Connects a built-in worker by a local link and starts it. `instance` is the name it announces. */
  place(worker: BuiltInWorker, instance: string, identity?: Identity): Promise<RunningWorker>
  listen(settings: ListenerSettings, options: ListenOptions): Listener
  /** What listens where: `workers`, `workers#1`, `http`, … */
  addresses(): Record<string, string>
  /**
   * Takes no new work; resolves when calls under way have ended, at the latest after `ms`. May be asked again.
   * `unsentBytes`: what waits to leave beside that of the engine.
   */
  drain(ms: number, unsentBytes?: () => number): Promise<void>
  /** Ends the connections of sockets at once, for a thread that is about to be no more. */
  cut(): void
  /** Ends at once and frees the ports. */
  stop(): Promise<void>
}

/** Looks at the calls in flight this often while draining. */
const DRAIN_LOOK_MS = 20

export function addressOf({ host, port }: { host: string; port: number }): string {
  return `ws://${urlHost(host)}:${port}`
}

/** A fault of ours at the end of a turn costs one burst, not the thread. */
export function createThreadTurn(log: Log): Turn {
  return createTurn(error => {
    log.error('internal error while sending', { error: error instanceof Error ? error.stack : error })
  })
}

export function createThread(engine: Engine, turn: Turn, log: Log): Thread {
  const running: RunningWorker[] = []
  const listeners: Listener[] = []

  return {
    engine,

    async place(worker, instance, identity) {
      const [engineSide, workerSide] = createLocalLink(engine.state.limits)
      const origin = { builtIn: true, ipAddress: undefined, ...(identity === undefined ? {} : { identity }) }
      engineSide.listen(engine.connect(engineSide, origin).receiver)
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
          // Handlers hear when nobody waits for them any more.
          features: ['cancel.v1'],
        }),
      })
      const started = await worker.start(client)
      running.push(started)
      return started
    },

    listen(settings, options) {
      const listener = listen(settings, { engine, turn, clock: systemClock, log, ...options })
      listeners.push(listener)
      return listener
    },

    addresses() {
      const addresses: Record<string, string> = {}
      const add = (name: string, address: string): void => {
        let key = name
        for (let count = 1; key in addresses; count++) key = `${name}#${count}`
        addresses[key] = address
      }
      for (const listener of listeners) add('workers', addressOf(listener))
      for (const worker of running) {
        for (const [name, address] of Object.entries(worker.addresses)) add(name, address)
      }
      return addresses
    },

    async drain(ms, unsentBytes = () => 0) {
      const until = systemClock.now() + ms
      for (const listener of listeners) listener.close()
      engine.drain()
      const workersDone = Promise.all(running.map(worker => worker.drain()))
      const timeOver = new Promise<void>(resolve => systemClock.after(ms, resolve))
      await Promise.race([workersDone, timeOver])
      // An answer has arrived when it has left: those of the last turn still wait in the links of their callers.
      const isBusy = (): boolean => engine.callsInFlight() > 0 || engine.unsentBytes() + unsentBytes() > 0
      while (isBusy() && systemClock.now() < until) {
        await new Promise<void>(resolve => systemClock.after(DRAIN_LOOK_MS, resolve))
      }
      log.debug('drained', { calls_left: engine.callsInFlight() })
    },

    cut() {
      for (const listener of listeners) listener.cut()
    },

    async stop() {
      for (const listener of listeners) listener.close()
      engine.stop()
      await Promise.all([
        ...listeners.map(listener => listener.stop()),
        ...running.map(worker => worker.stop()),
      ])
    },
  }
}
