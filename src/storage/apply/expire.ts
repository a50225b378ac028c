/** No command of a caller: the partition's own, when the time of entries has passed. */
import type { ApplyContext } from './context.ts'
import { clearExpired } from './current.ts'

/** Removes up to `limit` entries, those that expired first before the others. Returns how many. */
export function expire(limit: number, context: ApplyContext): number {
  const expired = context.tables.expired(context.nowMs, limit, context.noticeDamage)
  for (const { collection, entry } of expired) clearExpired(context, collection, entry)
  return expired.length
}
