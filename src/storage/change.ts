/** What a committed command did, for those who follow it: triggers, streams, feeds. */
import type { JsonText } from '../protocol/jsonText.ts'
import type { Space } from './command.ts'

/** What a write came from, as far as it goes on to what follows from it: a handler's `CallContext` is one. */
export interface Cause {
  readonly traceparent: string | undefined
  readonly baggage: string | undefined
}

/**
 * A change of an entry. `revision` grows with every change of the partition; the version of an entry is the revision of
 * its last write, so that a version never comes twice, not even after a removal.
 */
export interface EntryChange {
  readonly revision: number
  /** Wall clock, milliseconds. */
  readonly atMs: number
  readonly space: Space
  readonly name: string
  readonly group: string
  /** Absent: of `told` without an item. */
  readonly key: string | undefined
  readonly event: 'created' | 'updated' | 'deleted' | 'told'
  /** Why it was deleted, if nobody asked for it. */
  readonly reason: 'expired' | undefined
  readonly oldValue: JsonText | undefined
  /** Of `told`: its data. */
  readonly newValue: JsonText | undefined
  /** Of `told`: its type. */
  readonly type: string | undefined
  /** Of the value that was written; absent: it stays. Wall clock, milliseconds. */
  readonly expiresAtMs?: number | undefined
  /** For followers, who hear of it at once; feeds may have lost it. */
  readonly cause?: Cause | undefined
}

/** A message that a transaction publishes. */
export interface Publication {
  readonly topic: string
  readonly data: JsonText
  readonly cause?: Cause | undefined
}
