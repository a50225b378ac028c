/** When the partition has to look for entries whose time has passed. */
import type { Clock } from '../clock/clock.ts'
import { limits } from '../protocol/limits.ts'
import type { Work } from './turn.ts'

export interface Expiry {
  /** Looks at this time of the clock on the wall, if not before. */
  look(atMs: number | undefined): void
  /**
   * A turn is over: it may have set new times, or have removed what had expired. If that was due and nothing was removed
   * (`hasExpired`), what is there cannot be: it is not tried at once again.
   */
  after(works: readonly Work[], next: () => number | undefined, hasExpired: boolean): void
  /** A turn has failed; `look` is called when it is worth while again. */
  rest(): void
  stop(): void
}

/** `due` is called when entries have expired, probably. */
export function createExpiry(clock: Clock, wallClock: () => number, due: () => void): Expiry {
  let armedFor = Number.POSITIVE_INFINITY
  let cancel: (() => void) | undefined

  function look(atMs: number | undefined): void {
    if (atMs === undefined || atMs >= armedFor) return
    armedFor = atMs
    cancel?.()
    arm()
  }

  function arm(): void {
    const ms = Math.max(0, armedFor - wallClock())
    cancel = clock.after(Math.min(ms, limits.expiryLookMs), fire)
  }

  /** The wall's clock may have been set meanwhile. */
  function fire(): void {
    if (wallClock() < armedFor) {
      arm()
      return
    }
    cancel = undefined
    // Nothing else is looked for until that turn is over.
    armedFor = Number.NEGATIVE_INFINITY
    due()
  }

  return {
    look,
    after(works, next, hasExpired) {
      let earliest = Number.POSITIVE_INFINITY
      let hasLooked = false
      for (const { commands, expires } of works) {
        if (expires > 0) hasLooked = true
        for (const command of commands) {
          if ('expiresAtMs' in command && command.expiresAtMs !== undefined) {
            earliest = Math.min(earliest, command.expiresAtMs)
          }
        }
      }
      if (hasLooked) {
        const at = next()
        const isStuck = !hasExpired && at !== undefined && at <= wallClock()
        armedFor = Number.POSITIVE_INFINITY
        look(isStuck ? wallClock() + limits.storageRetryMs : at)
      } else if (earliest < armedFor) look(earliest)
    },
    rest() {
      cancel?.()
      cancel = undefined
      armedFor = Number.POSITIVE_INFINITY
    },
    stop() {
      cancel?.()
      cancel = undefined
      armedFor = Number.NEGATIVE_INFINITY
    },
  }
}
