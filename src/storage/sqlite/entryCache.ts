/**
 * Entries that were read or written lately. Asking SQLite for a row takes several times as long as all the rest of a
 * read, and every write reads first.
 *
 * Two generations: what is used moves to the young one; when that is full it becomes the old one, and what was in the old
 * one and has not been used is forgotten.
 */
import type { Entry } from '../tables.ts'

/** An entry as it is in the tables. */
export interface Row {
  readonly entry: Entry
  /** Its key as it is stored. */
  readonly storedKey: string
  readonly checksum: number
}

export interface EntryCache {
  find(collection: number, key: string): Row | undefined
  /** A row that was read. */
  add(collection: number, key: string, row: Row): void
  /** A row that was written in the transaction that is open; `undefined`: removed. */
  write(collection: number, key: string, row: Row | undefined): void
  /** What was written stays. */
  commit(): void
  /**
   * Some of what was written since the last commit is not there. What of it is read again before the next commit is
   * still not committed.
   */
  rollbackToSavepoint(): void
  /** What was written since the last commit is not there. */
  rollback(): void
  clear(): void
}

/** What an entry takes beside its texts. */
const ENTRY_BYTES = 250

type Generation = Map<number, Map<string, Row>>

const sizeOf = ({ entry }: Row): number => ENTRY_BYTES + 2 * entry.key.length + entry.value.length

/** `bytes`: of both generations together, about. An entry with a hundredth of that is not kept. */
export function createEntryCache(bytes: number): EntryCache {
  let young: Generation = new Map()
  let old: Generation = new Map()
  let youngBytes = 0
  let written: { readonly collection: number; readonly key: string }[] = []

  /** What the old generation has under this key counts no more from now on, and goes with it. */
  function keep(collection: number, key: string, row: Row): void {
    const size = sizeOf(row)
    if (size > bytes / 100) {
      forget(collection, key)
      return
    }
    if (youngBytes + size > bytes / 2) {
      old = young
      young = new Map()
      youngBytes = 0
    }
    // Of one that is there already the size is counted again: it is forgotten a little earlier.
    youngBytes += size
    const rows = young.get(collection)
    if (rows === undefined) young.set(collection, new Map([[key, row]]))
    else rows.set(key, row)
  }

  function forget(collection: number, key: string): void {
    young.get(collection)?.delete(key)
    old.get(collection)?.delete(key)
  }

  function rollbackToSavepoint(): void {
    for (const { collection, key } of written) forget(collection, key)
  }

  return {
    find(collection, key) {
      const known = young.get(collection)?.get(key)
      if (known !== undefined) return known
      const row = old.get(collection)?.get(key)
      if (row !== undefined) keep(collection, key, row)
      return row
    },
    add: keep,
    write(collection, key, row) {
      written.push({ collection, key })
      if (row === undefined) forget(collection, key)
      else keep(collection, key, row)
    },
    commit() {
      if (written.length > 0) written = []
    },
    rollbackToSavepoint,
    rollback() {
      rollbackToSavepoint()
      written = []
    },
    clear() {
      young.clear()
      old.clear()
      youngBytes = 0
      written = []
    },
  }
}
