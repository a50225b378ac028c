/** Starts everything the settings name: on one thread, or on the main thread and its shards. */
import { systemClock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import type { Log } from '../log/log.ts'
import { createMainEngine, placeAlways, type RunningEngine } from './mainThread.ts'
import { knownWorkers } from './placement.ts'
import { createThread, createThreadTurn } from './thread.ts'

export type { RunningEngine }

export interface StartOptions {
  readonly log: Log
}

/** When one part cannot start, the others are stopped and the error is thrown. */
export async function startEngine(settings: Settings, { log }: StartOptions): Promise<RunningEngine> {
  if (settings.shards === 0) return startAlone(settings, log)
  const { startShards } = await import('./shards.ts')
  return startShards(settings, log)
}

async function startAlone(settings: Settings, log: Log): Promise<RunningEngine> {
  const turn = createThreadTurn(log)
  const engine = createMainEngine(settings, log)
  const thread = createThread(engine, turn, log)
  try {
    // The number of a process is that of its first thread.
    const own = { threadId: process.pid, links: new Map(), resyncs: 0 }
    await placeAlways(thread, engine, log, { ...settings, own: () => own, peers: undefined })
    for (const { name, instance, config } of settings.workers) {
      const worker = knownWorkers.get(name)?.create?.(config, { clock: systemClock, log, reusePort: false })
      if (worker !== undefined) await thread.place(worker, instance)
    }
    // The workers' port opens last: who connects finds everything there.
    for (const listener of settings.listeners) {
      thread.listen(listener, { insecure: settings.insecure, reusePort: false })
    }
  } catch (error) {
    await thread.stop()
    throw error
  }
  const { drain, stop } = thread
  return { addresses: thread.addresses(), failed: new Promise(() => {}), drain, stop }
}
