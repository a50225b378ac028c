/**
 * Sums over the whole database, committed with every transaction: so that it is noticed when a row is missing, not only
 * when it is wrong. Also what a running scrub has added up so far: writes to rows it has passed are added to its sums.
 */
import { CorruptData } from '../storageError.ts'
import { textChecksum } from './checksums.ts'
import type { Connection } from './connection.ts'

export interface Totals {
  revision: number
  entries: number
  /** Sum of the checksums of all entries, modulo 2³². */
  digest: number
  /** Changes above this revision are all kept. */
  oldestChange: number
  keptChanges: number
  keptBytes: number
  /** Since it was opened, something was committed without waiting for the disk. */
  isRelaxed: boolean
  /** How far the scrub has come (`created_at`), and what it has seen there. */
  scrubbedTo: number
  scrubbedEntries: number
  scrubbedDigest: number
}

const emptyTotals: Readonly<Totals> = {
  revision: 0,
  entries: 0,
  digest: 0,
  oldestChange: 0,
  keptChanges: 0,
  keptBytes: 0,
  isRelaxed: false,
  scrubbedTo: 0,
  scrubbedEntries: 0,
  scrubbedDigest: 0,
}

/** An entry is there now, or (`count` -1) no longer. */
export function addToTotals(totals: Totals, createdAt: number, checksum: number, count: 1 | -1): void {
  totals.entries += count
  totals.digest = (totals.digest + count * checksum) >>> 0
  if (createdAt > totals.scrubbedTo) return
  totals.scrubbedEntries += count
  totals.scrubbedDigest = (totals.scrubbedDigest + count * checksum) >>> 0
}

function valuesOf(totals: Totals): number[] {
  const { revision, entries, digest, oldestChange, keptChanges, keptBytes, isRelaxed } = totals
  return [revision, entries, digest, oldestChange, keptChanges, keptBytes, isRelaxed ? 1 : 0]
}

export function readTotals({ ask }: Connection): Totals {
  const row = ask.totals.get()
  if (row === null) {
    // A new database has none, and nothing else either.
    if (ask.entriesAfter.get(-1, 1) === null) return { ...emptyTotals }
    throw new CorruptData('The totals of the database are missing.')
  }
  const totals: Totals = {
    ...emptyTotals,
    revision: row.revision,
    entries: row.entries,
    digest: row.digest,
    oldestChange: row.oldest_change,
    keptChanges: row.kept_changes,
    keptBytes: row.kept_bytes,
    isRelaxed: row.relaxed !== 0,
  }
  if (textChecksum(...valuesOf(totals)) !== row.checksum) {
    throw new CorruptData('The totals of the database are not what was written.')
  }
  return totals
}

export function keepTotals({ ask }: Connection, totals: Totals): void {
  const values = valuesOf(totals)
  ask.keepTotals.run(...values, textChecksum(...values))
}
