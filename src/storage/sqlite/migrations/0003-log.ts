/**
 * What has changed stands in the log (`docs/decisions/0020-log.md`), not in a table. Whoever resumes reads everything anew
 * once. Totals say which turn of the log the tables have.
 */
import type { Database } from 'bun:sqlite'
import { textChecksum } from '../checksums.ts'

interface Before {
  readonly revision: number
  readonly entries: number
  readonly digest: number
  readonly oldest_change: number
  readonly kept_changes: number
  readonly kept_bytes: number
  readonly relaxed: number
  readonly checksum: number
}

export function moveToLog(db: Database): void {
  const before = db.query<Before, []>('SELECT * FROM totals').get()
  db.run(`
    DROP TABLE changes;
    DROP TABLE totals;
    CREATE TABLE totals (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      revision INTEGER NOT NULL,
      entries INTEGER NOT NULL,
      digest INTEGER NOT NULL,
      oldest_change INTEGER NOT NULL,
      turn INTEGER NOT NULL,
      lineage INTEGER NOT NULL,
      relaxed INTEGER NOT NULL,
      checksum INTEGER NOT NULL
    ) STRICT;
  `)
  if (before === null) return
  const { revision, entries, digest, oldest_change, kept_changes, kept_bytes, relaxed, checksum } = before
  const isDamaged =
    textChecksum(revision, entries, digest, oldest_change, kept_changes, kept_bytes, relaxed) !== checksum
  const values = [revision, entries, digest, revision, 0, 0, relaxed]
  // What was damaged stays so.
  const ofValues = isDamaged ? -1 : textChecksum(...values)
  db.query('INSERT INTO totals VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)').run(...values, ofValues)
}
