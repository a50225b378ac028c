/**
 * The durable partition: one writer of everything that must survive.
 *
 * One turn of the event loop is one transaction. Commands gather, and are applied in order at the end of the turn; nothing is told of
 * them (no answer, no event) before they are on disk. While one fsync is under way, the next turns are applied and
 * committed, and share the next one: the more there is to do, the fewer fsyncs each of it costs.
 *
 *   submit ──end of turn──▶ apply, in one transaction ──▶ commit ──fsync──▶ changes to followers, answers, reads
 *                             │ refused: nothing of it stays   │ failed: all of the turn is refused, nothing stays
 *                             ▼                                ▼
 *                           error to its caller              STORAGE_UNAVAILABLE to every caller of the turn
 */
import type { Cause, EntryChange, Publication } from './change.ts'
import type { Answer, Collection, Command, Space } from './command.ts'
import type { MessageChange, QueueChange } from './queue/message.ts'
import type { ReadTables } from './tables.ts'

/**
 * How far a write has come before it is answered. `memory`: applied. `os`: written, so that it survives the end of the
 * process. `disk`: synced, so that it survives the end of the power.
 */
export type Level = (typeof LEVELS)[number]
export const LEVELS = ['memory', 'os', 'disk'] as const

export interface Committed {
  /** One for each command. */
  readonly answers: readonly Answer[]
  readonly revision: number
  /** What was reached; at least what was asked for. */
  readonly level: Level
  /** Milliseconds from `submit` to the answer. */
  readonly ms: number
}

/**
 * `soon`: told when it is written, and on disk with the next sync, or `syncSoonMs` later. For what may be undone by a loss of
 * power, because it is done again then: nothing of it may be a change that has a revision.
 */
export type SubmitLevel = Level | 'soon'

export interface SubmitOptions {
  /** Default `disk`. */
  readonly level?: SubmitLevel
  /** Stands in the changes that followers are told of. */
  readonly cause?: Cause | undefined
}

/** What happened in one transaction, in order. */
export interface Committal {
  readonly changes: readonly EntryChange[]
  readonly publications: readonly Publication[]
  /** Of queues; absent: none. */
  readonly messages?: readonly MessageChange[]
  readonly queues?: readonly QueueChange[]
}

/** What is still known of what happened after a revision. */
export type Feed =
  | { readonly kind: 'changes'; readonly changes: readonly EntryChange[]; readonly revision: number }
  /** Older than what is kept: read everything anew. */
  | { readonly kind: 'gone'; readonly oldest: number; readonly revision: number }

export interface PartitionStatus {
  readonly adapter: 'sqlite' | 'memory'
  readonly health: 'ok' | 'degraded'
  /** Why it is degraded, and what to do. */
  readonly reason: string | undefined
  readonly revision: number
  readonly commits: number
  readonly commands: number
  readonly syncs: number
}

export interface Partition {
  /**
   * All of the commands or none. Rejects with a `StorageError` of code `VERSION_CONFLICT`, `VALUE_TOO_LARGE`, … when one
   * of them is refused, `STORAGE_UNAVAILABLE` when nothing can be written.
   */
  submit(commands: readonly Command[], options?: SubmitOptions): Promise<Committed>
  /**
   * Asks without changing anything. At once when nothing is under way (throws what goes wrong); else the answer comes behind that,
   * because it never tells of what may not stay. `nowMs`: entries that expired before it are to be left out. `revision`: of the
   * last change that is in the tables.
   */
  read<Result>(
    query: (tables: ReadTables, nowMs: number, revision: number) => Result,
  ): Result | Promise<Result>
  /** Told of every transaction after it is committed, in order, before its callers hear of it. Returns how to stop it. */
  follow(follower: (committal: Committal) => void): () => void
  /** What happened after `revision`, oldest first: of a collection, or of a whole space. */
  since(of: Collection | Space, revision: number, limit: number): Feed | Promise<Feed>
  status(): PartitionStatus
  /** A consistent copy as a file, while it runs. */
  backup(file: string): Promise<void>
  /** Commits what is open and frees the folder. */
  close(): Promise<void>
}
