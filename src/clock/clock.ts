/** Time, passed in. Nothing below the command line reads the system clock itself. */
export interface Clock {
  /**
   * Whole milliseconds since 1970, steady: it never jumps, also when the clock of the machine is set. Deadlines depend on it.
   */
  now(): number
  /** Runs `task` once after `ms`; the returned function cancels it. */
  after(ms: number, task: () => void): () => void
}

/** Read once: the property costs as much as a look at the clock. */
const START = performance.timeOrigin

export const systemClock: Clock = {
  now: () => Math.floor(START + performance.now()),
  after(ms, task) {
    const timer = setTimeout(task, ms)
    return () => clearTimeout(timer)
  },
}
