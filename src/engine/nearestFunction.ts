/** Which function was probably meant by an id that nobody has registered. For the log: callers are not told. */
import type { Clock } from '../clock/clock.ts'
import { nearestId } from '../log/nearest.ts'
import { shortened } from '../log/notices.ts'
import { unstartedBuiltIn } from '../protocol/builtInIds.ts'
import type { Limits } from '../protocol/limits.ts'
import type { Routes } from './routes.ts'

/** For this long the last answer holds: whoever misses a function misses it again and again. */
const HOLDS_MS = 1000

export function createNearestFunction(
  clock: Clock,
  routes: Routes,
  limits: Limits,
): (namespace: string, functionId: string) => string | undefined {
  let last:
    | { namespace: string; functionId: string; untilMs: number; nearest: string | undefined }
    | undefined
  return (namespace, functionId) => {
    const now = clock.now()
    if (last?.functionId === functionId && last.namespace === namespace && now < last.untilMs)
      return last.nearest
    const ids = routes.idsIn(namespace, limits.comparedFunctions)
    // No other function is meant by that of a built-in that is not there.
    const found = unstartedBuiltIn(functionId, ids) === undefined ? nearestId(functionId, ids) : undefined
    const nearest = found === undefined ? undefined : shortened(found)
    last = { namespace, functionId, untilMs: now + HOLDS_MS, nearest }
    return nearest
  }
}
