/**
 * What must survive, with everything around it that can fail: a real partition, in memory or on disk, behind a real engine.
 *
 *     III_TEST_SEED=123 bun test tests/simulation/durable          one run, as it was when its seed was printed
 *     III_SIMULATION_SEEDS=100000 bun test tests/simulation/durable   more of them
 */
import { describe, expect, test } from 'bun:test'
import { shards } from '../support/shape.ts'
import type { Mistakes } from './durable/host.ts'
import { run } from './durable/run.ts'
import { runSeeds } from './seeds.ts'

/** Engines with shards differ in how calls come here, not in what becomes of them here. */
const SEEDS = Number(process.env.III_SIMULATION_SEEDS ?? (shards === 0 ? 1000 : 100))
/**
 * Seeds that once have found something: a feed that left out what was committed, but not known to be on disk; an entry
 * that was read between a transaction that was refused and a commit that failed, and stayed in the cache.
 */
const KEPT: readonly number[] = [668994032, 3672684730]

test(
  'state, its events and its feed are as they have to be, whatever fails',
  () => runSeeds({ run: seed => run(seed), name: 'the durable partition', kept: KEPT, count: SEEDS }),
  { timeout: 60_000 + SEEDS * 500 },
)

describe('a partition that', () => {
  const mistakes: readonly (readonly [mistake: string, mistakes: Mistakes])[] = [
    [
      'answers before it has committed',
      {
        inStore(store) {
          let late: (() => void) | undefined
          const now = (): void => {
            late?.()
            late = undefined
          }
          return {
            ...store,
            begin(isSynced) {
              now()
              store.begin(isSynced)
            },
            commit(revision, changes) {
              late = () => store.commit(revision, changes)
              return false
            },
          }
        },
      },
    ],
    [
      'keeps half of a transaction that is refused',
      { inStore: store => ({ ...store, rollbackToSavepoint: () => store.release() }) },
    ],
    [
      'tells of everything twice',
      {
        inPartition: partition => ({
          ...partition,
          follow: follower =>
            partition.follow(committal => {
              follower(committal)
              follower(committal)
            }),
        }),
      },
    ],
    [
      'leaves something out of its feed',
      {
        inPartition: partition => ({
          ...partition,
          since: (of, revision, limit) => {
            const feed = partition.since(of, revision, limit)
            if (feed instanceof Promise || feed.kind === 'gone') return feed
            return { ...feed, changes: feed.changes.filter(change => change.revision % 5 !== 0) }
          },
        }),
      },
    ],
    [
      'reads what is not committed',
      {
        inPartition: partition => {
          let written: string | undefined
          return {
            ...partition,
            submit(commands, options) {
              const [command] = commands
              written = command?.command === 'put' ? command.key : written
              return partition.submit(commands, options)
            },
            read: ask =>
              partition.read((tables, nowMs, revision) =>
                ask(
                  { ...tables, get: (of, key) => (key === written ? undefined : tables.get(of, key)) },
                  nowMs,
                  revision,
                ),
              ),
          }
        },
      },
    ],
    [
      'forgets that a condition has failed',
      {
        inPartition: partition => ({
          ...partition,
          submit: (commands, options) =>
            partition.submit(
              commands.map(command => ({ ...command, ifVersion: undefined })),
              options,
            ),
        }),
      },
    ],
  ]

  test.each(mistakes)('%s is found out', async (_, mistake) => {
    const found = []
    for (let seed = 0; seed < 40 && found.length === 0; seed++) {
      const failure = await run(seed, mistake)
      if (failure !== undefined) found.push(failure.reason)
    }
    expect(found).toHaveLength(1)
  })
})
