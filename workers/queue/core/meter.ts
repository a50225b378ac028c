/** What happens to the messages of a queue in a second, over the last minute. */

export interface Rates {
  /** Messages in a second. */
  readonly published: number
  readonly done: number
  /** Attempts. */
  readonly failed: number
}

export interface Meter {
  count(queue: string, what: keyof Rates, by: number): void
  rates(queue: string): Rates
}

const SECONDS = 60
const KINDS = ['published', 'done', 'failed'] as const

/** Of one queue. */
interface Minute {
  /** The last second in which something has happened. */
  at: number
  /** A ring of the last seconds, each with its kinds. */
  readonly counts: Uint32Array
}

/** `now`: milliseconds, steady. `most`: queues; beyond it the one is forgotten of which nothing was counted for the longest time. */
export function createMeter(now: () => number, most: number): Meter {
  /** Those in which something has happened within the last minute, the latest of them last. */
  const queues = new Map<string, Minute>()

  function forgetIdle(at: number): void {
    for (const [queue, minute] of queues) {
      if (minute.at > at - SECONDS) return
      queues.delete(queue)
    }
  }

  function clear({ counts }: Minute, from: number, to: number): void {
    for (let at = Math.max(from, to - SECONDS + 1); at <= to; at++) {
      const place = (at % SECONDS) * KINDS.length
      counts.fill(0, place, place + KINDS.length)
    }
  }

  function minuteOf(queue: string, at: number): Minute {
    const minute = queues.get(queue)
    if (minute?.at === at) return minute
    forgetIdle(at)
    if (minute === undefined && queues.size >= most) queues.delete(queues.keys().next().value!)
    const next = minute ?? { at, counts: new Uint32Array(SECONDS * KINDS.length) }
    clear(next, next.at + 1, at)
    next.at = at
    queues.delete(queue)
    queues.set(queue, next)
    return next
  }

  return {
    count(queue, what, by) {
      const at = Math.floor(now() / 1000)
      minuteOf(queue, at).counts[(at % SECONDS) * KINDS.length + KINDS.indexOf(what)]! += by
    },
    rates(queue) {
      const sums = { published: 0, done: 0, failed: 0 }
      const minute = queues.get(queue)
      if (minute === undefined) return sums
      const at = Math.floor(now() / 1000)
      for (let second = Math.max(0, at - SECONDS + 1); second <= minute.at; second++) {
        for (const [kind, name] of KINDS.entries())
          sums[name] += minute.counts[(second % SECONDS) * KINDS.length + kind]!
      }
      for (const name of KINDS) sums[name] /= SECONDS
      return sums
    },
  }
}
