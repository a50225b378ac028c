/** Where revisions begin when nobody knows which ones were given out before: by the clock, which runs ahead of any writer. */
import { limits } from '../protocol/limits.ts'

/** `nowMs`: wall clock, milliseconds. Below 2⁵³ until the year 2255. */
export const freshRevision = (nowMs: number): number => Math.floor(nowMs) * limits.revisionsPerMs
