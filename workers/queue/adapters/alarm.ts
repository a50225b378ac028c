/**
 * Rings at a time of the clock on the wall. That clock may be set, in both directions, and the machine may have slept: as long as
 * there is a time to wait for, it is looked at now and then.
 */
import type { Clock } from '../../../src/clock/clock.ts'
import { limits } from '../../../src/protocol/limits.ts'

export interface Alarm {
  /** Rings then, or earlier if an earlier time was asked for. `undefined`: nothing is asked. Wall clock, milliseconds. */
  at(ms: number | undefined): void
  /** It rings no more. */
  stop(): void
}

export interface AlarmParts {
  readonly clock: Clock
  readonly wallClock: () => number
  /** Once; whoever wants more asks again. */
  readonly ring: () => void
}

export function createAlarm({ clock, wallClock, ring }: AlarmParts): Alarm {
  let atMs = Number.POSITIVE_INFINITY
  let cancel: (() => void) | undefined
  let isStopped = false

  function wait(): void {
    cancel?.()
    cancel = clock.after(Math.min(Math.max(0, atMs - wallClock()), limits.queueLookMs), look)
  }

  function look(): void {
    cancel = undefined
    // A timer may be early by a fraction of a millisecond.
    if (wallClock() < atMs) {
      wait()
      return
    }
    atMs = Number.POSITIVE_INFINITY
    ring()
  }

  return {
    at(ms) {
      if (ms === undefined || ms >= atMs || isStopped) return
      atMs = ms
      wait()
    },
    stop() {
      isStopped = true
      cancel?.()
    },
  }
}
