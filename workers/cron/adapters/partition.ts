/** What schedules have done, in the durable partition: a collection of a space of its own, an entry for each schedule. */
import { limits } from '../../../src/protocol/limits.ts'
import type { Collection } from '../../../src/storage/command.ts'
import { readPage } from '../../../src/storage/pages.ts'
import type { Partition } from '../../../src/storage/partition.ts'
import type { CronStore, ScheduleRecord } from '../store.ts'
import { recordOf, recordText } from './recordText.ts'

const SCHEDULES: Collection = { space: 'cron', name: 'schedules', group: '' }
const PAGE = 1000
const DAY_MS = 86_400_000

/** When it is forgotten is not changed with each tick: that would cost as much again. */
const dayAfter = (ms: number): number => (Math.floor(ms / DAY_MS) + 1) * DAY_MS

/** `wallClock`: milliseconds since 1970, by which schedules that nobody has any more are forgotten. */
export function createPartitionStore(partition: Partition, wallClock: () => number): CronStore {
  return {
    async load() {
      const records: ScheduleRecord[] = []
      let cursor: string | undefined
      do {
        const query = { prefix: undefined, cursor, limit: PAGE }
        const page = await partition.read((tables, nowMs) => readPage(tables, nowMs, SCHEDULES, query))
        records.push(...page.entries.map(({ value }) => recordOf(value)))
        cursor = page.cursor
      } while (cursor !== undefined)
      return records
    },
    async save(record) {
      await partition.submit([
        {
          command: 'put',
          collection: SCHEDULES,
          key: record.name,
          value: recordText(record),
          ifVersion: undefined,
          expiresAtMs: dayAfter(wallClock() + limits.cronMemoryMs),
          isQuiet: true,
        },
      ])
    },
  }
}
