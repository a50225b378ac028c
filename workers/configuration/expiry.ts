/** Deletes entries that nobody has used for a while. Off unless `ttl_seconds` says how long that is. */
import type { Clock } from '../../src/clock/clock.ts'

export interface ExpiryParts {
  /** 0: nothing ever expires. */
  readonly ttlMs: number
  readonly clock: Clock
  readonly ids: () => readonly string[]
  /** A trigger is about it: that is use, too. */
  readonly isWatched: (id: string) => boolean
  readonly expired: (id: string) => void
}

export interface Expiry {
  used(id: string): void
  stop(): void
}

/** Looks this often within the time; an entry lives at most that part longer. */
const LOOKS = 10
const LEAST_MS = 1000

export function createExpiry({ ttlMs, clock, ids, isWatched, expired }: ExpiryParts): Expiry {
  if (ttlMs === 0) return { used() {}, stop() {} }
  const usedMs = new Map<string, number>()
  let cancel = clock.after(everyMs(), look)

  function everyMs(): number {
    return Math.max(LEAST_MS, ttlMs / LOOKS)
  }

  function look(): void {
    cancel = clock.after(everyMs(), look)
    const now = clock.now()
    const present = new Set(ids())
    for (const id of usedMs.keys()) if (!present.has(id)) usedMs.delete(id)
    for (const id of present) {
      const last = usedMs.get(id)
      if (last === undefined || isWatched(id)) usedMs.set(id, now)
      else if (now - last >= ttlMs) expired(id)
    }
  }

  return {
    used: id => void usedMs.set(id, clock.now()),
    stop: () => cancel(),
  }
}
