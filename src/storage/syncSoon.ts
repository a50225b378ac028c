/** What was told before it is on disk gets there with the next sync, or with one of its own a little later. */
import type { Clock } from '../clock/clock.ts'
import { limits } from '../protocol/limits.ts'

export interface SyncSoon {
  /** Something was written that no sync is under way for. */
  await(): void
  /** A sync will have it, or nobody needs it any more. */
  rest(): void
}

export function createSyncSoon(clock: Clock, sync: () => void): SyncSoon {
  let cancel: (() => void) | undefined
  return {
    await() {
      cancel ??= clock.after(limits.syncSoonMs, () => {
        cancel = undefined
        sync()
      })
    },
    rest() {
      cancel?.()
      cancel = undefined
    },
  }
}
