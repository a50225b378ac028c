/**
 * Property tests that run for a time instead of a number of cases. The seed is new in each run and printed with a
 * failure; `III_TEST_SEED` repeats a run, `III_FUZZ_MS` makes each property run longer.
 */
import fc from 'fast-check'
import { createRandom, type Random } from './random.ts'

export const seed = Number(process.env.III_TEST_SEED ?? crypto.getRandomValues(new Int32Array(1))[0])

/** Time of one property when nothing else is asked for. */
const USUAL_MS = 80

const budgetMs = Number(process.env.III_FUZZ_MS ?? USUAL_MS)

/** Holds a property against new inputs until the time is over; there are at least a hundred. `weight`: more time. */
export function holds<Values extends [unknown, ...unknown[]]>(
  arbitraries: { [index in keyof Values]: fc.Arbitrary<Values[index]> },
  predicate: (...values: Values) => void,
  weight = 1,
): void {
  fc.assert(fc.property(...arbitraries, predicate), { seed, numRuns: 100 })
  fc.assert(fc.property(...arbitraries, predicate), {
    seed: seed + 1,
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: weight * budgetMs,
  })
}

/** The same for inputs that are made by mutation: `step` throws when it finds a counterexample. */
export function repeatedly(step: (random: Random) => void, weight = 1): void {
  const random = createRandom(seed)
  const until = performance.now() + weight * budgetMs
  let count = 0
  try {
    for (; count < 100 || performance.now() < until; count++) step(random)
  } catch (error) {
    throw new Error(`found by case ${count} of III_TEST_SEED=${seed}`, { cause: error })
  }
}
