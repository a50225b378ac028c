/** How long a message waits after a failure. */

export interface BackoffPolicy {
  readonly type: 'fixed' | 'linear' | 'exponential'
  /** Milliseconds after the first failure. */
  readonly baseMs: number
  /** Never longer than this. */
  readonly maxMs: number
  /** Share of the time that is left to chance, 0 to 1. 0: none. */
  readonly jitter: number
}

/** `failures`: so far, at least 1. `chance`: from 0 to, and without, 1. Whole milliseconds. */
export function backoffMs(
  { type, baseMs, maxMs, jitter }: BackoffPolicy,
  failures: number,
  chance: number,
): number {
  const factor = type === 'fixed' ? 1 : type === 'linear' ? failures : 2 ** (failures - 1)
  const ms = Math.min(maxMs, baseMs * factor)
  return Math.round(ms * (1 - jitter * chance))
}
