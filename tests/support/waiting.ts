/** Waiting for a condition, so that no test has to guess how long something takes. */

/** Long enough for a busy machine; a test that waits this long has failed. */
export const PATIENCE_MS = 15_000

const LOOK_AGAIN_MS = 10

/**
 * Resolves with the first value of `probe` that is neither `undefined` nor `false`. A probe may throw: that counts as
 * "not yet". Rejects after `withinMs` with what was waited for and what was seen last.
 */
export async function until<Value>(
  what: string,
  probe: () => Value | undefined | false | Promise<Value | undefined | false>,
  withinMs = PATIENCE_MS,
): Promise<Value> {
  const giveUpAt = performance.now() + withinMs
  let seen: unknown
  while (true) {
    try {
      const value = await probe()
      if (value !== undefined && value !== false) return value
      seen = value
    } catch (error) {
      seen = error
    }
    if (performance.now() >= giveUpAt) {
      throw new Error(`not within ${withinMs} ms: ${what} (last seen: ${String(seen)})`, { cause: seen })
    }
    await Bun.sleep(LOOK_AGAIN_MS)
  }
}

/** Rejects when `promise` has not settled in time. */
export function within<Value>(what: string, promise: Promise<Value>, ms = PATIENCE_MS): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
