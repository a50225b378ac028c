/** Log lines about what happens often: few of them, and short ones. */

/** The first of a kind is worth a line; after that every power of ten is. */
export function isMilestone(count: number): boolean {
  return Number.isInteger(Math.log10(count))
}

/** How often something was to be said about one client, by what it was. Kept whole, also where lines are left out. */
export type Tally = Map<string, number>

/**
 * Counts one more of a kind and says whether it is worth a line: the first `spared` of them are, then milestones. So
 * whatever a client repeats costs a few lines; each of them has the count.
 */
export function countIn(tally: Tally, kind: string, spared = 1): { count: number; isToldOf: boolean } {
  const count = (tally.get(kind) ?? 0) + 1
  tally.set(kind, count)
  return { count, isToldOf: count <= spared || isMilestone(count) }
}

/** Characters of a name of any length, and of a text someone else wrote, as far as they are shown and kept. */
const SHOWN_NAME = 80
export const SHOWN_TEXT = 400

/**
 * The beginning of a text: a copy, so that the message it came in can be freed. Never ends in half of a surrogate pair,
 * which would make the message it is shown in unreadable for strict receivers.
 */
export function shortened(text: string, most: number = SHOWN_NAME): string {
  return text.length <= most ? text : `${Array.from(text.slice(0, most)).join('').toWellFormed()}…`
}

/** What is beyond the bound of a tally counts as this. */
const OTHERS = ''

/**
 * Counts at most `mostKinds` kinds one by one, and further ones together: kinds may be made of what others send. Returns
 * the count when it is worth a line.
 */
export function createBoundedTally(mostKinds: number): (kind: string) => number | undefined {
  const tally: Tally = new Map()
  return kind => {
    const isCounted = tally.has(kind) || tally.size < mostKinds
    const { count, isToldOf } = countIn(tally, isCounted ? kind : OTHERS)
    return isToldOf ? count : undefined
  }
}
