/**
 * Queues, with everything around them that can fail: a real partition, in memory or on disk, behind a real engine.
 *
 *     III_TEST_SEED=123 bun test tests/simulation/queue          one run, as it was when its seed was printed
 *     III_SIMULATION_SEEDS=100000 bun test tests/simulation/queue   more of them
 */
import { expect, test } from 'bun:test'
import { shards } from '../support/shape.ts'
import { run } from './queue/run.ts'
import { runSeeds } from './seeds.ts'

const SEEDS = Number(process.env.III_SIMULATION_SEEDS ?? (shards === 0 ? 1000 : 100))

/**
 * Seeds that once have found something: messages that had been read when they were due, and were not told of any more when the
 * clock on the wall was set back.
 */
const KEPT: readonly number[] = [2238128478, 980876634]

test(
  'messages are handed out as they have to be, and all come to an end, whatever fails',
  () => runSeeds({ run: seed => run(seed), name: 'queues', kept: KEPT, count: SEEDS }),
  { timeout: 60_000 + SEEDS * 500 },
)

test('a partition that forgets how messages end is found out', async () => {
  const found: string[] = []
  for (let seed = 1; seed < 80 && found.length === 0; seed += 2) {
    const failure = await run(seed, {
      inPartition: partition => ({
        ...partition,
        submit: (commands, options) =>
          partition.submit(
            commands.map(command =>
              command.command === 'finish' && command.number % 5 === 0 ? { ...command, number: 0 } : command,
            ),
            options,
          ),
      }),
    })
    if (failure !== undefined) found.push(failure.reason)
  }
  expect(found).toHaveLength(1)
})
