/** A partition in a SQLite database: `bun:sqlite`, write-ahead log, synced when the partition asks for it. */
import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs'
import { chmod, copyFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { limits } from '../../protocol/limits.ts'
import { draftOf, makeOwn, OWN_FILE, syncFile, syncFolder } from '../folder/files.ts'
import { StorageError } from '../storageError.ts'
import { StorageFault, type Store } from '../store.ts'
import { type Connection, openConnection } from './connection.ts'
import { meaningOf } from './faults.ts'
import { createHistory, type HistoryLimits } from './history.ts'
import { requirePresent } from './presence.ts'
import { createSqliteQueueTables } from './queue/tables.ts'
import { createScrub } from './scrub.ts'
import { type Session, using } from './session.ts'
import { createSqliteTables } from './tables.ts'
import { copyOfTotals, keepTotals, readTotals, type Totals } from './totals.ts'

export interface SqliteStoreOptions {
  readonly file: string
  /** For messages. */
  readonly folder: string
  /** Which changes are kept. */
  readonly history?: HistoryLimits
  /** Everything that was written to a file is on disk when it returns, or when its promise resolves. Default `fdatasync`. */
  readonly sync?: (file: number) => void | Promise<void>
  /** Nothing that was written before it was opened is lost, whether it was synced or not. */
  readonly isWhole?: boolean
  /** A sync has failed: what was written may be lost without any further fault. */
  readonly onUnsynced?: () => void
  /** Everything up to this revision is on disk now, and up to so many transactions of queues. */
  readonly onSynced?: (revision: number, queueCommits: number) => void
}

export interface SqliteStore extends Store {
  readonly session: Session
  /** From now on revisions above this one are given out, and nobody resumes from before. */
  leaveGap(revision: number): void
  /** Closes it at once, when it turns out to be of no use. */
  abandon(): void
  close(): Promise<void>
}

const historyLimits: HistoryLimits = {
  changes: limits.feedChanges,
  bytes: limits.feedBytes,
  ageMs: limits.feedAgeMs,
}

const syncBeside = promisify(fdatasync)

/** Throws what SQLite says, a `NewerDatabase` or a `CorruptData`. */
export function openSqliteStore({
  file,
  folder,
  history: kept,
  sync: syncBy,
  onSynced,
  isWhole = false,
  onUnsynced,
}: SqliteStoreOptions): SqliteStore {
  makeOwn(file)
  const session = openSession(file, folder, isWhole)
  syncFolder(dirname(file))
  const requireFile = requirePresent(file, folder)
  const queues = createSqliteQueueTables(session)
  const tables = { ...createSqliteTables(session), queues }
  const history = createHistory(session, kept ?? historyLimits)
  /** As of the last commit, and as of the savepoint. */
  let committed = copyOfTotals(session.totals)
  let saved: Totals = committed
  let savedQueues = 0
  let isSynced = true
  /** That it is relaxed has reached the disk. */
  let isRelaxationSynced = false
  let log: number | undefined
  let syncs = 0
  let opened = 1
  let copying: Promise<void> | undefined

  function undo(totals: Totals): void {
    session.totals = copyOfTotals(totals)
    tables.forget()
    queues.undoTo(0)
    history.forget()
  }

  function undoToSavepoint(): void {
    session.totals = copyOfTotals(saved)
    tables.forgetSome()
    queues.undoTo(savedQueues)
    history.forget()
  }

  /**
   * What SQLite would do with `synchronous = FULL`. Here it is decided for each commit, and one that fails is not taken
   * for a transaction that was rolled back.
   */
  function syncLog(isHere: boolean): void | Promise<void> {
    const { revision, isRelaxed, messages } = committed
    const done = (): void => {
      syncs++
      isRelaxationSynced = isRelaxed
      onSynced?.(revision, messages.commits)
    }
    try {
      log ??= openSync(`${file}-wal`, 'r')
      const later = syncBy === undefined ? syncWritten(log, isHere) : syncBy(log)
      if (later === undefined) done()
      else return later.then(done, failed)
    } catch (error) {
      failed(error)
    }
  }

  function failed(error: unknown): never {
    session.isBroken = true
    onUnsynced?.()
    const { message } = error as Error
    throw new StorageFault(
      'broken',
      `The disk of the data folder ${folder} reports an error (${message}); what was being written may be lost. Look after the disk: the engine tries again every second.`,
      error,
    )
  }

  function closeLog(): void {
    if (log !== undefined) closeSync(log)
    log = undefined
  }

  function begin(waits: boolean): void {
    // The first commit that does not wait says so, and this has to be on disk.
    isSynced = waits || !isRelaxationSynced
    // A scrub goes on between transactions.
    committed = copyOfTotals(session.totals)
    if (!waits) session.totals.isRelaxed = true
    using(session, ({ ask }) => ask.begin.run())
  }

  /** True: it needs a sync. */
  function commit(revision: number): boolean {
    requireFile()
    session.totals.revision = revision
    queues.beforeCommit()
    using(session, connection => {
      keepTotals(connection, session.totals)
      connection.ask.commit.run()
    })
    committed = copyOfTotals(session.totals)
    tables.committed()
    queues.committed()
    return isSynced
  }

  /** A transaction without anything in it but totals, on disk when it returns. */
  function commitTotals(revision: number): void {
    commit(revision)
    syncLog(true)
  }

  function rollback(): void {
    undo(committed)
    if (session.connection.db.inTransaction) using(session, ({ ask }) => ask.rollback.run())
  }

  /** Everything is on disk now. On a disk that cannot be written the next start finds out that it is not. */
  function tighten(): void {
    try {
      begin(true)
      session.totals.isRelaxed = false
      commitTotals(session.totals.revision)
    } catch (error) {
      if (!(error instanceof StorageFault)) throw error
      rollback()
    }
  }

  function reopen(): void {
    // Else there would be a new one, without anything in it.
    requireFile()
    closeLog()
    try {
      closeConnection(session.connection)
    } catch {
      // It is not to be trusted anyway.
    }
    const { connection, totals } = openSession(file, folder, false)
    opened++
    session.connection = connection
    isRelaxationSynced = false
    // What is in the log may never have reached the disk, though the system has forgotten that: it is written again.
    connection.db.run('PRAGMA wal_checkpoint(TRUNCATE)')
    committed = totals
    undo(totals)
    tables.forgetAll()
    queues.forgetAll()
    session.isBroken = false
  }

  async function copy(target: string): Promise<void> {
    const draft = draftOf(target)
    const isOf = opened
    // What is in the log goes to its place, and nothing else does until the copy is made: new commits stay in the log.
    using(session, ({ db }) => db.run('PRAGMA wal_autocheckpoint = 0'))
    try {
      const moved = using(session, ({ ask }) => ask.checkpoint.get())
      if (moved === null || moved.busy !== 0 || moved.log !== moved.checkpointed)
        throw new Error('the log is in use')
      await copyFile(file, draft)
      await chmod(draft, OWN_FILE)
      if (isOf !== opened) throw new Error('the database was opened anew meanwhile')
      syncFile(draft)
      await rename(draft, target)
      syncFolder(dirname(target))
    } catch (error) {
      await rm(draft, { force: true })
      throw new StorageError(
        'STORAGE_UNAVAILABLE',
        `The backup ${target} could not be made: ${(error as Error).message}. Check that there is room for ${file} once more, and that the folder may be written.`,
        { cause: error },
      )
    } finally {
      using(session, ({ db }) => db.run(`PRAGMA wal_autocheckpoint = ${limits.walBytes / limits.pageBytes}`))
    }
  }

  return {
    adapter: 'sqlite',
    session,
    tables,
    revision: () => committed.revision,
    queueCommits: () => committed.messages.commits,
    oldest: () => session.totals.oldestChange,
    syncs: () => syncs,
    begin,
    savepoint() {
      saved = copyOfTotals(session.totals)
      savedQueues = queues.mark()
      using(session, ({ ask }) => ask.savepoint.run())
    },
    release: () => using(session, ({ ask }) => void ask.release.run()),
    rollbackToSavepoint() {
      undoToSavepoint()
      using(session, ({ ask }) => {
        ask.rollbackToSavepoint.run()
        ask.release.run()
      })
    },
    commit(revision, changes) {
      if (changes.length > 0) history.add(changes)
      return commit(revision)
    },
    sync: syncLog,
    rollback,
    portion: revision => history.portion(revision),
    recover() {
      try {
        if (session.isBroken) reopen()
        begin(true)
        commitTotals(session.totals.revision)
      } catch (error) {
        const meaning = meaningOf(error, folder)
        if (session.connection.db.inTransaction) rollback()
        else undo(committed)
        throw meaning
      }
    },
    isChecked: false,
    scrub: createScrub(session, queues),
    async backup(target) {
      while (copying !== undefined) await copying.catch(() => {})
      copying = copy(target).finally(() => {
        copying = undefined
      })
      await copying
    },
    leaveGap(revision) {
      leaveGap(session.connection, session.totals, revision)
      begin(true)
      commitTotals(revision)
    },
    abandon() {
      closeLog()
      closeConnection(session.connection)
    },
    async close() {
      await copying?.catch(() => {})
      if (session.totals.isRelaxed) tighten()
      closeLog()
      closeConnection(session.connection)
    },
  }
}

function openSession(file: string, folder: string, isWhole: boolean): Session {
  const connection = openConnection(file)
  try {
    const totals = readTotals(connection)
    if (totals.isRelaxed && !isWhole) leaveGap(connection, totals, totals.revision + limits.revisionGap)
    return { folder, connection, totals, isBroken: false }
  } catch (error) {
    closeConnection(connection)
    throw error
  }
}

/**
 * Revisions were told that may have been lost with the power. None comes twice: some are left out, and nobody resumes
 * from before.
 */
function leaveGap(connection: Connection, totals: Totals, revision: number): void {
  const { ask } = connection
  totals.revision = revision
  totals.oldestChange = totals.revision
  totals.keptChanges = 0
  totals.keptBytes = 0
  totals.isRelaxed = false
  ask.begin.run()
  ask.forgetChanges.run(totals.revision)
  // Nor does a number of a message.
  const { messages } = totals
  messages.lastNumber = Math.max(messages.lastNumber + limits.revisionGap, revision)
  messages.isTouched = true
  keepTotals(connection, totals)
  ask.commit.run()
}

function syncWritten(file: number, isHere: boolean): void | Promise<void> {
  if (isHere) fdatasyncSync(file)
  else return syncBeside(file)
}

/** A statement that is left open would keep the file locked. */
function closeConnection({ db, ask }: Connection): void {
  for (const statement of Object.values(ask)) statement.finalize()
  db.close(true)
}
