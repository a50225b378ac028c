/**
 * Queues across losses of power: a whole engine works with a disk of which only what was synced survives for sure, and of the rest
 * any part, torn and in any order. After each loss everything that is there is compared with everything that was ever said.
 * `III_FAULT_ROUNDS=1000` for more.
 */
import { describe, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { pathsOf } from '../../src/storage/folder/files.ts'
import { type EngineProcess, startEngine } from '../support/engineProcess.ts'
import { createRandom } from '../support/random.ts'
import { until } from '../support/waiting.ts'
import { createDisk, type Disk, noDiskBecause, type Survival, survivals } from './disk/disk.ts'
import { createPowerAccount } from './queuePowerAccount.ts'
import {
  connect,
  consume,
  createPublisher,
  isEmpty,
  listAll,
  queueConfigs,
  take,
} from './queuePowerParties.ts'

const ROUNDS = Math.ceil(Number(process.env.III_FAULT_ROUNDS ?? 200) / 20)
/** Of one folder: the more there is in it, the longer each takes. */
const ROUNDS_OF_FOLDER = 25
const PATIENT_MS = 120_000 + ROUNDS * 10_000
const DRAINED_MS = 60_000
const IN_FLIGHT = 16
const TAKERS = 4

const reason = noDiskBecause()
if (reason !== undefined) console.log(`tests of power loss are skipped: ${reason}`)

async function losePower(engine: EngineProcess, disk: Disk, survival: Survival) {
  await engine.stop('SIGKILL')
  disk.losePower(survival)
  // It says since which start of the machine there was a process: since another one.
  rmSync(pathsOf(disk.folder).holder, { force: true })
  await engine.restart()
}

/** Resolves with what is to be printed. Throws with the seed what was not as it must be. `lies`: the disk keeps nothing of what it says. */
async function loseItOften(rounds: number, { lies = false } = {}): Promise<string> {
  const random = createRandom()
  using disk = createDisk(random)
  const account = createPowerAccount()
  const publisher = createPublisher(account, random)
  const faults: unknown[] = []
  const noticed = (fault: unknown): void => void faults.push(fault)
  const began = performance.now()
  let asked = 0
  let round = 0

  async function look(engine: EngineProcess): Promise<void> {
    if (faults.length > 0) throw faults[0]
    await using client = await connect(engine.url)
    account.inspect(await listAll(client))
    asked += await publisher.check(client)
  }

  async function work(engine: EngineProcess): Promise<void> {
    await using consumer = await connect(engine.url)
    await consume(consumer, account, noticed)
    await using client = await connect(engine.url)
    await using taker = await connect(engine.url)
    const parties = Promise.all([
      ...Array.from({ length: IN_FLIGHT }, () => publisher.publish(client)),
      ...Array.from({ length: TAKERS }, () => take(taker, account, random)),
    ])
    const least = publisher.answered() + random.between(1, random.between(0, 4) === 0 ? 800 : 200)
    await Promise.race([until('enough is answered', () => publisher.answered() >= least), parties])
    const survival = lies ? 'none of it' : survivals[random.between(0, survivals.length)]!
    await losePower(engine, disk, survival)
    await parties
  }

  async function drain(engine: EngineProcess): Promise<void> {
    await using consumer = await connect(engine.url)
    await consume(consumer, account, noticed)
    const taker = await connect(engine.url)
    const takers = Promise.all(Array.from({ length: TAKERS }, () => take(taker, account, random)))
    await Promise.race([until('nothing waits', () => isEmpty(consumer), DRAINED_MS), takers])
    await taker.shutdown()
    await takers
  }

  try {
    const workers = `  - name: iii-queue
    config:
      adapter: { config: { file_path: ${disk.folder} } }
      queue_configs: ${queueConfigs}`
    await using engine = await startEngine({
      workers,
      env: { ...disk.env, ...(lies && { III_DISK_LIES: 'yes' }) },
    })
    for (; round < rounds; round++) {
      await look(engine)
      await work(engine)
    }
    await look(engine)
    await drain(engine)
    await look(engine)
  } catch (error) {
    throw new Error(`seed ${random.seed}, round ${round}: ${(error as Error).message}`, { cause: error })
  }
  const ms = Math.round((performance.now() - began) / rounds)
  expect(publisher.answered()).toBeGreaterThan(rounds)
  const tally = JSON.stringify(account.tally())
  return `seed ${random.seed}, ${rounds} losses of power, ${publisher.answered()} answered, ${asked} asked again, ${tally}, ${ms} ms a round`
}

describe.skipIf(reason !== undefined)('queues whose power goes', () => {
  test(
    'keep everything that was acknowledged, bring nothing back that has ended, and keep groups in order, errors, keys and counts',
    async () => {
      for (let left = ROUNDS; left > 0; left -= ROUNDS_OF_FOLDER)
        console.log(`queues: ${await loseItOften(Math.min(left, ROUNDS_OF_FOLDER))}`)
    },
    PATIENT_MS,
  )

  test(
    'are found out if they acknowledge what is not synced',
    async () => {
      await expect(loseItOften(5, { lies: true })).rejects.toThrow(/it was acknowledged, and is lost/)
    },
    PATIENT_MS,
  )
})
