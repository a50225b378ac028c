/** Sleeping at one end of a ring until the other end rings. */
import type { Clock } from '../clock/clock.ts'
import { limits } from '../protocol/limits.ts'
import { WAITING } from './ring.ts'
import type { Bell, RingMemory } from './ringMemory.ts'

export interface Sleeper {
  /** Calls `wake` later if `mayWait` agrees that there is nothing to do; otherwise returns false at once. */
  sleep(): boolean
  /** No further `wake`. */
  stop(): void
  /** Times the regular look found work that no bell had announced. Zero unless the platform is at fault. */
  missed(): number
}

/**
 * `mayWait` says on the bell that this end sleeps (`ring.ts`); `hasWork` looks without saying anything.
 *
 * A timer looks from time to time. It also keeps a worker thread alive, which would end if an `Atomics.waitAsync`
 * were all it has.
 */
export function createSleeper(
  memory: RingMemory,
  bell: Bell,
  end: { mayWait(): boolean; hasWork(): boolean; wake(): void },
  clock: Clock,
): Sleeper {
  let asleep = false
  let stopped = false
  let missed = 0
  let sleeps = 0
  let suspected = -1
  let cancelLook = clock.after(limits.ringCheckMs, look)

  /**
   * On a busy machine the bell may have been rung and its promise not have run yet; so there is a second look, some turns
   * of the event loop later.
   */
  function look(): void {
    const isLate = asleep && end.hasWork()
    const isMissed = isLate && suspected === sleeps
    suspected = isLate ? sleeps : -1
    cancelLook = clock.after(isLate && !isMissed ? limits.ringSecondLookMs : limits.ringCheckMs, look)
    if (!isMissed) return
    missed++
    wakeUp()
  }

  function wakeUp(): void {
    if (!asleep || stopped) return
    asleep = false
    end.wake()
  }

  return {
    sleep() {
      if (asleep || stopped) return true
      if (!end.mayWait()) return false
      const rung = memory.wait(bell, WAITING)
      if (rung === undefined) return false
      asleep = true
      sleeps++
      void rung.then(wakeUp)
      return true
    },

    stop() {
      stopped = true
      cancelLook()
      // Lets go of the waiting that may be pending.
      memory.notify(bell)
    },

    missed: () => missed,
  }
}
