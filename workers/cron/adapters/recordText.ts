/**
 * What is remembered of a schedule, as the text it is kept as: whole, and as rows that say what has become of it since. A row has
 * little of it, because two are written for each tick.
 */
import { asJsonText, fromJsonText, type JsonText, toJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import { historyOf, historyText, historyTextFrom } from '../history.ts'
import { type RunList, runOf } from '../runText.ts'
import type { ScheduleRecord } from '../store.ts'

/** A record as it is read; its runs are lists still, because rows may change them. */
export interface ReadRecord extends Omit<ScheduleRecord, 'runs'> {
  /** Number of runs that there ever were. */
  readonly total: number
  readonly runs: readonly RunList[]
  /** Number of the last bundle of rows that says nothing new of it. */
  readonly upTo: number
}

export function recordText({ runs, ...record }: ScheduleRecord, upTo: number): JsonText {
  const rest = toJsonText({ ...record, total: runs.total, upTo }).slice(0, -1)
  return asJsonText(`${rest},"runs":[${historyText(runs)}]}`)
}

export function readRecord(text: JsonText): ReadRecord {
  const read = fromJsonText(text) as ReadRecord
  return { ...read, total: read.total ?? read.runs.length, upTo: read.upTo ?? 0 }
}

export function recordOf({ runs, total, upTo: _, ...record }: ReadRecord): ScheduleRecord {
  return { ...record, runs: historyOf(runs.map(runOf), total) }
}

/** What a row says only if it is not as usual. */
type Rest = Partial<Pick<ScheduleRecord, 'isPaused' | 'waiting' | 'expression' | 'timezone'>>

/** Name, last instant, runs that there ever were, the latest of them, and the rest. */
export type Row = readonly [string, number, number, readonly RunList[], Rest?]

/** All that is not in the record as it was when the runs before number `from` were over; `isOther`: nor was its plan. */
export function rowText(
  { name, lastMs, isPaused, waiting, runs, expression, timezone }: ScheduleRecord,
  from: number,
  isOther: boolean,
): string {
  const text = `[${toJsonText(name)},${lastMs},${runs.total},[${historyTextFrom(runs, from)}]`
  if (!isOther && !isPaused && waiting.length === 0) return `${text}]`
  return `${text},${toJsonText({ isPaused, waiting, ...(isOther ? { expression, timezone } : {}) })}]`
}

/** `undefined`: it is not known what it is a row of. */
export function afterRow(record: ReadRecord | undefined, row: Row): ReadRecord | undefined {
  const [name, lastMs, total, latest, rest] = row
  const {
    isPaused = false,
    waiting = [],
    expression = record?.expression,
    timezone = record?.timezone,
  } = rest ?? {}
  if (expression === undefined || timezone === undefined) return undefined
  const { runs = [], total: before = 0, upTo = 0 } = record ?? {}
  // The last runs of the record are those that may have become others since.
  const kept = runs.slice(0, Math.max(0, runs.length - before + total - latest.length))
  const all = [...kept, ...latest].slice(-limits.cronHistory)
  return { name, expression, timezone, lastMs, isPaused, waiting, total, runs: all, upTo }
}
