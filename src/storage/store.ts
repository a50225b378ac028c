/**
 * What keeps a partition: its tables, a transaction at a time, and the changes of the transactions before. All of it but
 * the sync is synchronous. A fault of the disk is thrown as `StorageFault`; after it nothing of the transaction is there.
 */
import type { EntryChange } from './change.ts'
import type { Tables } from './tables.ts'

/**
 * The disk does not do what it was asked for. `full`: there is no room, the store can go on. `broken`: nothing is known of
 * what was written; `recover` has to come first.
 */
export class StorageFault extends Error {
  readonly kind: 'full' | 'broken'

  constructor(kind: 'full' | 'broken', message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StorageFault'
    this.kind = kind
  }
}

/** Kept changes with a revision above the one asked for, oldest first. */
export interface Portion {
  readonly changes: readonly EntryChange[]
  /** Everything up to here has been looked at. */
  readonly revision: number
}

export interface Store {
  readonly adapter: 'sqlite' | 'memory'
  readonly tables: Tables
  /** Of the last change that is committed. */
  revision(): number
  /** Transactions so far that did something with queues: they have no revision. */
  queueCommits(): number
  /** Changes above this revision are all kept. */
  oldest(): number
  /** Fsyncs so far. */
  syncs(): number
  /** With `isSynced` the commit needs a sync. */
  begin(isSynced: boolean): void
  /** One at a time: `release` or `rollbackToSavepoint` comes before the next. */
  savepoint(): void
  release(): void
  rollbackToSavepoint(): void
  /** `revision` is from now on that of the last of `changes`. True: it needs a sync. */
  commit(revision: number, changes: readonly EntryChange[]): boolean
  /**
   * Everything that was committed before is on disk when it returns, or when its promise resolves. `isHere`: rather the
   * former. Throws or rejects with a `StorageFault`: nobody knows then. One at a time.
   */
  sync(isHere: boolean): void | Promise<void>
  rollback(): void
  /** Some of the kept changes after `revision`: a bounded portion, and at least something if there is something. */
  portion(revision: number): Portion
  /** After a fault: makes sure that it can write and sync. Throws a `StorageFault` while it cannot. */
  recover(): void
  /** Everything was looked at when it was opened; else `scrub` has to. */
  readonly isChecked: boolean
  /** Looks at some of the entries and messages. True: it has seen all of them. Throws `CorruptData`. Not within a transaction. */
  scrub(): boolean
  /** Throws a `StorageError`. */
  backup(file: string): void | Promise<void>
  close(): void | Promise<void>
}
