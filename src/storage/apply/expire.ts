/** No command of a caller: the partition's own, when the time of entries has passed. */
import { limits } from '../../protocol/limits.ts'
import type { ApplyContext } from './context.ts'
import { clearExpired } from './current.ts'

/**
 * Removes up to `limit` entries, those that expired first before the others; fewer if their values are large. Returns how
 * many.
 */
export function expire(limit: number, context: ApplyContext): number {
  let count = 0
  let characters = 0
  while (count < limit && characters < limits.turnCharacters) {
    const [expired] = context.tables.expired(context.nowMs, 1)
    if (expired === undefined) break
    clearExpired(context, expired.collection, expired.entry)
    characters += expired.entry.value.length
    count++
  }
  return count
}
