/** When the partition has to look for entries whose time has passed. */
import type { Clock } from '../clock/clock.ts'
import { limits } from '../protocol/limits.ts'
import type { Outcome, Work } from './turn.ts'

export interface Expiry {
  /** Looks at this time of the clock on the wall, if not before. */
  look(atMs: number | undefined): void
  /** A turn is over: it may have set new times, or have removed what had expired. */
  after(works: readonly Work[], outcomes: readonly Outcome[], next: () => number | undefined): void
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

  function pause(): void {
    armedFor = Number.NEGATIVE_INFINITY
    cancel = clock.after(limits.expiryLookMs, due)
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
    after(works, outcomes, next) {
      let earliest = Number.POSITIVE_INFINITY
      let hasExpired = false
      for (const [place, { commands, expires }] of works.entries()) {
        // What cannot be removed would be found again at once.
        if (expires > 0 && 'refusal' in outcomes[place]!) return pause()
        if (expires > 0) hasExpired = true
        for (const command of commands) {
          if ('expiresAtMs' in command && command.expiresAtMs !== undefined) {
            earliest = Math.min(earliest, command.expiresAtMs)
          }
        }
      }
      if (hasExpired) {
        armedFor = Number.POSITIVE_INFINITY
        look(next())
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
