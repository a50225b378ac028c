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
    const portion = Math.min(limit - count, limits.listPortion)
    const expired = context.tables.expired(context.nowMs, portion, context.noticeDamage)
    for (const { collection, entry } of expired) {
      clearExpired(context, collection, entry)
      characters += entry.value.length
    }
    count += expired.length
    if (expired.length < portion) break
  }
  return count
}
