/**
 * What the state worker needs of whatever keeps its values, in its own words. The durable partition is one way
 * (`adapters/partition.ts`); a database elsewhere would be another, which is why everything here may take time.
 *
 * Refusals are thrown as `StorageError`, by whatever keeps the values: `VERSION_CONFLICT`, `VALUE_TOO_LARGE`, ….
 */
import type { JsonText } from '../../src/protocol/jsonText.ts'
import type { Cause } from '../../src/storage/change.ts'
import type { OperationError } from '../../src/storage/command.ts'
import type { Level } from '../../src/storage/partition.ts'
import type { QueueCommand } from '../../src/storage/queue/command.ts'
import type { UpdateOperation } from '../../src/storage/update/operation.ts'

/** Scope and key are any strings. */
export interface Address {
  readonly scope: string
  readonly key: string
}

export interface Item {
  readonly key: string
  readonly value: JsonText
  /** Grows with every write; never comes twice. */
  readonly version: number
  /** Wall clock, milliseconds. */
  readonly updatedAtMs: number
  readonly expiresAtMs: number | undefined
}

/** An item of a stream; only stores that hold streams, too, know what to do with it. */
export interface ItemAddress {
  readonly stream: string
  readonly group: string
  readonly item: string
}

interface Condition {
  /** The version that must be there, 0: nothing must be there. Absent: any. */
  readonly ifVersion: number | undefined
}

interface Lifetime {
  /** Wall clock, milliseconds. Absent: for a new value until it is removed, for an update as before. */
  readonly expiresAtMs: number | undefined
}

interface Put extends Condition, Lifetime {
  readonly value: JsonText
}

interface Update extends Condition, Lifetime {
  readonly operations: readonly UpdateOperation[]
  readonly maxValueBytes: number | undefined
}

export type Write =
  | ({ readonly kind: 'set' } & Address & Put)
  | ({ readonly kind: 'delete' } & Address & Condition)
  | ({ readonly kind: 'update' } & Address & Update)
  | ({ readonly kind: 'stream_set' } & ItemAddress & Put)
  | ({ readonly kind: 'stream_delete' } & ItemAddress & Condition)
  | ({ readonly kind: 'stream_update' } & ItemAddress & Update)
  | ({ readonly kind: 'stream_send' } & Omit<ItemAddress, 'item'> & {
        readonly item: string | undefined
        readonly type: string
        readonly data: JsonText
      })
  | { readonly kind: 'publish'; readonly topic: string; readonly data: JsonText }
  /** Only stores that hold queues, too, know what to do with it. */
  | { readonly kind: 'enqueue'; readonly messages: readonly QueueCommand[] }

/** What one write did. */
export interface Written {
  readonly oldValue: JsonText | undefined
  readonly newValue: JsonText | undefined
  /** Of the value that is there now; 0: there is none. */
  readonly version: number
  readonly errors: readonly OperationError[]
}

export interface WriteResult {
  /** One for each write. */
  readonly written: readonly Written[]
  readonly revision: number
  /** How far it has come; at least what was asked for, where the store can. */
  readonly level: Level
  readonly ms: number
}

export interface WriteOptions {
  readonly level: Level
  readonly cause: Cause | undefined
}

/** What happened to a value. */
export interface StateChange extends Address {
  /** Grows from change to change. */
  readonly revision: number
  /** Wall clock, milliseconds. */
  readonly atMs: number
  readonly event: 'created' | 'updated' | 'deleted'
  readonly reason: 'expired' | undefined
  readonly oldValue: JsonText | undefined
  readonly newValue: JsonText | undefined
  readonly cause: Cause | undefined
}

/** A message that a write has published. */
export interface Publication {
  readonly topic: string
  readonly data: JsonText
  readonly cause: Cause | undefined
}

export interface ItemQuery {
  readonly scope: string
  /** Only such keys; they come in their order then, else in that of their creation. */
  readonly prefix: string | undefined
  /** `cursor` of the page before. */
  readonly cursor: string | undefined
  /** Absent: all. */
  readonly limit: number | undefined
  /** Of the items nothing but their keys is asked for. */
  readonly keysOnly: boolean
}

export interface ItemPage {
  readonly items: readonly Item[]
  /** Absent: this is the last page. */
  readonly cursor: string | undefined
  /** It ends before what was asked for, because more would be too much. */
  readonly isCut: boolean
}

export interface ScopeQuery {
  readonly prefix: string | undefined
  /** The last scope of the page before. */
  readonly after: string | undefined
  readonly limit: number
}

export type Feed =
  | { readonly kind: 'changes'; readonly changes: readonly StateChange[]; readonly revision: number }
  /** Some of it is not kept any more. */
  | { readonly kind: 'gone'; readonly oldest: number; readonly revision: number }

export interface StateStore {
  /** All of them or none. */
  write(writes: readonly Write[], options: WriteOptions): Promise<WriteResult>
  get(address: Address): Item | undefined | Promise<Item | undefined>
  /**
   * Throws a `RangeError` for a cursor that is none of its own, a `StorageError` of code `payload_too_large` if no message
   * could hold them.
   */
  list(query: ItemQuery): ItemPage | Promise<ItemPage>
  /** Sorted; also those that are empty now. */
  scopes(query: ScopeQuery): readonly string[] | Promise<readonly string[]>
  /** What happened after a revision, oldest first; `revision` of the answer: how far it looked. */
  since(scope: string | undefined, revision: number, limit: number): Feed | Promise<Feed>
  /** Of the last change. */
  revision(): number
  /** Told of what was done together, in order, before whoever did it hears of it. */
  follow(
    follower: (changes: readonly StateChange[], publications: readonly Publication[]) => void,
  ): () => void
}
