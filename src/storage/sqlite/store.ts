/** A partition in a SQLite database, with a log of its own before it: synced when the partition asks for it. */
import { dirname } from 'node:path'
import { limits } from '../../protocol/limits.ts'
import { makeOwn, syncFolder } from '../folder/files.ts'
import type { Reached } from '../folder/witness.ts'
import { writeChanges } from '../log/changesText.ts'
import type { KeptLimits } from '../log/log.ts'
import { portionOf } from '../log/portion.ts'
import { CorruptData } from '../storageError.ts'
import { StorageFault, type Store } from '../store.ts'
import { type SyncFile, syncWritten } from '../sync.ts'
import { copyDatabase } from './backup.ts'
import { diskFault } from './faults.ts'
import { createScrub } from './scrub.ts'
import { type Session, using } from './session.ts'
import { copyOfTotals, countTurn, type Totals } from './totals.ts'
import { openWindow, type Window } from './window.ts'

export interface SqliteStoreOptions {
  readonly file: string
  /** For messages, and for the log. */
  readonly folder: string
  /** Which changes are kept. */
  readonly history?: KeptLimits
  /** Default `fdatasync`. */
  readonly sync?: SyncFile
  /** Nothing that was written before it was opened is lost, whether it was synced or not. */
  readonly isWhole?: boolean
  /** Throws if that is not all that there should be; nothing was changed then. */
  readonly check?: (reached: Reached) => void
  /** A sync has failed: what was written may be lost without any further fault. */
  readonly onUnsynced?: () => void
  /** All that was committed up to here is on disk. */
  readonly onSynced?: (reached: Reached) => void
  /** Between 0 and 1; for what must not be the same twice. Default `Math.random`. */
  readonly random?: () => number
  /** Wall clock, milliseconds. Default `Date.now`. */
  readonly wallClock?: () => number
}

export interface SqliteStore extends Store {
  readonly session: Session
  /** Moves everything from the log to its place. */
  settle(): void
  /** From now on revisions above this one are given out, and nobody resumes from before. */
  leaveGap(revision: number): void
  /** Closes it at once, when it turns out to be of no use. */
  abandon(): void
  close(): Promise<void>
}

const historyLimits: KeptLimits = {
  changes: limits.feedChanges,
  bytes: limits.feedBytes,
  ageMs: limits.feedAgeMs,
}

const reachedBy = ({ revision, messages }: Totals): Reached => ({ revision, queueCommits: messages.commits })

/** Throws what SQLite says, a `NewerDatabase` or a `CorruptData`. */
export function openSqliteStore({
  file,
  folder,
  history = historyLimits,
  sync = syncWritten,
  check,
  onSynced,
  isWhole = false,
  onUnsynced = () => {},
  random = Math.random,
  wallClock = Date.now,
}: SqliteStoreOptions): SqliteStore {
  makeOwn(file)
  const window = openWindow({ file, folder, kept: history, random, wallClock, sync, onUnsynced })
  const { session, tables } = window
  const { queues } = tables
  /** Of the log. */
  let syncedTurn = window.settledTurn()
  try {
    syncFolder(dirname(file))
    check?.(reachedBy(window.committed()))
    if (settleAtStart(window, isWhole)) syncedTurn = window.committed().turn
  } catch (error) {
    window.close(false)
    throw error
  }
  /** As of the savepoint. */
  let saved = { totals: window.committed(), queues: 0, steps: 0, hasWritten: false }
  let isTurnOpen = false
  let isSynced = true
  let isRelaxed = false
  /** That it is relaxed has reached the disk. */
  let isRelaxationSynced = false
  let isSyncing = false
  let syncs = 0
  let copying: Promise<void> | undefined

  function syncLog(isHere: boolean): void | Promise<void> {
    const totals = window.committed()
    const log = window.log()
    const files = log.unsynced()
    const done = (): void => {
      // The system tells once that something may be lost, and that may not have been here.
      if (session.isBroken) failed(new Error('a sync has failed meanwhile'))
      isSyncing = false
      syncs++
      syncedTurn = totals.turn
      isRelaxationSynced = totals.isRelaxed
      log.synced(files)
      onSynced?.(reachedBy(totals))
    }
    isSyncing = true
    try {
      if (session.isBroken) throw new Error('a sync has failed before')
      const later = syncEach(files, isHere)
      if (later === undefined) done()
      else return later.then(done, failed)
    } catch (error) {
      failed(error)
    }
  }

  /** One after the other: those behind an end that was torn do not count. */
  function syncEach(files: readonly number[], isHere: boolean): void | Promise<void> {
    for (const [place, file] of files.entries()) {
      const later = sync(file, isHere)
      if (later !== undefined) return later.then(() => syncEach(files.slice(place + 1), isHere))
    }
  }

  function failed(error: unknown): never {
    isSyncing = false
    session.isBroken = true
    onUnsynced()
    throw diskFault(error, folder)
  }

  function begin(waits: boolean): void {
    window.prepare()
    isTurnOpen = true
    // The first commit that does not wait says so, and this has to be on disk.
    isSynced = waits || !isRelaxationSynced
    isRelaxed = !waits
    if (isRelaxed) session.totals.isRelaxed = true
  }

  /** Settles when there is much to settle. */
  function settleInTime(isRotated: boolean, changes: number): void {
    if (window.weigh(changes) < limits.logWindowChanges && !isRotated) return
    window.settleLater()
    if (isSyncing || session.isBroken) return
    syncedTurn = window.committed().turn
    window.log().synced(window.log().unsynced())
  }

  function recover(): void {
    if (session.isBroken) {
      window.reopen(syncedTurn)
      isRelaxationSynced = false
    } else {
      window.prepare()
      window.settle()
    }
    syncLog(true)
  }

  return {
    adapter: 'sqlite',
    session,
    tables,
    revision: () => window.committed().revision,
    queueCommits: () => window.committed().messages.commits,
    oldest: () => session.totals.oldestChange,
    syncs: () => syncs,
    begin,
    savepoint() {
      const { hasWritten, steps, totals } = session
      saved = { totals: copyOfTotals(totals), queues: queues.mark(), steps: steps.length, hasWritten }
      using(session, ({ ask }) => ask.savepoint.run())
    },
    release: () => using(session, ({ ask }) => void ask.release.run()),
    rollbackToSavepoint() {
      session.totals = copyOfTotals(saved.totals)
      tables.forgetSome()
      queues.undoTo(saved.queues)
      session.steps.length = saved.steps
      using(session, ({ ask }) => {
        ask.rollbackToSavepoint.run()
        ask.release.run()
      })
      session.hasWritten = saved.hasWritten
    },
    commit(revision, changes) {
      const { totals, steps } = session
      const after = totals.revision
      totals.revision = revision
      countTurn(totals)
      let isRotated: boolean
      try {
        isRotated = window.log().append({
          turn: totals.turn,
          after,
          revision,
          atMs: changes.at(-1)?.atMs ?? wallClock(),
          isRelaxed,
          entriesDigest: totals.digest,
          messagesDigest: totals.messages.digest,
          changes: changes.length === 0 ? '' : writeChanges(changes),
          steps: steps.length === 0 ? '' : JSON.stringify(steps),
        })
      } catch (error) {
        throw diskFault(error, folder)
      }
      isTurnOpen = false
      window.keep()
      settleInTime(isRotated, changes.length)
      return isSynced
    },
    sync: syncLog,
    rollback() {
      if (!isTurnOpen) return
      isTurnOpen = false
      window.undo()
    },
    portion: revision => portionOf(window.log(), revision, window.committed().revision),
    recover() {
      try {
        recover()
      } catch (error) {
        const meaning = diskFault(error, folder)
        throw meaning instanceof StorageFault ? meaning : new StorageFault('broken', meaning.message, error)
      }
    },
    isChecked: false,
    scrub: createScrub(session, queues),
    settle: window.settle,
    async backup(target) {
      while (copying !== undefined) await copying.catch(() => {})
      window.settle()
      copying = copyDatabase(session, file, target).finally(() => {
        copying = undefined
      })
      await copying
    },
    leaveGap: revision => window.startAnew(revision, true),
    abandon: () => window.close(false),
    async close() {
      await copying?.catch(() => {})
      await window.idle()
      let isSettled = false
      try {
        isSettled = settleAtEnd(window)
      } finally {
        window.close(isSettled)
      }
    },
  }
}

/** Returns whether everything is on disk now. */
function settleAtStart(window: Window, isWhole: boolean): boolean {
  const { totals } = window.session
  if (totals.isRelaxed && !isWhole) {
    // Revisions were told that may have been lost with the power: none comes twice.
    window.startAnew(totals.revision + limits.revisionGap, true)
    return true
  }
  if (totals.lineage === 0) {
    window.startAnew(totals.revision, false)
    return true
  }
  const { isRelaxed } = totals
  try {
    totals.isRelaxed = false
    window.settle()
    window.syncDatabase()
    return true
  } catch (error) {
    window.session.totals.isRelaxed = isRelaxed
    // What is there can be read.
    if (error instanceof CorruptData || (error instanceof StorageFault && error.kind === 'full')) return false
    throw error
  }
}

/** Returns whether it could. On a disk that cannot be written the next start does everything again. */
function settleAtEnd(window: Window): boolean {
  if (window.session.isBroken) return false
  try {
    window.session.totals.isRelaxed = false
    window.settle()
    return true
  } catch (error) {
    if (!(error instanceof StorageFault) && !(error instanceof CorruptData)) throw error
    return false
  }
}
