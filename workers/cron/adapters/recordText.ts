/** What is remembered of a schedule, as the text it is kept as. It is written twice for each tick, and most of what a tick costs. */
import { asJsonText, fromJsonText, type JsonText, toJsonText } from '../../../src/protocol/jsonText.ts'
import { historyOf, historyText } from '../history.ts'
import { type RunList, runOf } from '../runText.ts'
import type { ScheduleRecord } from '../store.ts'

export function recordText({ runs, ...record }: ScheduleRecord): JsonText {
  return asJsonText(`${toJsonText(record).slice(0, -1)},"runs":[${historyText(runs)}]}`)
}

export function recordOf(text: JsonText): ScheduleRecord {
  const { runs, ...record } = fromJsonText(text) as Omit<ScheduleRecord, 'runs'> & {
    runs: readonly RunList[]
  }
  return { ...record, runs: historyOf(runs.map(runOf)) }
}
