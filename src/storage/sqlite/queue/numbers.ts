/** Numbers of messages. What is left out when a transaction is rolled back is not given out again before the next start. */
import { limits } from '../../../protocol/limits.ts'
import { CorruptData } from '../../storageError.ts'
import { textChecksum } from '../checksums.ts'
import type { Connection } from '../connection.ts'
import { type Session, using } from '../session.ts'

export interface Numbers {
  next(): number
  /** Before the commit: none of those that were given out comes again. */
  keep(): void
  /** The database is another one. */
  forget(): void
}

export function createNumbers(session: Session): Numbers {
  let last: number | undefined
  let kept = 0

  function read(): number {
    kept = using(session, lastNumber)
    return kept
  }

  return {
    next() {
      last = (last ?? read()) + 1
      return last
    },
    keep() {
      const now = last
      if (now === undefined || now === kept) return
      using(session, ({ ask }) => ask.keepLastNumber.run(now, textChecksum(now)))
      kept = now
    },
    forget() {
      last = undefined
    },
  }
}

/** 0: none was ever given out. */
function lastNumber({ ask }: Connection): number {
  const row = ask.lastNumber.get()
  if (row !== null && textChecksum(row.last) !== row.checksum) {
    throw new CorruptData('The last number of a message is not what was written. Restore a backup.')
  }
  return row?.last ?? 0
}

/** In an open transaction: numbers may have been told that were lost with the power. */
export function leaveNumbersOut(connection: Connection): void {
  const last = lastNumber(connection) + limits.revisionGap
  connection.ask.keepLastNumber.run(last, textChecksum(last))
}
