/** One open database: its settings, and the statements of everything that is ever asked of it. */
import { Database, type Statement } from 'bun:sqlite'
import { limits } from '../../protocol/limits.ts'
import { CorruptData } from '../storageError.ts'
import { migrations } from './migrations/all.ts'
import { queueStatements } from './queue/statements.ts'

type Parameter = string | number | null

/** What a statement of this database returns and takes. */
export type Ask<Row> = Statement<Row, Parameter[]>

export interface EntryRow {
  readonly created_at: number
  readonly collection: number
  readonly key: string
  readonly value: string
  readonly version: number
  readonly updated_at_ms: number
  readonly expires_at_ms: number | null
  readonly checksum: number
}

export interface CollectionRow {
  readonly id: number
  readonly space: string
  readonly name: string
  readonly group: string
  readonly checksum: number
}

export interface TotalsRow {
  readonly revision: number
  readonly entries: number
  readonly digest: number
  readonly oldest_change: number
  readonly turn: number
  readonly lineage: number
  readonly relaxed: number
  readonly checksum: number
}

const ENTRY = 'created_at, collection, key, value, version, updated_at_ms, expires_at_ms, checksum'
const COLLECTION = 'id, space, name, "group", checksum'

function statements(db: Database) {
  const ask = <Row = never>(sql: string): Ask<Row> => db.prepare<Row, Parameter[]>(sql)
  return {
    begin: ask('BEGIN IMMEDIATE'),
    commit: ask('COMMIT'),
    rollback: ask('ROLLBACK'),
    savepoint: ask('SAVEPOINT works'),
    release: ask('RELEASE works'),
    rollbackToSavepoint: ask('ROLLBACK TO works'),

    collection: ask<CollectionRow>(
      `SELECT ${COLLECTION} FROM collections WHERE space = ?1 AND name = ?2 AND "group" = ?3`,
    ),
    collectionOfId: ask<CollectionRow>(`SELECT ${COLLECTION} FROM collections WHERE id = ?1`),
    lastCollection: ask<{ id: number | null }>('SELECT max(id) AS id FROM collections'),
    addCollection: ask(`INSERT INTO collections (${COLLECTION}) VALUES (?1, ?2, ?3, ?4, ?5)`),
    nameFrom: ask<CollectionRow>(
      `SELECT ${COLLECTION} FROM collections WHERE space = ?1 AND name >= ?2 ORDER BY name LIMIT 1`,
    ),
    nameAfter: ask<CollectionRow>(
      `SELECT ${COLLECTION} FROM collections WHERE space = ?1 AND name > ?2 ORDER BY name LIMIT 1`,
    ),
    groupsFrom: ask<CollectionRow>(
      `SELECT ${COLLECTION} FROM collections WHERE space = ?1 AND name = ?2 AND "group" >= ?3 ORDER BY "group" LIMIT ?4`,
    ),
    groupsAfter: ask<CollectionRow>(
      `SELECT ${COLLECTION} FROM collections WHERE space = ?1 AND name = ?2 AND "group" > ?3 ORDER BY "group" LIMIT ?4`,
    ),

    entry: ask<EntryRow>(`SELECT ${ENTRY} FROM entries WHERE collection = ?1 AND key = ?2`),
    addEntry: ask(`INSERT INTO entries (${ENTRY}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`),
    // No index has to be looked at.
    changeEntry: ask(
      'UPDATE entries SET value = ?2, version = ?3, updated_at_ms = ?4, checksum = ?5 WHERE created_at = ?1',
    ),
    changeExpiry: ask('UPDATE entries SET expires_at_ms = ?2 WHERE created_at = ?1'),
    removeEntry: ask('DELETE FROM entries WHERE created_at = ?1'),
    entriesInOrder: ask<EntryRow>(
      `SELECT ${ENTRY} FROM entries INDEXED BY entries_in_order WHERE collection = ?1 AND created_at > ?2 ORDER BY created_at LIMIT ?3`,
    ),
    sizeOfCollection: ask<{ entries: number; bytes: number }>(
      `SELECT count(*) AS entries, coalesce(sum(octet_length(value)), 0) AS bytes FROM entries INDEXED BY entries_in_order
       WHERE collection = ?1`,
    ),
    entriesFromKey: ask<EntryRow>(
      `SELECT ${ENTRY} FROM entries WHERE collection = ?1 AND key >= ?2 ORDER BY key LIMIT ?3`,
    ),
    entriesAfterKey: ask<EntryRow>(
      `SELECT ${ENTRY} FROM entries WHERE collection = ?1 AND key > ?2 ORDER BY key LIMIT ?3`,
    ),
    expiredEntries: ask<EntryRow>(
      `SELECT ${ENTRY} FROM entries INDEXED BY entries_expiring WHERE expires_at_ms <= ?1 ORDER BY expires_at_ms, created_at LIMIT ?2 OFFSET ?3`,
    ),
    nextExpiry: ask<{ at: number | null }>(
      'SELECT min(expires_at_ms) AS at FROM entries INDEXED BY entries_expiring WHERE expires_at_ms IS NOT NULL',
    ),
    entriesAfter: ask<EntryRow>(
      `SELECT ${ENTRY} FROM entries WHERE created_at > ?1 ORDER BY created_at LIMIT ?2`,
    ),
    keyLeadsTo: ask<{ created_at: number }>(
      'SELECT created_at FROM entries WHERE collection = ?1 AND key = ?2',
    ),
    orderLeadsTo: ask<{ created_at: number }>(
      'SELECT created_at FROM entries INDEXED BY entries_in_order WHERE collection = ?1 AND created_at = ?2',
    ),

    totals: ask<TotalsRow>('SELECT * FROM totals'),
    keepTotals: ask('REPLACE INTO totals VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)'),
    ...queueStatements(db),
    checkpoint: ask<{ busy: number; log: number; checkpointed: number }>('PRAGMA wal_checkpoint(PASSIVE)'),
  }
}

export interface Connection {
  readonly db: Database
  readonly ask: ReturnType<typeof statements>
}

/** The database was written by a version that knows more steps than this one. */
export class NewerDatabase extends Error {}

/**
 * Opens and locks it: until it is closed, no other process can use it (`SQLITE_BUSY`). Errors are those of SQLite, or
 * `NewerDatabase`, or a `CorruptData`.
 */
export function openConnection(file: string): Connection {
  const db = new Database(file, { create: true, readwrite: true })
  try {
    for (const pragma of [
      `page_size = ${limits.pageBytes}`,
      'locking_mode = EXCLUSIVE',
      'journal_mode = WAL',
      // The store syncs when it settles; SQLite syncs what it moves from its log to its place.
      'synchronous = NORMAL',
      // Damage is noticed where it is, not where it leads to.
      'cell_size_check = ON',
      'trusted_schema = OFF',
      'temp_store = MEMORY',
      `cache_size = -${limits.pageCacheBytes / 1024}`,
      // What is not settled stays in memory: a full disk is met when it is settled, or in the log.
      'cache_spill = OFF',
      `wal_autocheckpoint = ${limits.walBytes / limits.pageBytes}`,
      `journal_size_limit = ${limits.walBytes * 4}`,
    ]) {
      db.run(`PRAGMA ${pragma}`)
    }
    // The lock is taken by the first transaction.
    db.run('BEGIN IMMEDIATE')
    migrate(db)
    db.run('COMMIT')
    if (schemaOf(db) !== rightSchema())
      throw new CorruptData('The schema of the database is not what was written.')
    return { db, ask: statements(db) }
  } catch (error) {
    db.close()
    throw error
  }
}

/** SQLite does not mind a letter that is another one there, but would read something else. */
function schemaOf(db: Database): string {
  const rows = db.query<{ sql: string | null }, []>('SELECT sql FROM sqlite_schema ORDER BY name, sql').all()
  return rows.map(({ sql }) => sql ?? '').join(';')
}

let known: string | undefined

function rightSchema(): string {
  if (known !== undefined) return known
  using db = new Database(':memory:')
  migrate(db)
  known = schemaOf(db)
  return known
}

function migrate(db: Database): void {
  const { user_version: done } = db.query<{ user_version: number }, []>('PRAGMA user_version').get()!
  if (done > migrations.length)
    throw new NewerDatabase(`It has format ${done}, this version knows ${migrations.length}.`)
  for (const step of migrations.slice(done)) step(db)
  if (done < migrations.length) db.run(`PRAGMA user_version = ${migrations.length}`)
}
