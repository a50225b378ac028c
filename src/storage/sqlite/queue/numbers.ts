/** Numbers of messages. What is left out when a transaction is rolled back is not given out again before the next start. */
import { CorruptData } from '../../storageError.ts'
import { textChecksum } from '../checksums.ts'
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
    const row = using(session, ({ ask }) => ask.lastNumber.get())
    if (row !== null && textChecksum(row.last) !== row.checksum) {
      throw new CorruptData('The last number of a message is not what was written. Restore a backup.')
    }
    kept = row?.last ?? 0
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
