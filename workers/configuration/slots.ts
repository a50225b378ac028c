/** What is in memory of all entries: those there are, and of deleted ones their revisions. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { type Entry, isEntry, type Kept } from './entry.ts'
import type { Fingerprint } from './record.ts'

export interface Bounds {
  readonly entries: number
  /** Deleted ones that are remembered. */
  readonly deleted: number
  /** Of all entries together, as JSON with their history. */
  readonly characters: number
}

export interface Slot {
  readonly kept: Kept
  readonly file: Fingerprint
}

export interface Slots {
  get(id: string): Slot | undefined
  find(id: string): Entry | undefined
  entries(): Entry[]
  ids(): readonly string[]
  put(kept: Kept, file: Fingerprint): void
  /** Forgets a deleted one. */
  drop(id: string): void
  /** The one that was deleted first, when there are more of them than are remembered. */
  excess(): string | undefined
  /** Throws when there is no room for an entry as it will be. */
  requireRoom(entry: Entry): void
}

export function createSlots(bounds: Bounds): Slots {
  const slots = new Map<string, Slot & { readonly size: number }>()
  /** In the order in which they were deleted. */
  const deleted = new Set<string>()
  let characters = 0

  function find(id: string): Entry | undefined {
    const kept = slots.get(id)?.kept
    return isEntry(kept) ? kept : undefined
  }

  return {
    get: id => slots.get(id),
    find,
    entries: () => [...slots.values()].map(({ kept }) => kept).filter(isEntry),
    ids: () => [...slots.keys()],

    put(kept, file) {
      const { id } = kept
      const size = isEntry(kept) ? sizeOf(kept) : 0
      characters += size - (slots.get(id)?.size ?? 0)
      slots.set(id, { kept, file, size })
      deleted.delete(id)
      if (!isEntry(kept)) deleted.add(id)
    },

    drop(id) {
      if (deleted.delete(id)) slots.delete(id)
    },

    excess: () => (deleted.size > bounds.deleted ? deleted.values().next().value : undefined),

    requireRoom(entry) {
      const count = slots.size - deleted.size
      if (find(entry.id) === undefined && count >= bounds.entries)
        throw new HandlerError('ADAPTER_ERROR', `there are ${count} configurations, more are not kept`)
      const more = sizeOf(entry) - (slots.get(entry.id)?.size ?? 0)
      if (more <= 0 || characters + more <= bounds.characters) return
      throw new HandlerError(
        'VALUE_TOO_LARGE',
        `all configurations together, with their history, may have ${bounds.characters} characters`,
      )
    },
  }
}

function sizeOf(entry: Entry): number {
  return JSON.stringify(entry).length
}
