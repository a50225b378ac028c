/** What happened after a revision: from memory if it was lately, else from the store, in portions. */
import { limits } from '../protocol/limits.ts'
import type { EntryChange } from './change.ts'
import type { Collection, Space } from './command.ts'
import type { Feed, Partition } from './partition.ts'
import type { RecentChanges } from './recent.ts'
import type { Store } from './store.ts'

function belongsTo(change: EntryChange, of: Collection | Space): boolean {
  if (typeof of === 'string') return change.space === of
  return change.space === of.space && change.name === of.name && change.group === of.group
}

export function createFeed(
  store: Store,
  recent: RecentChanges,
  /** Up to this revision everything was told. The store may hold more, of which nobody knows whether it is on disk. */
  told: () => number,
  atTurnEnd: (task: () => void) => void,
): Partition['since'] {
  const oldest = (): number => Math.min(store.oldest(), recent.oldest())

  /** Of a revision that memory reaches back to. */
  function fromMemory(of: Collection | Space, revision: number, limit: number): readonly EntryChange[] {
    return recent.after(of, revision, limit)
  }

  async function fromStore(of: Collection | Space, revision: number, limit: number): Promise<Feed> {
    const changes: EntryChange[] = []
    let place = revision
    let looked = 0
    while (changes.length < limit && place < recent.oldest()) {
      // Meanwhile it may have been forgotten.
      if (place < oldest()) return gone()
      const portion = store.portion(place)
      for (const change of portion.changes) {
        const isTold = change.revision <= told()
        if (isTold && belongsTo(change, of) && changes.length < limit) changes.push(change)
      }
      // What is not told yet may be told while this goes on.
      place = Math.min(portion.revision, told())
      looked += portion.changes.length
      if (looked < limits.feedPortion) continue
      looked = 0
      await new Promise<void>(resolve => atTurnEnd(resolve))
    }
    if (changes.length < limit) changes.push(...fromMemory(of, place, limit - changes.length))
    return feedOf(changes, revision, limit)
  }

  const gone = (): Feed => ({ kind: 'gone', oldest: oldest(), revision: told() })

  function feedOf(changes: readonly EntryChange[], after: number, limit: number): Feed {
    const isAll = changes.length < limit
    const revision = isAll ? Math.max(told(), after) : (changes.at(-1)?.revision ?? 0)
    return { kind: 'changes', changes, revision }
  }

  return (of, revision, limit) => {
    if (revision > store.revision() || revision < oldest()) return gone()
    if (revision < recent.oldest()) return fromStore(of, revision, limit)
    return feedOf(fromMemory(of, revision, limit), revision, limit)
  }
}
