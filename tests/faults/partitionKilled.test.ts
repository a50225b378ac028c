/**
 * The process of a partition is killed again and again while it writes.
 *
 *     III_TEST_SEED=123 bun test tests/faults/partitionKilled      as it was when its seed was printed
 *     III_FAULT_ROUNDS=1000 bun test tests/faults                  more rounds
 */
import { expect, test } from 'bun:test'
import { temporaryFolder } from '../storage/stores.ts'
import { createRandom } from '../support/random.ts'
import { runRounds } from './partitionRounds.ts'

const ROUNDS = Number(process.env.III_FAULT_ROUNDS ?? 200)
const PATIENT_MS = 60_000 + ROUNDS * 2000

/** So that the log is moved to its place, and changes are forgotten, within a few rounds. */
const env = { III_FAULT_LIMITS: JSON.stringify({ walBytes: 256 * 1024, feedChanges: 20_000 }) }

test(
  'what was acknowledged outlasts every kill, in order, all or nothing, and its events can be read again',
  async () => {
    const { seed } = createRandom()
    using temporary = temporaryFolder()
    const began = performance.now()
    const tally = await runRounds({
      seed,
      rounds: ROUNDS,
      folder: temporary.folder,
      env,
      levels: ['disk', 'os', 'memory'],
    })
    const ms = Math.round((performance.now() - began) / (ROUNDS + 1))
    console.log(`partition killed: seed ${seed}, ${JSON.stringify(tally)}, ${ms} ms a round`)
    expect(tally.answered).toBeGreaterThan(ROUNDS)
  },
  PATIENT_MS,
)
