/** Who has made a call, for workers of the main thread that show more to some callers than to others. */
import type { Caller, FindCaller } from '../../workers/configuration/functions.ts'
import type { Clock } from '../clock/clock.ts'
import type { WorkerRecord } from '../engine/directory/records.ts'
import type { HostState } from '../engine/registry.ts'
import { limits } from '../protocol/limits.ts'

function callerOf({ announcement, namespace, builtIn }: WorkerRecord): Caller | undefined {
  const name = announcement?.name
  if (name === undefined) return undefined
  return { name: namespace === 'default' ? name : `${namespace}/${name}`, builtIn }
}

export function createFindCaller(
  { directory, watchers }: Pick<HostState, 'directory' | 'watchers'>,
  clock: Clock,
): FindCaller {
  /** Connections that were waited for in vain: once is enough. */
  const silent = new WeakSet<WorkerRecord>()

  function announced(worker: WorkerRecord): Promise<Caller | undefined> {
    const { promise, resolve } = Promise.withResolvers<Caller | undefined>()
    function look(): void {
      const isGone = directory.workers.get(worker.id) !== worker
      if (worker.announcement !== undefined || isGone) end()
    }
    function end(): void {
      cancel()
      watchers.delete(look)
      if (worker.announcement === undefined) silent.add(worker)
      resolve(callerOf(worker))
    }
    const cancel = clock.after(limits.quietGraceMs, end)
    watchers.add(look)
    return promise
  }

  return workerId => {
    const worker = directory.workers.get(workerId)
    if (worker === undefined) return undefined
    return worker.announcement !== undefined || silent.has(worker) ? callerOf(worker) : announced(worker)
  }
}
