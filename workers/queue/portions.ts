/** What goes into one message to somebody: so many leases, and so much data, that it can be read. */
import { limits } from '../../src/protocol/limits.ts'
import { lengthOf } from '../../src/storage/queue/message.ts'
import type { Lease } from './core/lease.ts'

/** In their order, up to `count` together; each portion has at least one, whatever its length. */
export function portionsOf(leases: readonly Lease[], count: number): Lease[][] {
  const portions: Lease[][] = []
  let length = 0
  for (const lease of leases) {
    const last = portions.at(-1)
    length += lengthOf(lease.message)
    if (last !== undefined && last.length < count && length <= limits.queuePortionLength) {
      last.push(lease)
      continue
    }
    portions.push([lease])
    length = lengthOf(lease.message)
  }
  return portions
}
