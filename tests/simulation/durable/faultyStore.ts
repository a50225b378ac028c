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
  /** Attempts to recover that fail. */
  failingRecoveries: number
  /** Takes out the commits since the last look. */
  attempts(): Attempt[]
  /** How the last attempt to recover since the last look has ended. */
  recovery(): 'failed' | 'done' | undefined
}

/** The process ends here. */
export class Crash extends Error {}

export function createFaultyStore(inner: Store): FaultyStore {
  let attempts: Attempt[] = []
  let recovery: 'failed' | 'done' | undefined
  /** Of a commit of which the partition does not know that it has succeeded. */
  let known: number | undefined

  return {
    ...inner,
    fault: undefined,
    failingRecoveries: 0,
    revision: () => known ?? inner.revision(),
    commit(revision, changes) {
      const { fault } = this
      this.fault = undefined
      attempts.push({ fault, changes })
      if (fault === 'full') throw new StorageFault('full', 'the disk is full')
      if (fault === 'broken before') throw new StorageFault('broken', 'the disk reports an error')
      if (fault === 'crash before') throw new Crash()
      const before = inner.revision()
      inner.commit(revision, changes)
      if (fault === 'broken after') {
        known = before
        throw new StorageFault('broken', 'the disk reports an error')
      }
      if (fault === 'crash after') throw new Crash()
    },
    portion(place) {
      const { changes, revision } = inner.portion(place)
      if (known === undefined) return { changes, revision }
      const most = known
      return {
        changes: changes.filter(change => change.revision <= most),
        revision: Math.min(revision, most),
      }
    },
    recover() {
      if (this.failingRecoveries > 0) {
        this.failingRecoveries--
        recovery = 'failed'
        throw new StorageFault('broken', 'the disk still reports an error')
      }
      inner.recover()
      known = undefined
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
