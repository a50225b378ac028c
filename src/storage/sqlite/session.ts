/** What all parts of a SQLite store share: the connection, which may be another one after a fault, and the totals. */
import { StorageFault } from '../store.ts'
import type { Connection } from './connection.ts'
import { isCorrupt, meaningOf } from './faults.ts'
import type { QueueStep } from './queue/steps.ts'
import type { Totals } from './totals.ts'

export interface Session {
  /** For messages. */
  readonly folder: string
  connection: Connection
  /** In the transaction that is open. */
  totals: Totals
  /** The connection is not to be trusted any more. */
  isBroken: boolean
  /** SQLite has a transaction open, with all turns since the tables were settled. */
  isOpen: boolean
  /** The turn that is under way has written something. */
  hasWritten: boolean
  /** What it has done with queues, in order. */
  steps: QueueStep[]
  /** The tables lack turns that were committed: they are not read before they have them again. */
  isBehind: boolean
  /** SQLite has met damage: until its transaction is rolled back it refuses to write. */
  isSpoiled: boolean
}

export const sessionOf = (folder: string, connection: Connection, totals: Totals): Session => ({
  folder,
  connection,
  totals,
  isBroken: false,
  isOpen: false,
  hasWritten: false,
  steps: [],
  isBehind: false,
  isSpoiled: false,
})

/** Does what needs the database, and says what its errors mean. */
export function using<Result>(session: Session, work: (connection: Connection) => Result): Result {
  if (session.isBehind) throw behind(session)
  try {
    return work(session.connection)
  } catch (error) {
    if (session.isOpen && !session.connection.db.inTransaction) {
      // SQLite has rolled back by itself.
      session.isOpen = false
      session.isBehind = true
    }
    if (session.isOpen && isCorrupt(error)) session.isSpoiled = true
    const meaning = meaningOf(error, session.folder)
    if (meaning instanceof Error && 'kind' in meaning && meaning.kind === 'broken') session.isBroken = true
    throw meaning
  }
}

/** The same for what changes the tables. */
export function writing<Result>(session: Session, work: (connection: Connection) => Result): Result {
  session.hasWritten = true
  return using(session, work)
}

const behind = ({ folder }: Session): StorageFault =>
  new StorageFault(
    'broken',
    `The disk of the data folder ${folder} has failed in the middle of a transaction, and what was there before cannot be read yet. Look after the disk: the engine tries again every second.`,
  )
