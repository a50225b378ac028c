/** Rounds of: open, look whether all is as it has to be, write under load, end at a moment that chance chooses. */
import { asJsonText } from '../../src/protocol/jsonText.ts'
import type { Level } from '../../src/storage/partition.ts'
import { createRandom } from '../support/random.ts'
import { until, within } from '../support/waiting.ts'
import { createHistory, type History } from './history.ts'
import { createLoad } from './load.ts'
import { startPartition } from './partitionProcess.ts'
import { createReference } from './reference.ts'

/** Transactions that are not answered yet. */
const IN_FLIGHT = 64
/** A write that changes nothing. */
const PROBE = -1

export interface RoundsOptions {
  readonly seed: number
  readonly rounds: number
  readonly folder: string
  readonly env?: Readonly<Record<string, string>>
  /** Levels of the writes of a round; all of them `disk` in every other one. */
  readonly levels: readonly Level[]
  /** Called under load, before the end: from then on nothing can be synced, which has to be noticed. */
  readonly breakDisk?: () => void
  /** Called when that was noticed: it goes on with what is there then. */
  readonly mendDisk?: () => void
  /** What comes after is opened, when the process has ended. `onlySynced`: the power went. */
  readonly afterwards?: (round: number) => void
  readonly onlySynced?: boolean
}

export interface Tally {
  rounds: number
  answered: number
  unanswered: number
  killedAtStart: number
}

export async function runRounds(options: RoundsOptions): Promise<Tally> {
  const { seed, rounds, folder, env = {}, levels, onlySynced = false } = options
  const random = createRandom(seed)
  const tally: Tally = { rounds: 0, answered: 0, unanswered: 0, killedAtStart: 0 }
  let base = createReference()
  let history: History = createHistory(base)

  async function round(number: number): Promise<void> {
    const endAfter =
      random.between(0, 4) === 0 ? 0 : random.between(1, random.between(0, 5) === 0 ? 2000 : 250)
    let enough = Promise.withResolvers<void>()
    const refused = Promise.withResolvers<void>()
    let isWriting = false
    let refusals = 0
    let next = createHistory(base)
    let probed = Promise.withResolvers<boolean>()
    const process = startPartition({
      folder,
      env,
      done(id, outcome) {
        if (id === PROBE) {
          probed.resolve(outcome.said === 'done')
          return
        }
        if (outcome.said === 'refused' && outcome.code === 'STORAGE_UNAVAILABLE') {
          isWriting = false
          refusals++
          refused.resolve()
          return
        }
        next.done(id, outcome)
        if (next.answered() >= endAfter) enough.resolve()
        if (isWriting) write()
      },
      told: changes => next.told(changes),
    })
    let load = createLoad({ random, levels, reference: next.reference })

    function write(): void {
      while (next.inFlight() < IN_FLIGHT) {
        const transaction = load()
        process.write(next.sent(transaction), transaction)
      }
    }

    async function writeEnough(on: readonly Level[]): Promise<void> {
      next = createHistory(base)
      history = next
      load = createLoad({ random, levels: on, reference: next.reference })
      enough = Promise.withResolvers()
      isWriting = true
      write()
      if (endAfter > 0) await Promise.race([enough.promise, process.died])
    }

    async function canWrite(): Promise<boolean> {
      probed = Promise.withResolvers()
      const commands = [{ command: 'publish', topic: 'probe', data: asJsonText('1') }] as const
      process.write(PROBE, { commands, level: 'disk' })
      return await Promise.race([probed.promise, process.died])
    }

    if (number < rounds && random.between(0, 12) === 0) {
      // Any moment of its start will do.
      await Bun.sleep(random.between(20, 120))
      await process.kill()
      tally.killedAtStart++
      options.afterwards?.(number)
      return
    }
    await process.opened
    const dump = await process.dump(base.revision())
    base = history.check(dump, onlySynced)
    if (number === rounds) {
      await process.close()
      return
    }
    const own = number % 2 === 0 ? levels : (['disk'] as const)
    await writeEnough(own)
    if (options.breakDisk !== undefined) {
      options.breakDisk()
      await Promise.race([within('writes are refused', refused.promise), process.died])
    }
    if (options.mendDisk !== undefined) {
      await until('all are answered or refused', () => next.inFlight() === refusals)
      options.mendDisk()
      await until('writes are taken again', canWrite)
      // What could not be synced is there or not; now it is known.
      base = history.check(await process.dump(base.revision()))
      await writeEnough(own)
    }
    isWriting = false
    await process.kill()
    tally.answered += next.answered()
    tally.unanswered += next.inFlight()
    options.afterwards?.(number)
  }

  for (let number = 0; number <= rounds; number++) {
    try {
      await round(number)
      tally.rounds++
    } catch (error) {
      throw new Error(`seed ${seed}, round ${number}: ${(error as Error).message}`, { cause: error })
    }
  }
  return tally
}
