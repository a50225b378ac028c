/** No command of a caller: the partition's own, when the time of entries, dedupe keys or dead messages has passed. */
import { limits } from '../../protocol/limits.ts'
import type { ApplyContext } from './context.ts'
import { clearExpired } from './current.ts'

/**
 * Removes up to `limit` entries, those that expired first before the others; fewer if their values are large. And up to as many
 * dedupe keys and dead messages of queues. Returns how many.
 */
export function expire(limit: number, context: ApplyContext): number {
  let count = expireOfQueues(limit, context)
  let entries = 0
  let characters = 0
  while (entries < limit && characters < limits.turnCharacters) {
    const portion = Math.min(limit - entries, limits.listPortion)
    const expired = context.tables.expired(context.nowMs, portion, context.noticeDamage)
    for (const { collection, entry } of expired) {
      clearExpired(context, collection, entry)
      characters += entry.value.length
    }
    count += expired.length
    entries += expired.length
    if (expired.length < portion) break
  }
  return count
}

function expireOfQueues(limit: number, { tables: { queues }, nowMs, wrote }: ApplyContext): number {
  const count = queues.forgetDedupes(nowMs, limit) + queues.forgetDead(nowMs, limit)
  if (count > 0) wrote(0)
  return count
}
