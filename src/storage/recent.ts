/**
 * The latest changes, in memory, found by collection. They are put in order by collection only when somebody asks: most
 * are forgotten before.
 */
import { limits } from '../protocol/limits.ts'
import type { EntryChange } from './change.ts'
import { collectionId } from './collectionId.ts'
import type { Collection, Space } from './command.ts'

export interface RecentChanges {
  /** Changes above this revision are all here. */
  oldest(): number
  add(changes: readonly EntryChange[]): void
  /** Up to `limit` changes after `revision`, which is at least `oldest`. */
  after(of: Collection | Space, revision: number, limit: number): EntryChange[]
  /** Forgets all of them. */
  restart(revision: number): void
}

export interface RecentLimits {
  readonly changes: number
  readonly bytes: number
  /** Milliseconds. */
  readonly ageMs: number
}

/** What a partition of this kind keeps in memory. */
export function recentLimits(adapter: 'sqlite' | 'memory'): RecentLimits {
  // In memory there is nothing else.
  if (adapter === 'memory') {
    return { changes: limits.feedChanges, bytes: limits.feedBytes, ageMs: limits.feedAgeMs }
  }
  return { changes: limits.recentChanges, bytes: limits.recentBytes, ageMs: limits.feedAgeMs }
}

/** A list whose first items are taken away one by one. */
interface Queue {
  items: EntryChange[]
  head: number
}

/** What a change takes beside its values. */
const CHANGE_BYTES = 200

const sizeOf = ({ oldValue, newValue }: EntryChange): number =>
  CHANGE_BYTES + (oldValue?.length ?? 0) + (newValue?.length ?? 0)

const idOf = (of: Collection | Space): string => (typeof of === 'string' ? of : collectionId(of))

function shift(queue: Queue): EntryChange | undefined {
  const change = queue.items[queue.head]
  if (change === undefined) return undefined
  queue.head++
  if (queue.head > 1024 && queue.head * 2 > queue.items.length) {
    queue.items = queue.items.slice(queue.head)
    queue.head = 0
  }
  return change
}

/** Place of the first item above `revision`. */
function placeAfter({ items, head }: Queue, revision: number): number {
  let [low, high] = [head, items.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (items[middle]!.revision <= revision) low = middle + 1
    else high = middle
  }
  return low
}

export function createRecentChanges(startRevision: number, limits: RecentLimits): RecentChanges {
  let oldest = startRevision
  let all: Queue = { items: [], head: 0 }
  let bytes = 0
  /** Of collections and spaces, as far as `ordered` says. */
  const found = new Map<string, Queue>()
  /** Up to this revision changes are in `found`. */
  let ordered = startRevision

  function order(): void {
    for (let at = placeAfter(all, ordered); at < all.items.length; at++) {
      const change = all.items[at]!
      for (const id of [idOf(change), change.space]) {
        const queue = found.get(id)
        if (queue === undefined) found.set(id, { items: [change], head: 0 })
        else queue.items.push(change)
      }
      ordered = change.revision
    }
  }

  function forgetFirst(): void {
    const change = shift(all)!
    oldest = change.revision
    bytes -= sizeOf(change)
    if (change.revision > ordered) return
    for (const id of [idOf(change), change.space]) {
      const queue = found.get(id)!
      shift(queue)
      if (queue.head === queue.items.length) found.delete(id)
    }
  }

  return {
    oldest: () => oldest,
    add(changes) {
      for (const change of changes) {
        all.items.push(change)
        bytes += sizeOf(change)
      }
      const newest = changes.at(-1)
      if (newest === undefined) return
      const dueMs = newest.atMs - limits.ageMs
      while (
        all.items.length - all.head > limits.changes ||
        bytes > limits.bytes ||
        (all.items[all.head]?.atMs ?? dueMs) < dueMs
      ) {
        forgetFirst()
      }
    },
    after(of, revision, limit) {
      order()
      const queue = found.get(idOf(of))
      if (queue === undefined) return []
      const start = placeAfter(queue, revision)
      return queue.items.slice(start, start + limit)
    },
    restart(revision) {
      oldest = revision
      ordered = revision
      all = { items: [], head: 0 }
      bytes = 0
      found.clear()
    },
  }
}
