/** Looks at files that may have been edited, when their folder has been quiet for a moment. */
import type { Clock } from '../../src/clock/clock.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Store } from './store.ts'

export interface WatchingParts {
  readonly store: Store
  readonly clock: Clock
  readonly look: (id: string | undefined) => Promise<void>
}

export interface Watching {
  /** From the first entry on: before it the folder may not exist. */
  begin(): void
  stop(): void
}

/** With more names than this everything is looked at. */
const MOST_NAMES = 100

export function watchFolder({ store, clock, look }: WatchingParts): Watching {
  let end: (() => void) | undefined
  let isStopped = false
  let cancel = (): void => {}
  const changed = new Set<string | undefined>()

  function lookNow(): void {
    const ids = changed.has(undefined) || changed.size > MOST_NAMES ? [undefined] : [...changed]
    changed.clear()
    // What goes wrong is logged there.
    for (const id of ids) void look(id).catch(() => {})
  }

  return {
    begin() {
      if (isStopped) return
      end ??= store.watch(id => {
        changed.add(id)
        cancel()
        cancel = clock.after(limits.configurationSettleMs, lookNow)
      })
    },
    stop() {
      isStopped = true
      cancel()
      end?.()
    },
  }
}
