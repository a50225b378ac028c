/**
 * What is committed and waits until the disk has it. Meanwhile the next turns are applied and committed behind it, and
 * nothing of them is told before everything in front of it.
 *
 *     committed ──▶ waits ──its sync is done, and all before it are told──▶ told
 *                     │ a sync fails
 *                     ▼
 *                   refused, with everything that waits
 *
 * One sync at a time. It covers all that was committed before it began; what comes meanwhile shares the next one.
 */
import type { EntryChange } from './change.ts'

/** A turn, or what was read behind it. */
export interface Untold {
  /** Absent: it waits only for what is in front of it. `here`: it is alone, and nobody waits while its thread does. */
  readonly sync?: 'here' | 'beside' | undefined
  /** Of which nobody knows whether they are on disk if the sync fails. */
  readonly changes?: readonly EntryChange[]
  tell(): void
  refuse(error: unknown): void
}

export interface UntoldQueue {
  isEmpty(): boolean
  /** Tells it at once if nothing keeps it. */
  add(untold: Untold): void
  /** Resolves when nothing waits any more. */
  emptied(): Promise<void>
}

export interface UntoldOptions {
  /** What was committed before is on disk when it returns, or when its promise resolves. `isHere`: the former, please. */
  readonly sync: (isHere: boolean) => void | Promise<void>
  /** Called before those who wait are refused, with the changes of all of them. */
  readonly onFault: (error: unknown, changes: readonly EntryChange[]) => void
}

export function createUntoldQueue({ sync, onFault }: UntoldOptions): UntoldQueue {
  let waiting: { readonly place: number; readonly untold: Untold }[] = []
  let added = 0
  /** Everything up to this place is on disk. */
  let synced = 0
  let isSyncing = false
  let isProceeding = false
  const whenEmpty: (() => void)[] = []

  /** Whoever is told something may add more: that is told here, too. */
  function proceed(): void {
    if (isProceeding) return
    isProceeding = true
    while (waiting.length > 0) {
      const { place, untold } = waiting[0]!
      if (untold.sync !== undefined && place > synced) {
        if (!isSyncing) beginSync()
        if (isSyncing) break
      } else {
        waiting.shift()
        untold.tell()
      }
    }
    isProceeding = false
    if (waiting.length > 0) return
    for (const tell of whenEmpty.splice(0)) tell()
  }

  /** When it returns and nothing is under way, all is on disk, or refused. */
  function beginSync(): void {
    const upTo = added
    isSyncing = true
    const done = (): void => {
      isSyncing = false
      synced = upTo
    }
    try {
      const later = sync(waiting.every(({ untold }) => untold.sync !== 'beside'))
      if (later === undefined) done()
      else later.then(done, refuse).then(proceed)
    } catch (error) {
      refuse(error)
    }
  }

  function refuse(error: unknown): void {
    isSyncing = false
    const refused = waiting
    waiting = []
    onFault(
      error,
      refused.flatMap(({ untold }) => untold.changes ?? []),
    )
    for (const { untold } of refused) untold.refuse(error)
  }

  return {
    isEmpty: () => waiting.length === 0,
    add(untold) {
      added++
      waiting.push({ place: added, untold })
      proceed()
    },
    emptied: () =>
      waiting.length === 0 ? Promise.resolve() : new Promise(resolve => void whenEmpty.push(resolve)),
  }
}
