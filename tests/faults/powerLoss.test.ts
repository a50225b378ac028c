/** The power goes while a partition writes: what was not synced is lost, or is there in part. */
import { describe, expect, test } from 'bun:test'
import type { Level } from '../../src/storage/partition.ts'
import { createRandom } from '../support/random.ts'
import { createDisk, noDiskBecause, survivals } from './disk/disk.ts'
import { runRounds, type Tally } from './partitionRounds.ts'

/** Of each way in which what was not synced may survive. */
const ROUNDS = Math.ceil(Number(process.env.III_FAULT_ROUNDS ?? 200) / 10)
const PATIENT_MS = 60_000 + ROUNDS * 3000

const limits = { walBytes: 256 * 1024, feedChanges: 20_000 }

async function loseThePower(
  survival: (typeof survivals)[number],
  rounds: number,
  levels: readonly Level[],
  { fault = '', breaks, mends }: { fault?: string; breaks?: boolean; mends?: boolean } = {},
): Promise<Tally> {
  const random = createRandom()
  using disk = createDisk(random)
  return await runRounds({
    seed: random.seed,
    rounds,
    folder: disk.folder,
    env: { ...disk.env, III_FAULT_POWER: 'goes', III_FAULT_LIMITS: JSON.stringify(limits), III_FAULT: fault },
    levels,
    afterwards: () => disk.losePower(survival),
    onlySynced: true,
    ...(breaks ? { breakDisk: disk.fail } : {}),
    ...(mends ? { mendDisk: disk.mend } : {}),
  })
}

const reason = noDiskBecause()
if (reason !== undefined) console.log(`tests of power loss are skipped: ${reason}`)

describe.skipIf(reason !== undefined)('of what was not synced there remains', () => {
  test.each(survivals.map(survival => [survival] as const))(
    '%s: what was acknowledged at level disk is there, and what else is there is a beginning',
    async survival => {
      const began = performance.now()
      const tally = await loseThePower(survival, ROUNDS, ['disk', 'os', 'memory'])
      const ms = Math.round((performance.now() - began) / (ROUNDS + 1))
      console.log(`power loss, ${survival}: ${JSON.stringify(tally)}, ${ms} ms a round`)
      expect(tally.answered).toBeGreaterThan(ROUNDS)
    },
    PATIENT_MS,
  )

  test(
    'none of it, after a disk that could not sync any more: nothing was acknowledged since',
    async () => {
      const tally = await loseThePower('none of it', ROUNDS, ['disk'], { breaks: true })
      console.log(`power loss after a broken disk: ${JSON.stringify(tally)}`)
      expect(tally.answered).toBeGreaterThan(ROUNDS)
    },
    PATIENT_MS,
  )

  test(
    'none of it, after a disk that could not sync for a while, and has forgotten what it should have',
    async () => {
      const rounds = Math.ceil(ROUNDS / 2)
      const tally = await loseThePower('none of it', rounds, ['disk'], { breaks: true, mends: true })
      console.log(`power loss after a mended disk: ${JSON.stringify(tally)}`)
      expect(tally.answered).toBeGreaterThan(rounds)
    },
    PATIENT_MS,
  )

  test(
    'a partition that acknowledges without an fsync is found out',
    async () => {
      const lost = loseThePower('none of it', ROUNDS + 10, ['disk'], { fault: 'unsynced' })
      await expect(lost).rejects.toThrow(/is not what the first|damaged/)
    },
    PATIENT_MS,
  )
})
