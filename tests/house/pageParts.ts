/** Parts of a Markdown page that tests compare with the code. */

/** The code of all fenced blocks in a language. */
export function fencedBlocks(page: string, language: string): string[] {
  return [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , code]) => code!)
}

/** The rows of the first table below a heading, without its head; cells trimmed. Throws when there is none. */
export function tableBelow(page: string, heading: string): string[][] {
  const lines = page.split('\n')
  const from = lines.indexOf(heading)
  const start = lines.findIndex((line, at) => at > from && line.startsWith('|'))
  if (from < 0 || start < 0) throw new Error(`no table below "${heading}"`)
  const length = lines.slice(start).findIndex(line => !line.startsWith('|'))
  const table = lines.slice(start, length < 0 ? undefined : start + length)
  return table.slice(2).map(row =>
    row
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim()),
  )
}
