/** What is kept of one configuration, and what may be asked of it. */
import type { Cause } from '../../src/delivery/depth.ts'
import type { Json } from './json.ts'

/** A value that was in force, or lost against another one. */
export interface Past {
  readonly revision: number
  readonly value: Json
  /** Milliseconds since 1970. */
  readonly atMs: number
  /** Name of a worker, `file` for an edit by hand, `engine` for the engine itself. */
  readonly author: string
  readonly how: 'register' | 'set' | 'patch' | 'rollback' | 'edit'
  /** An edit of the file that a `set` at the same time has replaced: it was never in force. */
  readonly isLost: boolean
}

export interface Entry {
  readonly id: string
  readonly name: string
  readonly description: string
  /** `undefined`: there never was one. */
  readonly schema: Json | undefined
  /** The schema before that of somebody who is not among the registrants: what it marks stays a secret. */
  readonly formerSchema?: Json | undefined
  /** As it was given, placeholders and all. */
  readonly value: Json
  readonly metadata: Json | undefined
  /** Grows with every change, also over a deletion. */
  readonly revision: number
  /** Workers it belongs to, the latest last: these see its secrets. */
  readonly registrants: readonly string[]
  /** The newest last; the value in force is among them. */
  readonly history: readonly Past[]
}

/** What is left of a deleted one: its revisions must not come again. */
export interface Tombstone {
  readonly id: string
  readonly revision: number
}

export type Kept = Entry | Tombstone

export function isEntry(kept: Kept | undefined): kept is Entry {
  return kept !== undefined && 'history' in kept
}

export type EventType = 'configuration:registered' | 'configuration:updated' | 'configuration:deleted'

/** What a change is told as; values as they are stored. */
export interface ConfigurationEvent {
  readonly type: EventType
  /** After the change; before it for a deletion. */
  readonly entry: Entry
  readonly oldValue: Json
  readonly newValue: Json
}

/** Who does something, and when. */
export interface Deed {
  readonly author: string
  readonly atMs: number
}

/** Who has asked for a change, and the call by which. */
export interface Asker {
  readonly author: string
  readonly cause?: Cause | undefined
}
