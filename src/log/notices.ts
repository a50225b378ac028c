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
