/**
 * Opens a data folder: nobody else works with it, this version understands it, and what is in it is what was written.
 * With many entries the last is looked at in the background (`scrub`).
 */
import { existsSync, linkSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { limits } from '../../protocol/limits.ts'
import { freshRevision } from '../freshRevision.ts'
import type { KeptLimits } from '../log/log.ts'
import { NewerDatabase } from '../sqlite/connection.ts'
import { isBusy, isCorrupt } from '../sqlite/faults.ts'
import { migrations } from '../sqlite/migrations/all.ts'
import { openSqliteStore, type SqliteStore } from '../sqlite/store.ts'
import { CorruptData, StorageError } from '../storageError.ts'
import type { SyncFile } from '../sync.ts'
import { type FolderPaths, OWN_FOLDER, pathsOf, syncFile, syncFolder } from './files.ts'
import { bootId, hasLostNothing, inUse, nameHolder, unnameHolder } from './holder.ts'
import { lockFolder } from './lock.ts'
import { checkMarker, newer } from './marker.ts'
import { openWitness, type Reached, type Witness } from './witness.ts'

export interface OpenFolderOptions {
  /** Which changes are kept for those who resume. */
  readonly history?: KeptLimits
  /** For tests of disks that fail. Default `fdatasync`. */
  readonly sync?: SyncFile
  /** Called when everything up to a revision has reached the disk; for tests that take the power away. */
  readonly onSynced?: (revision: number) => void
  /** The clock on the wall, milliseconds. Default `Date.now`. */
  readonly wallClock?: () => number
  /** The folder takes the place of one whose revisions came up to here: none of them is given out again. */
  readonly replacesRevision?: number | undefined
  /** Of this start of the machine; for tests that take the power away. Default that of the system. */
  readonly boot?: string | undefined
  /** Larger databases are looked at in the background. Default `entriesCheckedAtStart`. */
  readonly entriesCheckedAtStart?: number
}

/** Throws a `StorageError` of a code `data_folder_…`. */
export function openFolder(folder: string, options: OpenFolderOptions = {}): SqliteStore {
  const paths = pathsOf(folder)
  const unlock = takeFolder(paths)
  try {
    const store = openLocked(paths, options)
    return {
      ...store,
      async close() {
        try {
          await store.close()
        } finally {
          unlock()
        }
      },
    }
  } catch (error) {
    unlock()
    throw error
  }
}

function openLocked(paths: FolderPaths, options: OpenFolderOptions): SqliteStore {
  const witness = prepare(paths)
  const log = keepLog(paths)
  let store: SqliteStore
  try {
    store = openStore(paths, witness, options)
  } catch (error) {
    // It is that of the process which works with the folder.
    if (error instanceof StorageError && error.code === 'data_folder_in_use') log.release()
    else log.putBack()
    throw error
  }
  try {
    nameIfThereIsRoom(paths, options.boot ?? bootId())
    if (!witness.isThere) beginWitness(paths, store, witness, options)
    const { entriesCheckedAtStart = limits.entriesCheckedAtStart } = options
    const { entries, messages } = store.session.totals
    const isChecked = entries + messages.messages <= entriesCheckedAtStart
    if (isChecked) checkAll(store)
    log.release()
    return {
      ...store,
      isChecked,
      async close() {
        await store.close()
        witness.close()
        unnameHolder(paths)
      },
    }
  } catch (error) {
    store.abandon()
    log.putBack()
    witness.close()
    unnameHolder(paths)
    throw damage(paths, error)
  }
}

/** Makes the folder if it is not there, and locks it. Returns what ends that. Throws a `StorageError`. */
export function takeFolder(paths: FolderPaths): () => void {
  try {
    mkdirSync(paths.folder, { recursive: true, mode: OWN_FOLDER })
    return lockFolder(paths)
  } catch (error) {
    throw error instanceof StorageError ? error : unusable(paths, error)
  }
}

function prepare(paths: FolderPaths): Witness {
  try {
    checkMarker(paths)
    return openWitness(paths.witness)
  } catch (error) {
    if (error instanceof StorageError) throw error
    throw unusable(paths, error)
  }
}

/**
 * Closing a database moves what is good of its log to its place and deletes the log. If the folder is refused, the log is
 * all that is left of what comes behind the damage: it stays, under a second name meanwhile.
 */
function keepLog(paths: FolderPaths): { release(): void; putBack(): void } {
  const log = `${paths.database}-wal`
  const kept = `${log}.kept`
  // One that was killed before it could put it back.
  if (existsSync(kept) && !existsSync(log)) renameSync(kept, log)
  rmSync(kept, { force: true })
  try {
    linkSync(log, kept)
  } catch {
    // There is none, or this file system has no second names.
  }
  return {
    release: () => rmSync(kept, { force: true }),
    putBack() {
      if (existsSync(kept)) renameSync(kept, log)
    },
  }
}

function openStore(
  paths: FolderPaths,
  witness: Witness,
  { history, sync, onSynced, wallClock, boot = bootId() }: OpenFolderOptions,
): SqliteStore {
  try {
    return openSqliteStore({
      file: paths.database,
      folder: paths.folder,
      ...(history === undefined ? {} : { history }),
      ...(sync === undefined ? {} : { sync }),
      ...(wallClock === undefined ? {} : { wallClock }),
      isWhole: hasLostNothing(paths, boot),
      onUnsynced() {
        try {
          nameHolder(paths, undefined)
        } catch {
          // A disk that cannot be written has kept nothing that it was not asked to sync, either.
        }
      },
      check: reached => checkWitness(paths, reached, witness),
      onSynced(reached) {
        witness.reached(reached)
        onSynced?.(reached.revision)
      },
    })
  } catch (error) {
    witness.close()
    if (isBusy(error)) throw inUse(paths)
    if (error instanceof NewerDatabase) {
      const found = Number(/\d+/.exec(error.message)?.[0])
      throw newer(paths.folder, found, migrations.length)
    }
    throw damage(paths, error)
  }
}

function checkWitness(paths: FolderPaths, has: Reached, witness: Witness): void {
  const had = witness.read()
  if (has.revision >= had.revision && has.queueCommits < had.queueCommits) {
    throw new CorruptData(
      `It was written up to transaction ${had.queueCommits} of queues, but holds only what was written up to ${has.queueCommits}: its end was cut off or is damaged. To go on with what is left, delete ${paths.witness}; receipts and messages that somebody was told of may be missing then`,
    )
  }
  if (has.revision >= had.revision) return
  throw new CorruptData(
    `It was written up to revision ${had.revision}, but holds only what was written up to ${has.revision}: its end was cut off or is damaged. To go on with what is left, delete ${paths.witness}; versions and revisions that somebody holds are void then`,
  )
}

/**
 * The folder is new, or that of a backup, or its end was given up. Others may hold revisions that were told since then: none of them
 * comes again.
 */
function beginWitness(
  paths: FolderPaths,
  store: SqliteStore,
  witness: Witness,
  { wallClock = Date.now, replacesRevision }: OpenFolderOptions,
): void {
  if (store.revision() + store.queueCommits() > 0 || replacesRevision !== undefined) {
    const had = Math.max(store.revision(), replacesRevision ?? 0)
    store.leaveGap(Math.max(had + limits.revisionGap, freshRevision(wallClock())))
  }
  witness.create()
  witness.reached(reachedBy(store))
  // That it is there is not to be lost.
  syncFile(paths.witness)
  syncFolder(paths.folder)
}

/** What is in a folder whose disk is full can be read: what it says of the holder before is not wrong, or too careful. */
function nameIfThereIsRoom(paths: FolderPaths, boot: string | undefined): void {
  try {
    nameHolder(paths, boot)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

const reachedBy = (store: SqliteStore): Reached => ({
  revision: store.revision(),
  queueCommits: store.queueCommits(),
})

/** The structure of the database, then each entry and message. */
function checkAll(store: SqliteStore): void {
  const { db } = store.session.connection
  const problems = db.query<{ integrity_check: string }, []>('PRAGMA integrity_check(5)').all()
  const found = problems.map(({ integrity_check }) => integrity_check).filter(text => text !== 'ok')
  if (found.length > 0) throw new CorruptData(found.join('; '))
  while (!store.scrub());
}

function damage(paths: FolderPaths, error: unknown): unknown {
  if (error instanceof CorruptData || isCorrupt(error)) {
    const { message } = error as Error
    return new StorageError(
      'data_folder_corrupt',
      `The data folder ${paths.folder} is damaged. ${message}${message.endsWith('.') ? '' : '.'}`,
      { cause: error },
    )
  }
  return error instanceof StorageError ? error : unusable(paths, error)
}

function unusable(paths: FolderPaths, error: unknown): StorageError {
  return new StorageError(
    'data_folder_unusable',
    `The data folder ${paths.folder} cannot be used: ${(error as Error).message}. Check that it is a folder that you may read and write, and that its disk has room.`,
    { cause: error },
  )
}
