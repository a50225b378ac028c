/** `ring`: records between two threads, by ring and by `postMessage`, in turn. */
import type { BenchContext, Values } from '../context.ts'
import { median } from '../histogram.ts'
import { runClient } from '../processes.ts'

export interface RingPlan {
  /** `rate`: records per second. `wake`: microseconds, median. `checked`: records that were wrong. */
  readonly measure: 'rate' | 'wake' | 'checked'
  readonly by: 'ring' | 'message'
  /** Records of `rate` and `checked`, round trips of `wake`. */
  readonly count: number
}

/** What a machine of today does in a second, roughly; a plan is a number of records, not a time. */
const USUAL_RATE = { ring: 5_000_000, message: 300_000 }
const ROUND_TRIPS_PER_SECOND = 300
const RECORDS_PER_CALL = 50

const timed = [
  { name: 'ring-rate', measure: 'rate', by: 'ring' },
  { name: 'ring-message-rate', measure: 'rate', by: 'message' },
  { name: 'ring-wake-p50', measure: 'wake', by: 'ring' },
  { name: 'ring-message-wake-p50', measure: 'wake', by: 'message' },
] as const

export async function measureRing({ options, say, wanted }: BenchContext): Promise<Values> {
  const taken: Record<string, number[]> = {}
  for (let round = 1; round <= options.rounds; round++) {
    for (const { name, measure, by } of timed.filter(({ name }) => wanted(name))) {
      const perSecond = measure === 'rate' ? USUAL_RATE[by] : ROUND_TRIPS_PER_SECOND
      const plan: RingPlan = { measure, by, count: Math.ceil(perSecond * options.seconds) }
      const value = await runClient<number>('ring.ts', plan)
      taken[name] = [...(taken[name] ?? []), value]
      say(`${name}, round ${round}: ${value.toFixed(1)}`)
    }
  }
  const values: Values = Object.fromEntries(Object.entries(taken).map(([name, list]) => [name, median(list)]))
  if (wanted('ring-wrong') || wanted('ring-records')) {
    const count = RECORDS_PER_CALL * options.calls
    values['ring-wrong'] = await runClient<number>('ring.ts', { measure: 'checked', by: 'ring', count })
    values['ring-records'] = count
  }
  return values
}
