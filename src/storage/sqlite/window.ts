/**
 * The turns that are in the log, and of which the database has nothing on disk yet: they are in one transaction of SQLite that stays
 * open over all of them. To settle is to commit it.
 *
 *     settled ──a turn──▶ open ──a turn──▶ open ──▶ … ──the segment is full, a backup, the end──▶ settled
 *                          │ something fails that SQLite or a turn cannot go on from
 *                          └─▶ rolled back, all turns since it was settled done again from the log ──▶ open
 *
 * Once it is known to be on disk that it was settled, older segments of the log are there for feeds only.
 */
import { closeSync, openSync } from 'node:fs'
import { limits } from '../../protocol/limits.ts'
import { requirePresent } from '../folder/presence.ts'
import { type KeptLimits, type Log, openLog } from '../log/log.ts'
import { CorruptData, type StorageError } from '../storageError.ts'
import { StorageFault } from '../store.ts'
import type { SyncFile } from '../sync.ts'
import { type Connection, openConnection } from './connection.ts'
import { diskFault } from './faults.ts'
import { createSqliteQueueTables } from './queue/tables.ts'
import { replay } from './replay.ts'
import { type Session, sessionOf, using } from './session.ts'
import { createSqliteTables } from './tables.ts'
import { copyOfTotals, keepTotals, readTotals, type Totals } from './totals.ts'

export interface WindowOptions {
  readonly file: string
  readonly folder: string
  readonly kept: KeptLimits
  /** Between 0 and 1. */
  readonly random: () => number
  /** Wall clock, milliseconds. */
  readonly wallClock: () => number
  readonly sync: SyncFile
  /** A sync has failed. */
  readonly onUnsynced: () => void
}

export interface Window {
  readonly session: Session
  readonly tables: ReturnType<typeof createSqliteTables> & {
    readonly queues: ReturnType<typeof createSqliteQueueTables>
  }
  log(): Log
  /** As of the last turn. */
  committed(): Totals
  /** Of the last turn that the tables had on disk when it was opened, or have. */
  settledTurn(): number
  /** The turn that is under way stays. */
  keep(): void
  /** Makes sure that a turn can begin, and can be appended. Throws a `StorageFault`. */
  prepare(): void
  /** Of changes since the tables were settled, those of the turn that was just appended included. */
  weigh(changes: number): number
  /** Throws a `StorageFault`; then the turns are there all the same, or `session.isBehind`. */
  settle(): void
  /** The same, but nobody hears of it before the next turn. */
  settleLater(): void
  /** What the turn that is under way has done is undone. Throws a `StorageFault` if that cannot be; nothing is read until it can. */
  undo(): void
  /** After any other fault: the database is opened anew, and everything that may not be on disk is written again. */
  reopen(syncedTurn: number): void
  /** From now on revisions above this one are given out, and nobody resumes from before. */
  startAnew(revision: number, areNumbersLeftOut: boolean): void
  /** Throws a `StorageFault`. */
  syncDatabase(): void
  /** What is done beside ends. */
  idle(): Promise<void>
  close(isSettled: boolean): void
}

/** Throws what SQLite says, a `NewerDatabase` or a `CorruptData`. All turns of the log are done then, and nothing was changed on disk. */
export function openWindow(options: WindowOptions): Window {
  const { file, folder, kept, random, wallClock, sync, onUnsynced } = options
  const opened = openDatabase(file)
  const session = sessionOf(folder, opened.connection, opened.totals)
  const requireFile = requirePresent(file, folder)
  const queues = createSqliteQueueTables(session)
  const tables = { ...createSqliteTables(session), queues }
  const newSalt = (): number => Math.floor(random() * 2 ** 32)
  const openLogOf = ({ lineage }: Totals, lastNumber = 0): Log =>
    openLog({
      folder,
      lineage,
      lastNumber,
      newSalt,
      requireFolder: requireFile,
      sync: file => sync(file, true),
    })

  /** As of the last commit of SQLite. */
  let settled = copyOfTotals(session.totals)
  let committed = copyOfTotals(session.totals)
  let log = openLogOf(session.totals)
  /** Of changes since it was settled. */
  let changes = 0
  let isDue = false
  /** Tables that cannot be settled any more: it is told once by each who wants that, and the log has everything. */
  let damage: CorruptData | undefined
  /** What went wrong beside. */
  let fault: StorageFault | undefined
  let syncing: Promise<void> | undefined

  try {
    replayAll(Number.POSITIVE_INFINITY)
    log.endAt(committed.turn)
  } catch (error) {
    closeConnection(session.connection)
    throw error
  }

  function open(): void {
    if (session.isOpen) return
    using(session, ({ ask }) => ask.begin.run())
    session.isOpen = true
  }

  /** Turns behind what is settled, up to one. */
  function replayAll(lastTurn: number): void {
    for (const record of log.recordsAfter(session.totals.turn)) {
      if (record.turn > lastTurn) break
      open()
      replay(record, tables, session)
      changes += record.revision - record.after
    }
    committed = copyOfTotals(session.totals)
  }

  function forgetAll(totals: Totals): void {
    session.totals = copyOfTotals(totals)
    session.steps = []
    session.hasWritten = false
    session.isOpen = false
    session.isSpoiled = false
    changes = 0
    tables.forgetAll()
    queues.forgetAll()
  }

  function restore(): void {
    const { turn } = committed
    session.isBehind = false
    try {
      if (session.connection.db.inTransaction) using(session, ({ ask }) => ask.rollback.run())
      forgetAll(settled)
      replayAll(turn)
      if (committed.turn < turn) throw new Error('a transaction is missing in the log')
    } catch (error) {
      session.isBehind = true
      session.isBroken = true
      throw diskFault(error, folder)
    }
  }

  /** What was written may be lost: nothing is to be written behind it. */
  function unsynced(error: unknown): StorageFault | StorageError {
    session.isBroken = true
    // A folder that is not there, or is another one, is told nothing.
    if (!(error instanceof StorageFault)) onUnsynced()
    return diskFault(error, folder)
  }

  /** The tables are not to be read, or not to be written, as they are. */
  const isToRestore = (): boolean =>
    session.isBehind || session.isSpoiled || (session.isOpen && !session.connection.db.inTransaction)

  /** Throws a `StorageFault`, or the damage that keeps it from settling. */
  function settle(): void {
    isDue = true
    if (isToRestore()) restore()
    if (damage !== undefined) throw damage
    requireFile()
    try {
      // The tables never have what the log may lose.
      log.syncHere()
    } catch (error) {
      throw unsynced(error)
    }
    const { totals } = session
    const keptFrom = log.oldestToKeep(kept, totals.revision, wallClock())
    totals.oldestChange = Math.max(totals.oldestChange, keptFrom)
    try {
      open()
      using(session, connection => {
        queues.beforeSettling()
        keepTotals(connection, totals)
        connection.ask.commit.run()
      })
    } catch (error) {
      restore()
      const meaning = diskFault(error, folder)
      if (meaning instanceof CorruptData) damage = meaning
      throw meaning
    }
    session.isOpen = false
    session.hasWritten = false
    isDue = false
    changes = 0
    committed = copyOfTotals(session.totals)
    settled = committed
  }

  /** What cannot be settled stays in the log, and in memory; nobody else is held up by it as long as there is room. */
  function settleIfWhole(): void {
    if (damage === undefined) settle()
    else if (log.fileBytes() >= limits.logBytes) throw damage
  }

  function syncedDatabase(totals: Totals): void {
    log.forget(totals.turn, totals.oldestChange)
  }

  function syncDatabase(): void {
    const wal = openSync(`${file}-wal`, 'r')
    try {
      sync(wal, true)
    } finally {
      closeSync(wal)
    }
    syncedDatabase(settled)
  }

  /** What is older than what was settled is removed when it is known that this is on disk. */
  function syncBeside(): void {
    const [totals, of] = [settled, log]
    async function work(): Promise<void> {
      const wal = openSync(`${file}-wal`, 'r')
      try {
        await sync(wal, false)
        if (of === log) syncedDatabase(totals)
      } finally {
        closeSync(wal)
      }
    }
    const before = syncing
    syncing = (async () => {
      await before
      await work().catch(error => {
        onUnsynced()
        fault ??= diskFault(error, folder) as StorageFault
      })
    })()
  }

  return {
    session,
    tables,
    log: () => log,
    committed: () => committed,
    settledTurn: () => settled.turn,
    keep() {
      committed = copyOfTotals(session.totals)
      session.hasWritten = false
      session.steps = []
      tables.committed()
      queues.committed()
    },
    prepare() {
      if (fault !== undefined || session.isBroken) {
        session.isBroken = true
        throw fault ?? diskFault(new Error('it has failed before'), folder)
      }
      if (isToRestore()) restore()
      if (isDue) settleIfWhole()
      try {
        log.prepare(committed.turn, committed.revision, wallClock())
      } catch (error) {
        const meaning = diskFault(error, folder)
        if ((meaning as Partial<StorageFault>).kind === 'broken') throw unsynced(error)
        throw meaning
      }
      // A scrub goes on between turns.
      committed = copyOfTotals(session.totals)
      open()
    },
    weigh(more) {
      changes += more
      return changes
    },
    settle,
    settleLater() {
      try {
        settle()
        syncBeside()
      } catch (error) {
        // The turn is in the log. The next one meets this again.
        isDue = true
        if (session.isBroken) fault ??= error as StorageFault
      }
    },
    undo() {
      if (session.hasWritten || isToRestore()) return restore()
      session.totals = copyOfTotals(committed)
      tables.forget()
      // Rows that were only looked for are written all the same.
      queues.committed()
    },
    reopen(syncedTurn) {
      // Else there would be a new one, without anything in it.
      requireFile()
      session.isBehind = true
      log.close(false)
      try {
        closeConnection(session.connection)
      } catch {
        // It is not to be trusted anyway.
      }
      const before = committed
      const { connection, totals } = openDatabase(file)
      session.connection = connection
      settled = totals
      forgetAll(totals)
      session.isBehind = false
      log = openLogOf(totals, log.lastNumber())
      try {
        replayAll(Number.POSITIVE_INFINITY)
        if (committed.turn < Math.min(syncedTurn, before.turn)) {
          committed = before
          throw new Error('a transaction that was on disk is missing in the log')
        }
        log.endAt(committed.turn)
      } catch (error) {
        session.isBehind = true
        throw unsynced(error)
      }
      // From here on all of it can be read, also if it cannot be written.
      try {
        const { turn, revision } = committed
        // What may never have reached the disk, though the system has forgotten that, is written again.
        log.restart(Math.min(syncedTurn, turn) + 1, revision, wallClock())
        settle()
        connection.db.run('PRAGMA wal_checkpoint(TRUNCATE)')
      } catch (error) {
        throw unsynced(error)
      }
      fault = undefined
      session.isBroken = false
    },
    startAnew(revision, areNumbersLeftOut) {
      const { totals } = session
      totals.revision = revision
      totals.oldestChange = revision
      totals.isRelaxed = false
      totals.lineage = Math.floor(random() * Number.MAX_SAFE_INTEGER) + 1
      if (areNumbersLeftOut) {
        // Nor does a number of a message come twice.
        const { messages } = totals
        messages.lastNumber = Math.max(messages.lastNumber + limits.revisionGap, revision)
      }
      log.close(true)
      log = openLogOf(totals, log.lastNumber())
      settle()
      syncDatabase()
    },
    syncDatabase() {
      try {
        syncDatabase()
      } catch (error) {
        throw unsynced(error)
      }
    },
    async idle() {
      await syncing
      await log.idle()
    },
    close(isSettled) {
      log.close(isSettled)
      closeConnection(session.connection)
    },
  }
}

function openDatabase(file: string): { connection: Connection; totals: Totals } {
  const connection = openConnection(file)
  try {
    return { connection, totals: readTotals(connection) }
  } catch (error) {
    closeConnection(connection)
    throw error
  }
}

/** A statement that is left open would keep the file locked. */
function closeConnection({ db, ask }: Connection): void {
  for (const statement of Object.values(ask)) statement.finalize()
  db.close(true)
}
