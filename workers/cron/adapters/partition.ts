/**
 * What schedules have done, in the durable partition: an entry for each schedule, and bundles of rows about many.
 *
 *     few at once ────────────────────────────▶ each is written whole
 *     many at once, as when an instant comes ─▶ a row for each, in bundles ──too many──▶ the schedules of the oldest bundle are
 *                                                                                      written whole, and it is removed
 *
 * A schedule is its entry and, in their order, the rows of all bundles that came after it.
 */
import { asJsonText, fromJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { Collection, PutCommand } from '../../../src/storage/command.ts'
import { readPage } from '../../../src/storage/pages.ts'
import type { Partition } from '../../../src/storage/partition.ts'
import type { Entry } from '../../../src/storage/tables.ts'
import { openFrom } from '../history.ts'
import type { CronStore, ScheduleRecord } from '../store.ts'
import {
  afterRow,
  type ReadRecord,
  type Row,
  readRecord,
  recordOf,
  recordText,
  rowText,
} from './recordText.ts'

const SCHEDULES: Collection = { space: 'cron', name: 'schedules', group: '' }
const BUNDLES: Collection = { space: 'cron', name: 'bundles', group: '' }
const PAGE = 1000
const DAY_MS = 86_400_000
/** Rows do not put off when a schedule is forgotten: it is written whole when that is due. */
const WHOLE_MS = 30 * DAY_MS

export interface BundleLimits {
  /** Schedules that are written at once: from here on, rows take less. */
  readonly fewest: number
  readonly rows: number
  /** Of all bundles: a start has to read them beside the schedules. */
  readonly characters: number
}

const usual: BundleLimits = {
  fewest: limits.cronFewestRows,
  rows: limits.cronPortion,
  characters: limits.cronRowCharacters,
}

/** What the disk has of a schedule. */
interface Kept {
  readonly record: ScheduleRecord
  /** Bundles up to this one say nothing that the record has not. */
  readonly bundle: number
  /** Nor has its entry. */
  upTo: number
  expiresAtMs: number
  /** Of another expression or time zone than what is being written: none of them is left out of a row. */
  isOther: boolean
}

interface Bundle {
  readonly number: number
  readonly names: readonly string[]
  readonly characters: number
}

/** `wallClock`: milliseconds since 1970, by which schedules that nobody has any more are forgotten. */
export function createPartitionStore(
  partition: Partition,
  wallClock: () => number,
  most: BundleLimits = usual,
): CronStore {
  const kept = new Map<string, Kept>()
  /** The oldest first. */
  let bundles: Bundle[] = []
  let characters = 0
  let lastBundle = 0
  let underWay = 0
  let isFolding = false

  /** When it is forgotten is not changed with each tick: that would cost as much again. */
  const expiryNow = (): number => (Math.floor((wallClock() + limits.cronMemoryMs) / DAY_MS) + 1) * DAY_MS

  async function saveWhole(record: ScheduleRecord): Promise<void> {
    const [upTo, expiresAtMs] = [lastBundle, expiryNow()]
    await partition.submit([putOf(SCHEDULES, record.name, recordText(record, upTo), expiresAtMs)])
    // Answers come in the order in which was written.
    kept.set(record.name, { record, bundle: upTo, upTo, expiresAtMs, isOther: false })
  }

  async function saveRows(records: readonly ScheduleRecord[]): Promise<void> {
    const number = ++lastBundle
    const rows = records.map(record => {
      const known = kept.get(record.name)
      return rowText(record, known === undefined ? 0 : openFrom(known.record.runs), known?.isOther ?? true)
    })
    const text = asJsonText(`[${rows.join()}]`)
    await partition.submit([putOf(BUNDLES, String(number), text, undefined)])
    bundles.push({ number, names: records.map(({ name }) => name), characters: text.length })
    characters += text.length
    for (const record of records) {
      const { upTo = 0, expiresAtMs = expiryNow() } = kept.get(record.name) ?? {}
      kept.set(record.name, { record, bundle: number, upTo, expiresAtMs, isOther: false })
    }
  }

  /** While nothing else is being written, so that what the disk has is the latest that there is. */
  async function foldOld(): Promise<void> {
    if (isFolding) return
    isFolding = true
    let goesOn = true
    while (goesOn && underWay === 0 && characters > most.characters) goesOn = await fold(bundles[0]!)
    isFolding = false
  }

  /** False: it is still there, because of a fault, of which the partition tells. */
  async function fold({ number, names, characters: folded }: Bundle): Promise<boolean> {
    const expiresAtMs = expiryNow()
    const stale = [...new Set(names)].map(name => kept.get(name)!).filter(({ upTo }) => upTo < number)
    const puts = stale.map(({ record, bundle }) =>
      putOf(SCHEDULES, record.name, recordText(record, bundle), expiresAtMs),
    )
    if (!(await isDone(puts.map(put => partition.submit([put]))))) return false
    for (const { record, bundle } of stale) {
      const now = kept.get(record.name)!
      now.upTo = Math.max(now.upTo, bundle)
      now.expiresAtMs = expiresAtMs
    }
    const key = String(number)
    const remove = {
      command: 'remove',
      collection: BUNDLES,
      key,
      ifVersion: undefined,
      tellsMissing: false,
    } as const
    if (!(await isDone([partition.submit([remove])]))) return false
    bundles = bundles.filter(bundle => bundle.number !== number)
    characters -= folded
    return true
  }

  async function* entriesOf(collection: Collection): AsyncGenerator<Entry> {
    let cursor: string | undefined
    do {
      const query = { prefix: undefined, cursor, limit: PAGE }
      const page = await partition.read((tables, nowMs) => readPage(tables, nowMs, collection, query))
      yield* page.entries
      cursor = page.cursor
    } while (cursor !== undefined)
  }

  return {
    async load() {
      const records = new Map<string, ReadRecord>()
      const expiries = new Map<string, number>()
      for await (const { key, value, expiresAtMs } of entriesOf(SCHEDULES)) {
        const record = readRecord(value)
        records.set(key, record)
        expiries.set(key, expiresAtMs ?? 0)
        lastBundle = Math.max(lastBundle, record.upTo)
      }
      for await (const { key, value } of entriesOf(BUNDLES)) {
        const number = Number(key)
        const rows = fromJsonText(value) as Row[]
        for (const row of rows) {
          const before = records.get(row[0])
          const after = before !== undefined && before.upTo >= number ? before : afterRow(before, row)
          if (after !== undefined) records.set(row[0], after)
        }
        const names = rows.map(([name]) => name).filter(name => records.has(name))
        bundles.push({ number, names, characters: value.length })
        characters += value.length
        lastBundle = Math.max(lastBundle, number)
      }
      for (const [name, read] of records) {
        const { upTo } = read
        const expiresAtMs = expiries.get(name) ?? 0
        kept.set(name, { record: recordOf(read), bundle: lastBundle, upTo, expiresAtMs, isOther: false })
      }
      return [...kept.values()].map(({ record }) => record)
    },

    async save(records) {
      const least = expiryNow() - WHOLE_MS
      // Nobody has had the time to fold them.
      const areTooMany = characters > 2 * most.characters
      const asRows: ScheduleRecord[] = []
      const wholes: ScheduleRecord[] = []
      for (const record of records) {
        const known = kept.get(record.name)
        if (known !== undefined && !isOfOnePlan(known.record, record)) known.isOther = true
        const isDue = known !== undefined && known.expiresAtMs < least
        if (isDue || areTooMany || records.length < most.fewest) wholes.push(record)
        else asRows.push(record)
      }
      underWay++
      try {
        const portions = portionsOf(asRows, most.rows)
        await Promise.all([...wholes.map(saveWhole), ...portions.map(saveRows)])
      } finally {
        underWay--
        void foldOld()
      }
    },
  }
}

const putOf = (
  collection: Collection,
  key: string,
  value: PutCommand['value'],
  expiresAtMs: number | undefined,
): PutCommand => ({
  command: 'put',
  collection,
  key,
  value,
  ifVersion: undefined,
  expiresAtMs,
  isQuiet: true,
})

const isDone = (works: readonly Promise<unknown>[]): Promise<boolean> =>
  Promise.all(works).then(
    () => true,
    () => false,
  )

const isOfOnePlan = (one: ScheduleRecord, other: ScheduleRecord): boolean =>
  one.expression === other.expression && one.timezone === other.timezone

function portionsOf<Item>(items: readonly Item[], size: number): Item[][] {
  const portions: Item[][] = []
  for (let at = 0; at < items.length; at += size) portions.push(items.slice(at, at + size))
  return portions
}
