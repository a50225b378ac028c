/** One run beside another one, kept as a table in Markdown or as lines of JSON. */
import type { MeasureInfo } from './catalogue.ts'
import { formatTable, grouped, type Measure } from './table.ts'

/** What was kept of a measure. */
export interface Kept {
  readonly name: string
  readonly value: number
  /** Its value divided by that of its peer in the same run. */
  readonly ratio?: number | undefined
}

export interface Comparison {
  readonly name: string
  readonly unit: string
  readonly kept: number
  readonly now: number
  /** How much better it is now: above 1 is better, whatever the unit. Absent if neither direction is. */
  readonly better?: number | undefined
  /** The same of the ratios to the peer: free of what the machine did that day. */
  readonly betterByPeer?: number | undefined
}

const NUMBER = /^-?\d[\d,]*(\.\d+)?(e[+-]?\d+)?$/

const numberIn = (cell: string | undefined): number | undefined =>
  cell !== undefined && NUMBER.test(cell) ? Number(cell.replaceAll(',', '')) : undefined

/** Rows of tables with the columns name, value, unit, peer, ratio; the last of a name counts. */
function readTables(text: string): Kept[] {
  const rows = text.split('\n').flatMap(line => {
    if (!line.startsWith('|')) return []
    const [name, valueCell, , , ratioCell] = line
      .split('|')
      .slice(1)
      .map(cell => cell.trim())
    const value = numberIn(valueCell)
    return value === undefined || !/^[a-z][a-z0-9-]+$/.test(name!)
      ? []
      : [{ name: name!, value, ratio: numberIn(ratioCell) }]
  })
  return rows
}

/** Reads what `bun run bench` has printed, with or without `--json`. Throws if there is no measure in it. */
export function readRun(text: string): Map<string, Kept> {
  const isJson = text.trimStart().startsWith('{')
  const rows = isJson
    ? text
        .split('\n')
        .filter(line => line.startsWith('{'))
        .map(line => JSON.parse(line) as Kept)
    : readTables(text)
  if (rows.length === 0) throw new Error('there is no measure in it')
  return new Map(rows.map(row => [row.name, row]))
}

function gain(better: MeasureInfo['better'], kept: number, now: number): number | undefined {
  if (better === 'neither') return undefined
  if (kept === now) return 1
  return better === 'more' ? now / kept : kept / now
}

/** Measures that both runs have, in the order of `infos`. */
export function compare(
  infos: readonly MeasureInfo[],
  kept: ReadonlyMap<string, Kept>,
  now: ReadonlyMap<string, Kept>,
): Comparison[] {
  return infos.flatMap(({ name, unit, better }) => {
    const [before, after] = [kept.get(name), now.get(name)]
    if (before === undefined || after === undefined) return []
    const both = before.ratio !== undefined && after.ratio !== undefined
    return {
      name,
      unit,
      kept: before.value,
      now: after.value,
      better: gain(better, before.value, after.value),
      betterByPeer: both ? gain(better, before.ratio!, after.ratio!) : undefined,
    }
  })
}

/** The figure to judge by: that against the peer where there is one. */
export const verdictOf = ({ better, betterByPeer }: Comparison): number | undefined => betterByPeer ?? better

const shown = (ratio: number | undefined): string => (ratio === undefined ? '' : ratio.toFixed(2))

export function comparisonTable(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(({ name, unit, kept, now, better, betterByPeer }) => [
    name,
    grouped(kept),
    grouped(now),
    unit,
    shown(better),
    shown(betterByPeer),
  ])
  return formatTable(['name', 'kept', 'now', 'unit', 'better', 'against peer'], rows, [1, 2, 4, 5])
}

export const asKept = (measures: readonly Measure[]): Map<string, Kept> =>
  new Map(measures.map(measure => [measure.name, measure]))
