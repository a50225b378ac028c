/** Whether the clock on the wall was set, or the machine has slept: then it is not as far from the other clock as it was. */
import type { Clock } from '../../../src/clock/clock.ts'
import { limits } from '../../../src/protocol/limits.ts'

/** Returns by how many milliseconds it was set since the last call, forward if positive; 0 if it goes as it should. */
export function createSkew(clock: Clock, wallClock: () => number): () => number {
  let distance = wallClock() - clock.now()
  return () => {
    const before = distance
    distance = wallClock() - clock.now()
    const setMs = distance - before
    return Math.abs(setMs) < limits.clockSetMs ? 0 : Math.round(setMs)
  }
}
