/** Tables in SQLite. What is read is compared with its checksum; what is written changes the totals. */
import type { JsonText } from '../../protocol/jsonText.ts'
import { limits } from '../../protocol/limits.ts'
import { CorruptData } from '../storageError.ts'
import type { Entry, Tables } from '../tables.ts'
import { compareText, storable, unstorable } from '../text.ts'
import { entryChecksum } from './checksums.ts'
import { collectionOf, createCollections } from './collections.ts'
import type { CollectionRow, EntryRow } from './connection.ts'
import { createEntryCache, type Row } from './entryCache.ts'
import { type Session, using, writing } from './session.ts'
import { addToTotals } from './totals.ts'

export interface SqliteTables extends Omit<Tables, 'queues'> {
  /** What was done stays. */
  committed(): void
  /** Some of what was done since the last commit is undone. */
  forgetSome(): void
  /** What was done since the last commit is undone. */
  forget(): void
  /** The database is another one. */
  forgetAll(): void
}

/** Throws `CorruptData` if the row is not what was written. */
export function entryOf(row: EntryRow): Entry {
  const entry: Entry = {
    key: row.key,
    value: row.value as JsonText,
    version: row.version,
    createdAt: row.created_at,
    updatedAtMs: row.updated_at_ms,
    expiresAtMs: row.expires_at_ms ?? undefined,
  }
  if (entryChecksum(row.collection, row.key, entry) !== row.checksum) {
    throw new CorruptData(
      `The value of key ${JSON.stringify(unstorable(row.key))} is not what was written: its checksum is wrong. Set it again, or restore a backup.`,
    )
  }
  const key = unstorable(row.key)
  return key === row.key ? entry : { ...entry, key }
}

/** Where a page begins, if that is behind the first text with the prefix. */
function behind(start: string, after: string | undefined): string | undefined {
  if (after === undefined) return undefined
  const last = storable(after)
  return compareText(last, start) >= 0 ? last : undefined
}

/** Rows are counted in 32 bits; no answer holds more. */
const MOST_ROWS = 2 ** 31 - 1

export function createSqliteTables(session: Session): SqliteTables {
  const collections = createCollections(session)
  const cache = createEntryCache(limits.entryCacheBytes)
  /** Writing comes after reading the same entry: what is not there need not be looked for again. */
  let missing: { collection: number; key: string } | undefined

  function find(collection: number, key: string): Row | undefined {
    const known = cache.find(collection, key)
    if (known !== undefined) return known
    if (missing?.collection === collection && missing.key === key) return undefined
    const row = using(session, ({ ask }) => ask.entry.get(collection, storable(key)))
    missing = row === null ? { collection, key } : undefined
    if (row === null) return undefined
    const found = { entry: entryOf(row), storedKey: row.key, checksum: row.checksum }
    cache.add(collection, key, found)
    return found
  }

  function list(rows: readonly EntryRow[], prefix = ''): Entry[] {
    const entries: Entry[] = []
    for (const row of rows) {
      if (!row.key.startsWith(prefix)) break
      entries.push(entryOf(row))
    }
    return entries
  }

  function add(collection: number, entry: Entry): void {
    const { createdAt, value, version, updatedAtMs, expiresAtMs = null } = entry
    const storedKey = storable(entry.key)
    const checksum = entryChecksum(collection, storedKey, entry)
    writing(session, ({ ask }) =>
      ask.addEntry.run(createdAt, collection, storedKey, value, version, updatedAtMs, expiresAtMs, checksum),
    )
    addToTotals(session.totals, createdAt, checksum, 1)
    cache.write(collection, entry.key, { entry, storedKey, checksum })
  }

  function change(collection: number, row: Row, entry: Entry): void {
    const { storedKey } = row
    const { createdAt, value, version, updatedAtMs, expiresAtMs } = entry
    const checksum = entryChecksum(collection, storedKey, entry)
    writing(session, ({ ask }) => {
      ask.changeEntry.run(createdAt, value, version, updatedAtMs, checksum)
      if (expiresAtMs !== row.entry.expiresAtMs) ask.changeExpiry.run(createdAt, expiresAtMs ?? null)
    })
    addToTotals(session.totals, createdAt, row.checksum, -1)
    addToTotals(session.totals, createdAt, checksum, 1)
    cache.write(collection, entry.key, { entry, storedKey, checksum })
  }

  function take(collection: number, { entry, checksum }: Row): void {
    writing(session, ({ ask }) => ask.removeEntry.run(entry.createdAt))
    addToTotals(session.totals, entry.createdAt, checksum, -1)
    cache.write(collection, entry.key, undefined)
  }

  return {
    get(collection, key) {
      const id = collections.find(collection)
      if (id === undefined) return undefined
      missing = undefined
      return find(id, key)?.entry
    },
    list(collection, { prefix, after, limit }) {
      const id = collections.find(collection)
      if (id === undefined || limit <= 0) return []
      const most = Math.min(limit, MOST_ROWS)
      return using(session, ({ ask }) => {
        if (prefix === undefined) return list(ask.entriesInOrder.all(id, after?.createdAt ?? -1, most))
        const start = storable(prefix)
        const last = behind(start, after?.key)
        if (last !== undefined) return list(ask.entriesAfterKey.all(id, last, most), start)
        return list(ask.entriesFromKey.all(id, start, most), start)
      })
    },
    sizeOf(collection) {
      const id = collections.find(collection)
      if (id === undefined) return { entries: 0, bytes: 0 }
      return using(session, ({ ask }) => ask.sizeOfCollection.get(id)!)
    },
    names(space, { prefix = '', after, limit }) {
      const names: string[] = []
      const start = storable(prefix)
      let last = behind(start, after)
      // Each name may have any number of groups: it is looked for the next name, not for the next row.
      while (names.length < limit) {
        const row = using(session, ({ ask }) =>
          last === undefined ? ask.nameFrom.get(space, start) : ask.nameAfter.get(space, last),
        )
        if (row?.name.startsWith(start) !== true) break
        names.push(collectionOf(row).name)
        last = row.name
      }
      return names
    },
    groups(space, name, { prefix = '', after, limit }) {
      if (limit <= 0) return []
      const start = storable(prefix)
      const most = Math.min(limit, MOST_ROWS)
      const last = behind(start, after)
      const rows: CollectionRow[] = using(session, ({ ask }) =>
        last === undefined
          ? ask.groupsFrom.all(space, storable(name), start, most)
          : ask.groupsAfter.all(space, storable(name), last, most),
      )
      const end = rows.findIndex(row => !row.group.startsWith(start))
      return rows.slice(0, end < 0 ? rows.length : end).map(row => collectionOf(row).group)
    },
    put(collection, entry) {
      const id = collections.findOrAdd(collection)
      const row = find(id, entry.key)
      missing = undefined
      if (row === undefined) add(id, entry)
      else if (row.entry.createdAt === entry.createdAt) change(id, row, entry)
      else {
        take(id, row)
        add(id, entry)
      }
    },
    remove(collection, key) {
      const id = collections.find(collection)
      if (id === undefined) return
      const row = find(id, key)
      missing = undefined
      if (row !== undefined) take(id, row)
    },
    expired(nowMs, limit, onDamage) {
      const found: ReturnType<Tables['expired']> = []
      for (let looked = 0; found.length === 0; looked += limit) {
        const rows = using(session, ({ ask }) => ask.expiredEntries.all(nowMs, limit, looked))
        for (const row of rows) {
          try {
            found.push({ collection: collections.named(row.collection), entry: entryOf(row) })
          } catch (error) {
            if (!(error instanceof CorruptData)) throw error
            onDamage(error)
          }
        }
        if (rows.length < limit) break
      }
      return found
    },
    nextExpiryMs: () => using(session, ({ ask }) => ask.nextExpiry.get()?.at ?? undefined),
    committed: () => cache.commit(),
    forgetSome() {
      missing = undefined
      cache.rollbackToSavepoint()
      collections.forget()
    },
    forget() {
      missing = undefined
      cache.rollback()
      collections.forget()
    },
    forgetAll() {
      missing = undefined
      cache.clear()
      collections.forget()
    },
  }
}
