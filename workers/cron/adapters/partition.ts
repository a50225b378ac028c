/** What schedules have done, in the durable partition: a collection of a space of its own, an entry for each schedule. */
import { fromJsonText, toJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { Collection } from '../../../src/storage/command.ts'
import { readPage } from '../../../src/storage/pages.ts'
import type { Partition } from '../../../src/storage/partition.ts'
import type { CronStore, ScheduleRecord } from '../store.ts'

const SCHEDULES: Collection = { space: 'cron', name: 'schedules', group: '' }
const PAGE = 1000

/** `wallClock`: milliseconds since 1970, by which schedules that nobody has any more are forgotten. */
export function createPartitionStore(partition: Partition, wallClock: () => number): CronStore {
  return {
    async load() {
      const records: ScheduleRecord[] = []
      let cursor: string | undefined
      do {
        const query = { prefix: undefined, cursor, limit: PAGE }
        const page = await partition.read((tables, nowMs) => readPage(tables, nowMs, SCHEDULES, query))
        records.push(...page.entries.map(({ value }) => fromJsonText(value) as ScheduleRecord))
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
          value: toJsonText(record),
          ifVersion: undefined,
          expiresAtMs: wallClock() + limits.cronMemoryMs,
        },
      ])
    },
  }
}
