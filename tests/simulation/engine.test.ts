/**
 * The engine against a model of it, with workers of both generations that come, go and do everything in any order.
 *
 *     III_TEST_SEED=123 bun test tests/simulation         one run, as it was when its seed was printed
 *     III_SIMULATION_MS=600000 bun test tests/simulation   as many runs as fit into ten minutes
 */
import { expect, test } from 'bun:test'
import { run } from './run.ts'
import { tellFailure } from './seeds.ts'

const SEED = process.env.III_TEST_SEED
const BUDGET_MS = Number(process.env.III_SIMULATION_MS ?? 5000)

function check(seed: number): void {
  const failure = run(seed)
  if (failure === undefined) return
  const { step, reason, commands } = failure
  tellFailure(seed, { step, reason, happened: commands })
}

test(
  'the engine does what the model says, whatever workers do',
  () => {
    if (SEED !== undefined) {
      check(Number(SEED))
      return
    }
    const first = crypto.getRandomValues(new Uint32Array(1))[0]!
    const until = performance.now() + BUDGET_MS
    let runs = 0
    while (runs === 0 || performance.now() < until) check((first + runs++) >>> 0)
    console.log(`simulation: ${runs} runs, seeds ${first} and following`)
    expect(runs).toBeGreaterThan(0)
  },
  { timeout: BUDGET_MS + 60_000 },
)
