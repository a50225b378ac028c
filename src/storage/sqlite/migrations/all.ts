/** Steps from an empty database to today's, in order. A step that has been released is never changed again. */
import type { Database } from 'bun:sqlite'
import { sql as entries } from './0001-entries.ts'
import { sql as messages } from './0002-messages.ts'
import { moveToLog } from './0003-log.ts'

/** The number of a step is its place here, from 1; the number of the last one stands in the database (`user_version`). */
export const migrations: readonly ((db: Database) => void)[] = [
  db => void db.run(entries),
  db => void db.run(messages),
  moveToLog,
]
