/** What happened after a revision, read from the log. */
import { limits } from '../../protocol/limits.ts'
import type { EntryChange } from '../change.ts'
import { CorruptData } from '../storageError.ts'
import type { Portion } from '../store.ts'
import { readChanges } from './changesText.ts'
import type { Log } from './log.ts'

/** Some of the changes after `revision`, up to `last`. Throws `CorruptData` if one is missing. */
export function portionOf(log: Log, revision: number, last: number): Portion {
  const changes: EntryChange[] = []
  let place = revision
  const isEnough = (): boolean => place >= last || changes.length >= limits.feedPortion
  while (!isEnough()) {
    const before = place
    for (const record of log.recordsNear(place)) {
      if (record.revision <= place) continue
      // Revisions in between: a record is missing.
      if (record.after > place) throw missing(place)
      for (const change of readChanges(record.changes)) if (change.revision > place) changes.push(change)
      place = record.revision
      if (isEnough()) break
    }
    if (place === before) throw missing(place)
  }
  return { changes, revision: place }
}

const missing = (place: number): CorruptData =>
  new CorruptData(
    `The changes after revision ${place} are missing or not what was written. Read everything anew.`,
  )
