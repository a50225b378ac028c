/**
 * Durations, counted: memory does not grow with their number, and quantiles are off by less than 0.4 %.
 *
 * A duration is rounded to 0.1 µs. Below 51.2 µs each step has a bucket of its own; above, every power of two is cut
 * into 256 buckets of equal width:
 *
 *     step    0 … 511    512 … 1023    1024 … 2047    …    up to 2³² (429 s)
 *     width      1           2              4
 */
const STEPS_PER_MS = 10_000
const BUCKET_BITS = 8
const BUCKETS_PER_POWER = 1 << BUCKET_BITS
const LARGEST_STEP = 0xffff_ffff
const BUCKETS = bucketOf(LARGEST_STEP) + 1

/** `[bucket, count]` of each bucket that is not empty: what a client process hands to the one that asked. */
export type HistogramDump = [number, number][]

export interface Histogram {
  /** Counts one duration in milliseconds; negative ones count as 0, those over 429 s as 429 s. */
  record(ms: number): void
  clear(): void
  count(): number
  /**
   * The duration in milliseconds that a share `q` (0 … 1) of all durations does not exceed: the nearest-rank quantile,
   * given as the middle of its bucket. NaN while nothing is recorded.
   */
  quantile(q: number): number
  dump(): HistogramDump
}

function bucketOf(step: number): number {
  const shift = Math.max(0, 31 - BUCKET_BITS - Math.clz32(step))
  return shift * BUCKETS_PER_POWER + (step >>> shift)
}

function middleOf(bucket: number): number {
  const shift = Math.max(0, Math.floor(bucket / BUCKETS_PER_POWER) - 1)
  const lowest = (bucket - shift * BUCKETS_PER_POWER) * 2 ** shift
  return (lowest + (2 ** shift - 1) / 2) / STEPS_PER_MS
}

export function createHistogram(dump: HistogramDump = []): Histogram {
  const counts = new Float64Array(BUCKETS)
  let total = 0
  for (const [bucket, count] of dump) {
    counts[bucket] = count
    total += count
  }

  return {
    record(ms) {
      const step = Math.min(LARGEST_STEP, Math.max(0, Math.round(ms * STEPS_PER_MS)))
      const bucket = bucketOf(step)
      counts[bucket] = counts[bucket]! + 1
      total++
    },
    clear() {
      counts.fill(0)
      total = 0
    },
    count: () => total,
    quantile(q) {
      if (total === 0) return Number.NaN
      const rank = Math.min(total, Math.max(1, Math.ceil(q * total)))
      let seen = 0
      for (let bucket = 0; ; bucket++) {
        seen += counts[bucket]!
        if (seen >= rank) return middleOf(bucket)
      }
    },
    dump() {
      const filled: HistogramDump = []
      counts.forEach((count, bucket) => {
        if (count > 0) filled.push([bucket, count])
      })
      return filled
    },
  }
}

/** The middle of the values; of an even number of them, the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}
