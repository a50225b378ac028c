/** What all parts of a SQLite store share: the connection, which may be another one after a fault, and the totals. */
import type { Connection } from './connection.ts'
import { meaningOf } from './faults.ts'
import type { Totals } from './totals.ts'

export interface Session {
  /** For messages. */
  readonly folder: string
  connection: Connection
  /** In the transaction that is open. */
  totals: Totals
  /** The connection is not to be trusted any more. */
  isBroken: boolean
}

/** Does what needs the database, and says what its errors mean. */
export function using<Result>(session: Session, work: (connection: Connection) => Result): Result {
  try {
    return work(session.connection)
  } catch (error) {
    const meaning = meaningOf(error, session.folder)
    if (meaning instanceof Error && 'kind' in meaning && meaning.kind === 'broken') session.isBroken = true
    throw meaning
  }
}
