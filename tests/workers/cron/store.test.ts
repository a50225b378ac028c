/** The store in a partition: whatever is saved, alone or with many, is what the next engine loads. */
import { expect, test } from 'bun:test'
import { silentLog } from '../../../src/log/log.ts'
import { createMemoryPartition } from '../../../src/storage/mod.ts'
import type { Partition } from '../../../src/storage/partition.ts'
import { createPartitionStore } from '../../../workers/cron/adapters/partition.ts'
import { begun, historyOf, leftOut, NO_RUNS, replaced, runsOf } from '../../../workers/cron/history.ts'
import type { Run, ScheduleRecord } from '../../../workers/cron/store.ts'
import { createVirtualClock } from '../../support/fakes.ts'
import { createRandom, type Random } from '../../support/random.ts'
import { until } from '../../support/waiting.ts'

const START = Date.parse('2026-05-01T00:00:00Z')
const DAY_MS = 86_400_000
const SMALL = { fewest: 3, rows: 4, characters: 3000 }
const BUNDLES = { space: 'cron', name: 'bundles', group: '' } as const

function createDisk() {
  const wall = { now: START }
  const partition = createMemoryPartition(
    { clock: createVirtualClock(), log: silentLog, wallClock: () => wall.now },
    0,
  )
  const told = { failing: false }
  let engines = 0
  /** What the engine before still wanted to write is lost with it. */
  function open() {
    const engine = ++engines
    const ours: Partition = {
      ...partition,
      submit: (...given) =>
        told.failing || engine < engines
          ? Promise.reject(new Error('the disk is full'))
          : partition.submit(...given),
    }
    return createPartitionStore(ours, () => wall.now, SMALL)
  }
  return { wall, told, partition, open }
}

const bundlesOf = async (partition: Partition) =>
  partition.read(tables =>
    tables.list(BUNDLES, { prefix: undefined, after: undefined, limit: 1_000_000 }).map(({ value }) => value),
  )

const plain = ({ runs, ...record }: ScheduleRecord) => ({ ...record, runs: runsOf(runs) })

const newRecord = (name: string): ScheduleRecord => ({
  name,
  expression: '* * * * *',
  timezone: 'UTC',
  lastMs: START,
  isPaused: false,
  waiting: [],
  runs: NO_RUNS,
})

/** Something that can happen to a schedule. */
function changed(random: Random, record: ScheduleRecord): ScheduleRecord {
  const { runs } = record
  const lastMs = record.lastMs + 60_000
  const open = runs.recent.filter(({ outcome }) => outcome === 'running')
  switch (random.between(0, 12)) {
    case 0:
      return { ...record, isPaused: !record.isPaused }
    case 1:
      return { ...record, waiting: record.waiting.length > 0 ? [] : [{ scheduledMs: lastMs, missed: 2 }] }
    case 2:
      return { ...record, expression: `*/${random.between(1, 60)} * * * *` }
    case 3:
      return { ...record, lastMs, runs: leftOut(runs, lastMs, 'overlap', 1) }
    case 4:
    case 5:
    case 6: {
      const run: Run = { scheduledMs: lastMs, outcome: 'running', startedMs: lastMs + 2, attempt: 1 }
      return { ...record, lastMs, runs: begun(runs, run) }
    }
    default: {
      const before = open[random.between(0, open.length)]
      if (before === undefined) return record
      const error = 'a "text"],[with,\n everything'
      return { ...record, runs: replaced(runs, before, { ...before, outcome: 'failed', error }) }
    }
  }
}

test('what is loaded is what was saved last, with faults and kills in between', async () => {
  const random = createRandom()
  for (let round = 0; round < 25; round++) {
    const { told, partition, open } = createDisk()
    let store = open()
    await store.load()
    /** What is on disk, and what the engine has. */
    const saved = new Map<string, ScheduleRecord>()
    let current = new Map(
      Array.from({ length: 10 }, (_, number) => [`s"${number}`, newRecord(`s"${number}`)]),
    )
    for (let step = 0; step < 150; step++) {
      told.failing = random.between(0, 10) === 0
      // Several saves may be under way, each of some of the schedules.
      const saves: Promise<void>[] = []
      for (let count = random.between(1, 4); count > 0; count--) {
        const some: ScheduleRecord[] = []
        for (const [name, record] of current) {
          if (random.between(0, 2) === 0) continue
          const after = changed(random, record)
          current.set(name, after)
          some.push(after)
        }
        const isFailing = told.failing
        const save = store.save(some)
        if (!isFailing) for (const record of some) saved.set(record.name, record)
        saves.push(isFailing ? save.catch(() => {}) : save)
      }
      if (random.between(0, 4) > 0) await Promise.all(saves)
      if (random.between(0, 15) > 0) continue
      await Promise.all(saves)
      store = open()
      const loaded = await store.load()
      const about = `seed ${random.seed}, round ${round}, step ${step}`
      const byName = (one: { name: string }, other: { name: string }) => (one.name < other.name ? -1 : 1)
      expect([about, ...loaded.map(plain).sort(byName)]).toEqual([
        about,
        ...[...saved.values()].map(plain).sort(byName),
      ])
      // An engine goes on with what is there; what it had not saved is lost.
      current = new Map(
        [...current.keys()].map(name => [
          name,
          loaded.find(record => record.name === name) ?? newRecord(name),
        ]),
      )
    }
    told.failing = false
    await store.save([...current.values()])
    // Rows do not pile up.
    const isSmall = async () => (await bundlesOf(partition)).join('').length <= SMALL.characters
    await until('the oldest rows are folded', isSmall)
  }
})

test('many at once are a bundle of rows each of which has what is new, few are written whole', async () => {
  const { partition, open } = createDisk()
  const store = open()
  await store.load()
  const ended = (minute: number): Run => ({ scheduledMs: START + minute * 60_000, outcome: 'ok' })
  const runs = historyOf(Array.from({ length: 5 }, (_, minute) => ended(minute)))
  const records = ['a', 'b', 'c', 'd', 'e'].map(name => ({ ...newRecord(name), runs }))
  await store.save(records)
  await store.save(records.map(record => ({ ...record, runs: begun(runs, ended(5)) })))
  await store.save(records.slice(0, 2).map(record => ({ ...record, runs: begun(runs, ended(6)) })))
  const bundles = await bundlesOf(partition)
  expect(bundles.map(text => JSON.parse(text).map((row: unknown[][]) => [row[0], row[3]!.length]))).toEqual([
    [
      ['a', 5],
      ['b', 5],
      ['c', 5],
      ['d', 5],
    ],
    [['e', 5]],
    [
      ['a', 2],
      ['b', 2],
      ['c', 2],
      ['d', 2],
    ],
    [['e', 2]],
  ])
})

test('a schedule that is only ever written in rows is not forgotten sooner than others', async () => {
  const { wall, partition } = createDisk()
  const open = () => createPartitionStore(partition, () => wall.now, { ...SMALL, characters: 1_000_000 })
  const names = ['a', 'b', 'c', 'd']
  const store = open()
  await store.load()
  await store.save(names.slice(0, 1).map(newRecord))
  for (let month = 1; month <= 24; month++) {
    wall.now += 31 * DAY_MS
    await store.save(names.map(name => ({ ...newRecord(name), lastMs: wall.now })))
    const loaded = await open().load()
    expect([month, loaded.map(({ name, lastMs }) => [name, lastMs]).sort()]).toEqual([
      month,
      names.map(name => [name, wall.now]),
    ])
  }
})
