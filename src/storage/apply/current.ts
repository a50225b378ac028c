/** What every write looks at first: the entry that is there, and whether it is the one that was asked for. */
import type { Collection } from '../command.ts'
import { StorageError } from '../storageError.ts'
import { type Entry, hasExpired } from '../tables.ts'
import type { ApplyContext } from './context.ts'

export interface Current {
  /** `undefined`: there is none, or it has expired. */
  readonly entry: Entry | undefined
  /** It is still in the tables, though to everyone else it is gone: whoever writes clears it away first. */
  readonly expired: Entry | undefined
}

export function currentEntry({ tables, nowMs }: ApplyContext, collection: Collection, key: string): Current {
  const entry = tables.get(collection, key)
  if (entry === undefined || !hasExpired(entry, nowMs)) return { entry, expired: undefined }
  return { entry: undefined, expired: entry }
}

/** Throws `VERSION_CONFLICT`. */
export function checkVersion(entry: Entry | undefined, ifVersion: number | undefined): void {
  const version = entry?.version ?? 0
  if (ifVersion === undefined || ifVersion === version) return
  const found = entry === undefined ? 'there is none (version 0)' : `it has version ${version}`
  const wanted = ifVersion === 0 ? 'a key without a value (version 0)' : `version ${ifVersion}`
  throw new StorageError('VERSION_CONFLICT', `The write is for ${wanted}, but ${found}. Read it again.`, {
    details: { version },
  })
}

/** Removes an entry whose time has passed, and tells so. */
export function clearExpired(context: ApplyContext, collection: Collection, entry: Entry): void {
  context.tables.remove(collection, entry.key)
  context.emit({
    revision: context.nextRevision(),
    atMs: context.nowMs,
    ...collection,
    key: entry.key,
    event: 'deleted',
    reason: 'expired',
    oldValue: entry.value,
    newValue: undefined,
    type: undefined,
  })
}
