/**
 * What the stream worker needs of whatever keeps its items, in its own words. The durable partition is one way
 * (`adapters/partition.ts`); a database elsewhere would be another, which is why everything here may take time.
 */
import type { JsonText } from '../../src/protocol/jsonText.ts'
import type { Cause } from '../../src/storage/change.ts'
import type { OperationError } from '../../src/storage/command.ts'
import type { Level } from '../../src/storage/partition.ts'
import type { UpdateOperation } from '../../src/storage/update/operation.ts'

/** A group of a stream. Names are any strings. */
export interface Group {
  readonly stream: string
  readonly group: string
}

export interface Address extends Group {
  readonly item: string
}

export interface Item {
  readonly id: string
  readonly data: JsonText
  /** Grows with every write of the item; never comes twice. */
  readonly version: number
}

export interface WriteOptions {
  /** The version the item must have, 0: it must not exist. Absent: any. */
  readonly ifVersion: number | undefined
  /** Wall clock, milliseconds. Absent: it stays. */
  readonly expiresAtMs: number | undefined
  /** How far it comes before it is answered. */
  readonly level: Level
  readonly cause: Cause | undefined
}

export interface Written {
  readonly oldValue: JsonText | undefined
  readonly newValue: JsonText | undefined
  readonly version: number
  readonly errors: readonly OperationError[]
}

/** What happened to a group: what its clients are told, and in this order. */
export interface StreamEvent extends Group {
  /** Sequence number: grows from event to event. */
  readonly seq: number
  /** Wall clock, milliseconds. */
  readonly atMs: number
  readonly item: string | undefined
  readonly kind: EventKind
  /** Of `event`: `{"type": …, "data": …}`, as it was sent. */
  readonly data: JsonText
  readonly reason: 'expired' | undefined
  /** Of the call that made it; replays do not know it. */
  readonly cause: Cause | undefined
}

/** `event`: nothing was stored (`stream::send`). */
export type EventKind = 'create' | 'update' | 'delete' | 'event'

export interface ItemQuery {
  readonly prefix: string | undefined
  /** Of the page before. */
  readonly cursor: string | undefined
  /** Absent: all. */
  readonly limit: number | undefined
  /** Of values, with which a page ends; absent: with more than a message holds nothing is listed. */
  readonly characters?: number
}

export interface ItemPage {
  readonly items: readonly Item[]
  /** Absent: this is the last page. */
  readonly cursor: string | undefined
  /** It ends before what was asked for, because more would be too much. */
  readonly isCut: boolean
}

export interface NameQuery {
  readonly prefix: string | undefined
  /** The last name of the page before. */
  readonly after: string | undefined
  readonly limit: number | undefined
}

/** The items of a group, or one of them, as they were after the event `seq` and before the next. */
export interface Snapshot {
  readonly seq: number
  readonly items: readonly Item[]
  /** These are not all: it would be too much. */
  readonly isCut: boolean
}

/** `undefined`: some of it is not kept any more. */
export type Replay = { readonly seq: number; readonly events: readonly StreamEvent[] } | undefined

export interface StreamStore {
  set(address: Address, data: JsonText, options: WriteOptions): Promise<Written>
  remove(address: Address, options: WriteOptions): Promise<Written>
  update(
    address: Address,
    operations: readonly UpdateOperation[],
    options: WriteOptions & { readonly maxValueBytes: number | undefined },
  ): Promise<Written>
  /** All of these are removed together. */
  removeAll(group: Group, items: readonly string[], cause: Cause | undefined): Promise<void>
  /** An event that changes nothing here. */
  tell(
    group: Group,
    item: string | undefined,
    kind: EventKind,
    data: JsonText,
    cause: Cause | undefined,
  ): Promise<void>
  get(address: Address): Promise<Item | undefined>
  /** Throws a `RangeError` for a cursor that is none of its own. */
  list(group: Group, query: ItemQuery): Promise<ItemPage>
  /** Sorted. Groups that have ever held something. */
  groups(stream: string, query: NameQuery): Promise<string[]>
  /** Sorted. */
  streams(query: NameQuery): Promise<string[]>
  snapshot(group: Group, item: string | undefined): Promise<Snapshot>
  /** What happened to a group after the event `seq`. */
  replay(group: Group, seq: number, limit: number): Promise<Replay>
  /** The number of the last event that followers were told of. */
  seq(): number
  /** Told of every event, in order, before whoever caused it hears that it is done. */
  follow(follower: (events: readonly StreamEvent[]) => void): () => void
}
