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

type Second = Record<keyof Rates, number> & { at: number }

const emptySecond = (): Second => ({ at: -1, published: 0, done: 0, failed: 0 })

/** `now`: milliseconds, steady. `most`: queues; beyond it the one is forgotten of which nothing was counted for the longest time. */
export function createMeter(now: () => number, most: number): Meter {
  /** Of a queue: a ring of the last seconds. The one that was counted last is the last. */
  const queues = new Map<string, Second[]>()

  return {
    count(queue, what, by) {
      let seconds = queues.get(queue)
      if (seconds === undefined) {
        seconds = Array.from({ length: SECONDS }, emptySecond)
        if (queues.size >= most) queues.delete(queues.keys().next().value!)
        queues.set(queue, seconds)
      }
      const at = Math.floor(now() / 1000)
      const second = seconds[at % SECONDS]!
      if (second.at !== at) {
        Object.assign(second, emptySecond(), { at })
        queues.delete(queue)
        queues.set(queue, seconds)
      }
      second[what] += by
    },
    rates(queue) {
      const oldest = Math.floor(now() / 1000) - SECONDS
      const sums = { published: 0, done: 0, failed: 0 }
      for (const second of queues.get(queue) ?? []) {
        if (second.at <= oldest) continue
        for (const kind of KINDS) sums[kind] += second[kind]
      }
      for (const kind of KINDS) sums[kind] /= SECONDS
      return sums
    },
  }
}
