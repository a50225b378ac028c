/** What the main thread has whether there are shards or not: the directory, and the workers that always run. */
import { systemClock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import type { Change } from '../engine/directory/changes.ts'
import { isWorthLines } from '../engine/directory/records.ts'
import { createEngine, type HostEngine, type HostOptions } from '../engine/engine.ts'
import type { Log } from '../log/log.ts'
import { alwaysPlaced } from './always.ts'
import { createStatus, type StatusParts } from './engineStatus.ts'
import { knownWorkers } from './placement.ts'
import type { Thread } from './thread.ts'

export interface RunningEngine {
  /** What listens where: `workers`, `http`, … */
  readonly addresses: Readonly<Record<string, string>>
  /** Resolves with the reason when it cannot go on. */
  readonly failed: Promise<Error>
  /** Takes no new work; resolves when calls under way have ended, at the latest after `ms`. */
  drain(ms: number): Promise<void>
  /** Ends at once and frees the ports. */
  stop(): Promise<void>
}

/** One line when a worker has said who it is; what it registers comes before that or after, depending on its client. */
function tellOfWorkers({ state: { directory } }: HostEngine, log: Log, change: Change): void {
  if (change.change !== 'workerChanged' || change.event !== 'worker_metadata_updated') return
  const worker = directory.workers.get(change.workerId)
  if (worker === undefined || !isWorthLines(worker)) return
  log.info('worker connected', { worker_name: worker.announcement?.name })
}

/** The engine of the main thread. */
export function createMainEngine(
  settings: Settings,
  log: Log,
  { elsewhere, lasting }: Pick<HostOptions, 'elsewhere' | 'lasting'> = {},
): HostEngine {
  const options: HostOptions = {
    clock: systemClock,
    log,
    randomId: () => crypto.randomUUID(),
    receiptId: () => Bun.randomUUIDv7(),
    namespaceGraceMs: settings.namespaceGraceMs,
    builtIns: new Set(knownWorkers.keys()),
    lasting,
    ...(elsewhere === undefined ? {} : { elsewhere }),
  }
  const engine = createEngine(options)
  engine.state.watchers.add(change => tellOfWorkers(engine, log, change))
  return engine
}

/** Workers that stand on the main thread whatever the settings. */
export async function placeAlways(
  thread: Thread,
  { state: engine }: HostEngine,
  log: Log,
  parts: Omit<StatusParts, 'engine'> & Pick<Settings, 'data' | 'workers'>,
): Promise<void> {
  const status = createStatus({ ...parts, engine })
  const { peers } = parts
  const workers = alwaysPlaced({ engine, clock: systemClock, log, peers, status, settings: parts })
  for (const worker of workers) await thread.place(worker, worker.name)
}
