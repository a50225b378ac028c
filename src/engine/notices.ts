/** Log lines about what happens often: few of them, and short ones. */

/** The first of a kind is worth a line; after that every power of ten is. */
export function isMilestone(count: number): boolean {
  return Number.isInteger(Math.log10(count))
}

/** Characters of a name that was too long to be accepted, as far as it is shown. */
const SHOWN = 80

/** A name as it is shown and kept when it may be of any length: a copy, so that the message it came in can be freed. */
export function shortened(text: string): string {
  return text.length <= SHOWN ? text : `${Array.from(text.slice(0, SHOWN)).join('')}…`
}
