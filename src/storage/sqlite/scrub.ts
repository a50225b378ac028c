/**
 * Looks at all entries, then at all messages: that each is what was written, that its indexes lead to it, and that none is missing.
 * In portions, while others write.
 */
import { limits } from '../../protocol/limits.ts'
import { CorruptData } from '../storageError.ts'
import { collectionOf } from './collections.ts'
import type { Connection } from './connection.ts'
import { scrubMessages } from './queue/scrub.ts'
import type { SqliteQueueTables } from './queue/tables.ts'
import { type Session, using } from './session.ts'
import { entryOf } from './tables.ts'

/** Returns what looks at the next portion: true when it was the last one; the next call begins anew. Throws `CorruptData`. */
export function createScrub(session: Session, queues: SqliteQueueTables): (portion?: number) => boolean {
  let isAtMessages = false
  return (portion = limits.scrubPortion) => {
    if (!isAtMessages) {
      isAtMessages = scrubEntries(session, portion)
      return false
    }
    isAtMessages = !scrubMessages(session, queues, portion)
    return !isAtMessages
  }
}

function scrubEntries(session: Session, portion: number): boolean {
  return using(session, ({ ask }) => {
    const { totals } = session
    const rows = ask.entriesAfter.all(totals.scrubbedTo === 0 ? -1 : totals.scrubbedTo, portion)
    let named: number | undefined
    for (const row of rows) {
      const { key } = entryOf(row)
      if (row.collection !== named) checkCollection(ask, row.collection)
      named = row.collection
      const byKey = ask.keyLeadsTo.get(row.collection, row.key)
      const inOrder = ask.orderLeadsTo.get(row.collection, row.created_at)
      if (byKey?.created_at !== row.created_at || inOrder === null) {
        throw new CorruptData(`An index does not lead to key ${JSON.stringify(key)}. Restore a backup.`)
      }
      totals.scrubbedTo = row.created_at
      totals.scrubbedEntries++
      totals.scrubbedDigest = (totals.scrubbedDigest + row.checksum) >>> 0
    }
    if (rows.length === portion) return false
    const { scrubbedEntries, scrubbedDigest } = totals
    totals.scrubbedTo = 0
    totals.scrubbedEntries = 0
    totals.scrubbedDigest = 0
    if (scrubbedEntries === totals.entries && scrubbedDigest === totals.digest) return true
    throw new CorruptData(
      scrubbedEntries === totals.entries
        ? 'The entries are not those that were written: their sum is wrong. Restore a backup.'
        : `There are ${scrubbedEntries} entries, but ${totals.entries} were written. Restore a backup.`,
    )
  })
}

function checkCollection(ask: Connection['ask'], id: number): void {
  const row = ask.collectionOfId.get(id)
  if (row === null) throw new CorruptData(`Collection ${id} has entries, but no name. Restore a backup.`)
  const { space, name } = collectionOf(row)
  if (ask.collection.get(row.space, row.name, row.group)?.id === id) return
  throw new CorruptData(`An index does not lead to ${space} ${JSON.stringify(name)}. Restore a backup.`)
}
