/** Columns of text for people: as wide as their widest cell. Pure. */

/** A cell may have a colour, which takes no room. */
export type Cell = string | { readonly text: string; readonly colour: Colour }
export type Row = readonly Cell[]

const COLOURS = { red: 31, green: 32, yellow: 33, cyan: 36 } as const
export type Colour = keyof typeof COLOURS

export interface TableStyle {
  /** Columns from this one on are numbers and stand to the right; absent: none does. */
  readonly right?: number
  /** Cells are shown in their colours, and the first row is bold. */
  readonly colours?: boolean
}

const textOf = (cell: Cell): string => (typeof cell === 'string' ? cell : cell.text)

/** The lines, without newlines. All rows have as many cells as the first one, which has the names of the columns. */
export function table(
  rows: readonly Row[],
  { right = Number.POSITIVE_INFINITY, colours = false }: TableStyle = {},
): string[] {
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map(row => Bun.stringWidth(textOf(row[column]!)))),
  )
  function shown(cell: Cell, column: number, isHead: boolean): string {
    const text = textOf(cell)
    const room = ' '.repeat(widths[column]! - Bun.stringWidth(text))
    const painted = colours
      ? paint(text, isHead ? 1 : typeof cell === 'string' ? undefined : COLOURS[cell.colour])
      : text
    if (column >= right) return room + painted
    return column === widths.length - 1 ? painted : painted + room
  }
  return rows.map((row, number) =>
    row
      .map((cell, column) => shown(cell, column, number === 0))
      .join('  ')
      .trimEnd(),
  )
}

function paint(text: string, code: number | undefined): string {
  return code === undefined || text === '' ? text : `\x1b[${code}m${text}\x1b[0m`
}
