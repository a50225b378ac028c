/**
 * What a partition keeps, as the commands see it: one function for each thing that is asked of it. `memory/` and
 * `sqlite/` are two ways to keep it; one conformance suite runs over both. All of it is synchronous and belongs to the
 * transaction that is open.
 */
import type { JsonText } from '../protocol/jsonText.ts'
import type { Collection, Space } from './command.ts'
import type { QueueTables, ReadQueueTables } from './queue/tables.ts'
import type { CorruptData } from './storageError.ts'

export interface Entry {
  readonly key: string
  readonly value: JsonText
  /** Revision of its last write. */
  readonly version: number
  /** Revision of the write that created it: lists are in this order. */
  readonly createdAt: number
  /** Wall clock, milliseconds. */
  readonly updatedAtMs: number
  readonly expiresAtMs: number | undefined
}

/** To everyone but the tables such an entry is gone. */
export function hasExpired({ expiresAtMs }: Pick<Entry, 'expiresAtMs'>, nowMs: number): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= nowMs
}

export interface ListQuery {
  /** Only keys that begin so; the list is in the order of keys then. */
  readonly prefix: string | undefined
  /** Where the page before ended: its last entry. */
  readonly after: Pick<Entry, 'key' | 'createdAt'> | undefined
  readonly limit: number
}

export interface GroupQuery {
  readonly prefix: string | undefined
  readonly after: string | undefined
  readonly limit: number
}

/** Throws a `CorruptData` if what it finds is not what was written. Never leaves out expired entries: `apply/` does. */
export interface ReadTables {
  readonly queues: ReadQueueTables
  get(collection: Collection, key: string): Entry | undefined
  /** In the order of creation, or of keys if there is a prefix. */
  list(collection: Collection, query: ListQuery): Entry[]
  /** Of all its entries, expired ones too: how many, and bytes of their values. None of them is read. */
  sizeOf(collection: Collection): { readonly entries: number; readonly bytes: number }
  /** Names of collections that have ever held something, sorted: the scopes, or the streams. */
  names(space: Space, query: GroupQuery): string[]
  /** Groups of one name, sorted. */
  groups(space: Space, name: string, query: GroupQuery): string[]
}

export interface Tables extends ReadTables {
  readonly queues: QueueTables
  /** Creates or replaces. */
  put(collection: Collection, entry: Entry): void
  remove(collection: Collection, key: string): void
  /** Entries that have expired at `nowMs`, oldest first. Those that are damaged are left out: `onDamage` hears why. */
  expired(
    nowMs: number,
    limit: number,
    onDamage: (damage: CorruptData) => void,
  ): { readonly collection: Collection; readonly entry: Entry }[]
  /** When the next entry expires. */
  nextExpiryMs(): number | undefined
}
