/** Who has made a call, for workers of the main thread that show more to some callers than to others. */
import type { FindCaller } from '../../workers/configuration/functions.ts'
import type { HostState } from '../engine/registry.ts'

export function createFindCaller({ directory }: HostState): FindCaller {
  return workerId => {
    const worker = directory.workers.get(workerId)
    const name = worker?.announcement?.name
    if (worker === undefined || name === undefined) return undefined
    const { namespace, builtIn } = worker
    return { name: namespace === 'default' ? name : `${namespace}/${name}`, builtIn }
  }
}
