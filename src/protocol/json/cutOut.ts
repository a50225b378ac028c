/**
 * A string that was cut out of a text keeps the whole text in memory. Out of texts longer than this (characters)
 * strings are copied, or the id of a call under way would hold on to megabytes of payload.
 */
export const CUT_OUT_OF = 2048

/**
 * A part of a text that may be kept for long: a copy, if the text is much longer. Else a small value would keep the message
 * in memory that it came in, whatever else that held.
 */
export function cutOut(text: string, start: number, end: number): string {
  const part = text.slice(start, end)
  const isMost = text.length <= CUT_OUT_OF || (end - start) * 4 >= text.length
  // Joining copies, exactly and soonest of all ways there are; a test looks whether it still does.
  return isMost ? part : [part, ''].join('')
}
