/**
 * Sums over the whole database, kept with it whenever it is settled: so that it is noticed when a row is missing, not only
 * when it is wrong. Also what a running scrub has added up so far: writes to rows it has passed are added to its sums.
 */
import { CorruptData } from '../storageError.ts'
import { textChecksum } from './checksums.ts'
import type { Connection } from './connection.ts'

export interface Totals {
  revision: number
  entries: number
  /** Sum of the checksums of all entries, modulo 2³². */
  digest: number
  /** Changes above this revision are all kept. */
  oldestChange: number
  /** Transactions so far. */
  turn: number
  /** Of the revisions: another one when some were left out. 0: of a database that never had a log. */
  lineage: number
  /** Since it was opened, something was committed without waiting for the disk. */
  isRelaxed: boolean
  /** How far the scrub has come (`created_at`), and what it has seen there. */
  scrubbedTo: number
  scrubbedEntries: number
  scrubbedDigest: number
  readonly messages: MessageTotals
}

/** The same over the messages of queues. They stand in a row of their own: most transactions do nothing with queues, or nothing else. */
export interface MessageTotals {
  /** Of messages; higher ones were not given out. */
  lastNumber: number
  /** Of queues and lanes. */
  lastId: number
  /** Transactions that did something with queues. */
  commits: number
  messages: number
  digest: number
  /** Something was done with queues in the transaction that is open. */
  isTouched: boolean
  scrubbedTo: number
  scrubbedMessages: number
  scrubbedDigest: number
}

const emptyTotals: Readonly<Totals> = {
  revision: 0,
  entries: 0,
  digest: 0,
  oldestChange: 0,
  turn: 0,
  lineage: 0,
  isRelaxed: false,
  scrubbedTo: 0,
  scrubbedEntries: 0,
  scrubbedDigest: 0,
  messages: {
    lastNumber: 0,
    lastId: 0,
    commits: 0,
    messages: 0,
    digest: 0,
    isTouched: false,
    scrubbedTo: 0,
    scrubbedMessages: 0,
    scrubbedDigest: 0,
  },
}

export const copyOfTotals = (totals: Totals): Totals => ({ ...totals, messages: { ...totals.messages } })

/** An entry is there now, or (`count` -1) no longer. */
export function addToTotals(totals: Totals, createdAt: number, checksum: number, count: 1 | -1): void {
  totals.entries += count
  totals.digest = (totals.digest + count * checksum) >>> 0
  if (createdAt > totals.scrubbedTo) return
  totals.scrubbedEntries += count
  totals.scrubbedDigest = (totals.scrubbedDigest + count * checksum) >>> 0
}

/** A message is there now, or (`count` -1) no longer. */
export function addMessageToTotals(
  { messages: totals }: Totals,
  number: number,
  checksum: number,
  count: 1 | -1,
): void {
  totals.isTouched = true
  totals.messages += count
  totals.digest = (totals.digest + count * checksum) >>> 0
  if (number > totals.scrubbedTo) return
  totals.scrubbedMessages += count
  totals.scrubbedDigest = (totals.scrubbedDigest + count * checksum) >>> 0
}

const messageValuesOf = ({ lastNumber, lastId, commits, messages, digest }: MessageTotals): number[] => [
  lastNumber,
  lastId,
  commits,
  messages,
  digest,
]

function readMessageTotals({ ask }: Connection): MessageTotals {
  const row = ask.messageTotals.get()
  if (row === null) {
    if (ask.messagesAfter.get(-1, 1) === null && ask.queuesAfter.get('', 1) === null)
      return { ...emptyTotals.messages }
    throw new CorruptData('The totals of the messages in the database are missing.')
  }
  const { last_number: lastNumber, last_id: lastId, commits, messages, digest } = row
  const totals = { ...emptyTotals.messages, lastNumber, lastId, commits, messages, digest }
  if (textChecksum(...messageValuesOf(totals)) === row.checksum) return totals
  throw new CorruptData('The totals of the messages in the database are not what was written.')
}

function valuesOf(totals: Totals): number[] {
  const { revision, entries, digest, oldestChange, turn, lineage, isRelaxed } = totals
  return [revision, entries, digest, oldestChange, turn, lineage, isRelaxed ? 1 : 0]
}

export function readTotals(connection: Connection): Totals {
  const { ask } = connection
  const row = ask.totals.get()
  if (row === null) {
    // A new database has none, and nothing else either.
    if (ask.entriesAfter.get(-1, 1) === null && ask.messageTotals.get() === null)
      return copyOfTotals(emptyTotals)
    throw new CorruptData('The totals of the database are missing.')
  }
  const totals: Totals = {
    ...emptyTotals,
    revision: row.revision,
    entries: row.entries,
    digest: row.digest,
    oldestChange: row.oldest_change,
    turn: row.turn,
    lineage: row.lineage,
    isRelaxed: row.relaxed !== 0,
    messages: readMessageTotals(connection),
  }
  if (textChecksum(...valuesOf(totals)) !== row.checksum) {
    throw new CorruptData('The totals of the database are not what was written.')
  }
  return totals
}

/** A transaction was committed. */
export function countTurn(totals: Totals): void {
  totals.turn++
  const { messages } = totals
  if (messages.isTouched) messages.commits++
  messages.isTouched = false
}

export function keepTotals({ ask }: Connection, totals: Totals): void {
  const values = valuesOf(totals)
  ask.keepTotals.run(...values, textChecksum(...values))
  const ofMessages = messageValuesOf(totals.messages)
  ask.keepMessageTotals.run(...ofMessages, textChecksum(...ofMessages))
}
