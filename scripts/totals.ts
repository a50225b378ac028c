/** What the runner of the tests says at its end, as numbers. */

export interface Totals {
  passed: number
  failed: number
  skipped: number
}

/** The last runs of the lines ` 12 pass`, ` 1 fail`, … that close the output of `bun test`. */
const closingLine = /^\s*(\d+) (pass|fail|skip|todo|error)s?$/gm

/**
 * Reads the closing lines of `bun test`. The JUnit file is no source for this: it leaves out files that could not
 * even be loaded.
 *
 * @returns `undefined` when the closing lines are missing, because a test ended the process: then nothing is known.
 */
export function readTotals(output: string): Totals | undefined {
  const plain = Bun.stripANSI(output)
  const closing = plain.slice(Math.max(0, plain.lastIndexOf('\nRan ') - 400))
  if (!closing.includes('\nRan ')) return undefined
  const counts = new Map([...closing.matchAll(closingLine)].map(([, count, kind]) => [kind!, Number(count)]))
  const count = (kind: string) => counts.get(kind) ?? 0
  return {
    passed: count('pass'),
    // An error between tests is counted as a failure by the runner already, unless it is the only trace of it.
    failed: Math.max(count('fail'), count('error')),
    skipped: count('skip') + count('todo'),
  }
}

/** `12 passed, 1 failed, 2 skipped`; the last part only when something was skipped. */
export function totalsLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}
