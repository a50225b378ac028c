/** Runs that follow from their seeds, and what is said of one that fails. */

const SEED = process.env.III_TEST_SEED
/** What is shown of a run that failed. */
const SHOWN = 40

export interface Failure {
  readonly step: number
  readonly reason: string
  readonly happened: readonly string[]
}

export interface Seeds {
  readonly run: (seed: number) => Promise<Failure | undefined>
  /** Of a simulation, in the line that says what was run. */
  readonly name: string
  /** That once have found something. */
  readonly kept: readonly number[]
  /** So many others, of which the first one is left to chance. */
  readonly count: number
}

export function tellFailure(seed: number, { step, reason, happened }: Failure): never {
  throw new Error(
    `seed ${seed}, step ${step}: ${reason}\n` +
      `${happened.slice(-SHOWN).join('\n')}\nRun it again with III_TEST_SEED=${seed}`,
  )
}

/** With `III_TEST_SEED` only that one. */
export async function runSeeds({ run, name, kept, count }: Seeds): Promise<void> {
  async function check(seed: number): Promise<void> {
    const failure = await run(seed)
    if (failure !== undefined) tellFailure(seed, failure)
  }

  if (SEED !== undefined) return await check(Number(SEED))
  const began = performance.now()
  for (const seed of kept) await check(seed)
  const first = crypto.getRandomValues(new Uint32Array(1))[0]!
  for (let number = 0; number < count; number++) await check((first + number) >>> 0)
  const seconds = Math.round((performance.now() - began) / 1000)
  console.log(`simulation of ${name}: ${count} runs in ${seconds} s, seeds ${first} and following`)
}
