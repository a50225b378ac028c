/** Rounds of: open, look whether all is as it has to be, write under load, end at a moment that chance chooses. */
import type { Level } from '../../src/storage/partition.ts'
import { createRandom } from '../support/random.ts'
import { within } from '../support/waiting.ts'
import { createHistory, type History } from './history.ts'
import { createLoad } from './load.ts'
import { startPartition } from './partitionProcess.ts'
import { createReference } from './reference.ts'

/** Transactions that are not answered yet. */
const IN_FLIGHT = 64

export interface RoundsOptions {
  readonly seed: number
  readonly rounds: number
  readonly folder: string
  readonly env?: Readonly<Record<string, string>>
  /** Levels of the writes of a round; all of them `disk` in every other one. */
  readonly levels: readonly Level[]
  /** Called under load, before the end: from then on nothing can be synced, which has to be noticed. */
  readonly breakDisk?: () => void
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
    const enough = Promise.withResolvers<void>()
    const refused = Promise.withResolvers<void>()
    let isWriting = false
    let next = createHistory(base)
    const process = startPartition({
      folder,
      env,
      done(id, outcome) {
        if (outcome.said === 'refused' && outcome.code === 'STORAGE_UNAVAILABLE') {
          isWriting = false
          refused.resolve()
          return
        }
        next.done(id, outcome)
        if (next.answered() >= endAfter) enough.resolve()
        if (isWriting) write()
      },
      told: changes => next.told(changes),
    })
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
    next = createHistory(base)
    history = next
    if (number === rounds) {
      await process.close()
      return
    }
    const own = number % 2 === 0 ? levels : (['disk'] as const)
    const load = createLoad({ random, levels: own, reference: next.reference })

    function write(): void {
      while (next.inFlight() < IN_FLIGHT) {
        const transaction = load()
        process.write(next.sent(transaction), transaction)
      }
    }
    isWriting = true
    write()
    if (endAfter > 0) await Promise.race([enough.promise, process.died])
    if (options.breakDisk !== undefined) {
      options.breakDisk()
      await Promise.race([within('writes are refused', refused.promise), process.died])
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
