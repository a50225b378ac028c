/** From values to rows: rounded, with ratios, as a table for people and as lines of JSON for programs. */
import type { MeasureInfo } from './catalogue.ts'
import type { Values } from './context.ts'

export interface Measure {
  name: string
  value: number
  unit: string
  /** Name of the measure it is compared with, taken in the same run. */
  peer?: string
  /** `value` divided by the value of the peer. */
  ratio?: number
}

const VALUE_DIGITS = 4
const RATIO_DIGITS = 3

/** Whole numbers stay whole; below that, no more digits than mean anything. */
function rounded(value: number, digits: number): number {
  return Math.abs(value) >= 10 ** (digits - 1) ? Math.round(value) : Number(value.toPrecision(digits))
}

/** Rows in the order of the catalogue. Values that are absent or not finite have none. */
export function toMeasures(infos: readonly MeasureInfo[], values: Values): Measure[] {
  const known = (name: string): number | undefined =>
    Number.isFinite(values[name]) ? values[name] : undefined
  return infos.flatMap(({ name, unit, peer }) => {
    const value = known(name)
    if (value === undefined) return []
    const peerValue = peer === undefined ? undefined : known(peer)
    const row = { name, value: rounded(value, VALUE_DIGITS), unit }
    if (peer === undefined || peerValue === undefined || peerValue === 0) return [row]
    return [{ ...row, peer, ratio: rounded(value / peerValue, RATIO_DIGITS) }]
  })
}

export const grouped = (value: number): string => value.toLocaleString('en-GB', { maximumFractionDigits: 6 })

/** Cells in columns, in a form that is a table in Markdown, too. The columns in `right` are set to the right. */
export function formatTable(
  head: readonly string[],
  rows: readonly string[][],
  right: readonly number[],
): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map(row => row[column]!.length)))
  const pad = (cell: string, column: number): string =>
    right.includes(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)
  const line = (cells: readonly string[]): string => `| ${cells.map(pad).join(' | ')} |`
  const rule = widths.map((width, column) =>
    right.includes(column) ? `${'-'.repeat(width + 1)}:` : '-'.repeat(width + 2),
  )
  return [line(head), `|${rule.join('|')}|`, ...rows.map(line)].join('\n')
}

export function measureTable(measures: readonly Measure[]): string {
  const values = new Map(measures.map(({ name, value }) => [name, value]))
  const rows = measures.map(({ name, value, unit, peer, ratio }) => [
    name,
    grouped(value),
    unit,
    peer === undefined ? '' : `${peer}${values.has(peer) ? ` ${grouped(values.get(peer)!)}` : ''}`,
    ratio === undefined ? '' : String(ratio),
  ])
  return formatTable(['name', 'value', 'unit', 'peer', 'ratio'], rows, [1, 4])
}

export function listTable(infos: readonly MeasureInfo[]): string {
  const rows = infos.map(({ name, unit, better, goal, what }) => [name, unit, better, goal ?? '', what])
  return formatTable(['name', 'unit', 'better', 'goal', 'what'], rows, [])
}

export const jsonLines = (objects: readonly object[]): string =>
  objects.map(object => JSON.stringify(object)).join('\n')
