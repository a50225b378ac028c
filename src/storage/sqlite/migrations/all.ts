/** Steps from an empty database to today's, in order. A step that has been released is never changed again. */
import { sql as entries } from './0001-entries.ts'
import { sql as messages } from './0002-messages.ts'

/** The number of a step is its place here, from 1; the number of the last one stands in the database (`user_version`). */
export const migrations: readonly string[] = [entries, messages]
