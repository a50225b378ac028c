/** A store whose next commit goes wrong when the run says so. It keeps what really was committed. */
import type { EntryChange } from '../../../src/storage/change.ts'
import { StorageFault, type Store } from '../../../src/storage/store.ts'

/** `before`, `after`: whether what was committed has reached the disk when the fault comes. */
export type Fault = 'full' | 'broken before' | 'broken after' | 'crash before' | 'crash after'

export interface Attempt {
  readonly fault: Fault | undefined
  readonly changes: readonly EntryChange[]
}

export interface FaultyStore extends Store {
  /** What becomes of the next commit. */
  fault: Fault | undefined
  /** A sync has failed since the last look; what need not be on disk at once is synced later than it is committed. */
  hasSyncFailed(): boolean
  /** Attempts to recover that fail. */
  failingRecoveries: number
  /** Takes out the commits since the last look. */
  attempts(): Attempt[]
  /** How the last attempt to recover since the last look has ended. */
  recovery(): 'failed' | 'done' | undefined
}

/** The process ends here. */
class Crash extends Error {}

/** `syncFails`: set while a commit is to be written, but not synced. */
export function createFaultyStore(inner: Store, disk: { syncFails: boolean }): FaultyStore {
  let attempts: Attempt[] = []
  let recovery: 'failed' | 'done' | undefined
  let hasSyncFailed = false

  return {
    ...inner,
    fault: undefined,
    failingRecoveries: 0,
    commit(revision, changes) {
      const { fault } = this
      this.fault = undefined
      attempts.push({ fault, changes })
      if (fault === 'full') throw new StorageFault('full', 'the disk is full')
      if (fault === 'broken before') throw new StorageFault('broken', 'the disk reports an error')
      if (fault === 'crash before') throw new Crash()
      disk.syncFails = fault === 'broken after'
      const needsSync = inner.commit(revision, changes)
      if (fault === 'crash after') throw new Crash()
      return needsSync
    },
    sync(isHere) {
      hasSyncFailed ||= disk.syncFails
      try {
        return inner.sync(isHere)
      } finally {
        disk.syncFails = false
      }
    },
    hasSyncFailed() {
      const taken = hasSyncFailed
      hasSyncFailed = false
      return taken
    },
    recover() {
      if (this.failingRecoveries > 0) {
        this.failingRecoveries--
        recovery = 'failed'
        throw new StorageFault('broken', 'the disk still reports an error')
      }
      inner.recover()
      recovery = 'done'
    },
    attempts() {
      const taken = attempts
      attempts = []
      return taken
    },
    recovery() {
      const taken = recovery
      recovery = undefined
      return taken
    },
  }
}
