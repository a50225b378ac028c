/** What is remembered of a schedule, as text: nothing is lost. */
import { expect, test } from 'bun:test'
import { readRecord, recordOf, recordText } from '../../../workers/cron/adapters/recordText.ts'
import { historyOf, NO_RUNS } from '../../../workers/cron/history.ts'
import type { ScheduleRecord } from '../../../workers/cron/store.ts'

const record: ScheduleRecord = {
  name: 'a "name" with ü',
  expression: '* * * * *',
  timezone: 'Europe/Berlin',
  lastMs: 1_777_593_660_000,
  isPaused: true,
  waiting: [{ scheduledMs: 1_777_593_660_000, missed: 2, attempt: 3 }],
  runs: historyOf([
    {
      scheduledMs: 1_777_593_000_000,
      outcome: 'ok',
      startedMs: 1_777_593_000_003,
      endedMs: 1_777_593_000_008,
      attempt: 1,
    },
    {
      scheduledMs: 1_777_593_060_000,
      outcome: 'failed',
      startedMs: 1_777_593_060_000,
      endedMs: 1_777_593_060_000,
      attempt: 2,
      error: 'boom: "no"',
    },
    {
      scheduledMs: 1_777_593_120_001,
      outcome: 'running',
      startedMs: 1_777_593_120_001,
      attempt: 1,
      isManual: true,
    },
    { scheduledMs: 1_777_593_180_000, outcome: 'left_out', reason: 'overlap', count: 7 },
    { scheduledMs: 1_777_593_240_000, outcome: 'interrupted', startedMs: 1_777_593_239_999, attempt: 1 },
    {
      scheduledMs: 1_777_593_300_000,
      outcome: 'cancelled',
      startedMs: 1_777_593_300_000,
      endedMs: 1_777_593_300_500,
      attempt: 1,
    },
  ]),
}

test('a record is read as it was written', () => {
  expect(recordOf(readRecord(recordText(record, 7)))).toEqual(record)
  expect(readRecord(recordText(record, 7)).upTo).toBe(7)
  expect(recordOf(readRecord(recordText({ ...record, runs: NO_RUNS }, 0)))).toEqual({
    ...record,
    runs: NO_RUNS,
  })
})
