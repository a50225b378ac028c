/** Log lines about what happens often: few of them, and short ones. */

/** The first of a kind is worth a line; after that every power of ten is. */
export function isMilestone(count: number): boolean {
  return Number.isInteger(Math.log10(count))
}

/** Characters of a name of any length, and of a text someone else wrote, as far as they are shown and kept. */
export const SHOWN_NAME = 80
export const SHOWN_TEXT = 400

/**
 * The beginning of a text: a copy, so that the message it came in can be freed. Never ends in half of a surrogate pair,
 * which would make the message it is shown in unreadable for strict receivers.
 */
export function shortened(text: string, most: number = SHOWN_NAME): string {
  return text.length <= most ? text : `${Array.from(text.slice(0, most)).join('').toWellFormed()}…`
}

/** Counts what happens, each kind by itself. */
export interface Tally {
  /** Counts one more of a kind; the count when it is worth a line. */
  count(kind: string): number | undefined
}

/** Counts at most `mostKinds` kinds one by one, and further ones together: kinds may be made of what others send. */
export function createTally(mostKinds: number): Tally {
  const counts = new Map<string, number>()
  let others = 0
  return {
    count(kind) {
      const before = counts.get(kind)
      if (before === undefined && counts.size >= mostKinds) return isMilestone(++others) ? others : undefined
      const count = (before ?? 0) + 1
      counts.set(kind, count)
      return isMilestone(count) ? count : undefined
    },
  }
}
