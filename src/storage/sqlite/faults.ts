/** What an error of SQLite means to the partition. */
import { SQLiteError } from 'bun:sqlite'
import { CorruptData, StorageError } from '../storageError.ts'
import { StorageFault } from '../store.ts'

/** Primary result codes of SQLite: the low byte of its extended ones. */
const CODES = {
  /** Our statements are right: the schema they are for is not what was written. */
  error: 1,
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const

function primaryCode(error: unknown): number | undefined {
  return error instanceof SQLiteError ? error.errno & 0xff : undefined
}

export const isBusy = (error: unknown): boolean => primaryCode(error) === CODES.busy

/** `SQLITE_IOERR_SHORT_READ`: the file ends before the page does. A disk that fails says something else. */
const SHORT_READ = 522

export const isCorrupt = (error: unknown): boolean => {
  if (error instanceof SQLiteError && error.errno === SHORT_READ) return true
  const code = primaryCode(error)
  return code === CODES.corrupt || code === CODES.notADatabase || code === CODES.error
}

/** A `StorageFault`, a `CorruptData`, or the error itself if it is neither. */
export function meaningOf(error: unknown, folder: string): unknown {
  if (isCorrupt(error)) {
    return new CorruptData(
      `The data folder ${folder} is damaged: ${messageOf(error)}. Stop the engine, look with \`iii doctor --data ${folder}\`, and restore a backup.`,
      error,
    )
  }
  switch (primaryCode(error)) {
    case CODES.full:
      return full(folder, error)
    case CODES.ioError:
    case CODES.readOnly:
    case CODES.cannotOpen:
    case CODES.busy:
      return broken(folder, error)
    default:
      return error
  }
}

/** The same, of what was done with a file. Whatever it is: it is not known what has become of what was written. */
export function diskFault(error: unknown, folder: string): StorageFault | StorageError {
  const meaning = meaningOf(error, folder)
  if (meaning instanceof StorageFault || meaning instanceof StorageError) return meaning
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOSPC' || code === 'EDQUOT' ? full(folder, error) : broken(folder, error)
}

const full = (folder: string, error: unknown): StorageFault =>
  new StorageFault(
    'full',
    `The disk of the data folder ${folder} is full; nothing of this was written. Free some space: writing goes on by itself.`,
    error,
  )

const broken = (folder: string, error: unknown): StorageFault =>
  new StorageFault(
    'broken',
    `The disk of the data folder ${folder} reports an error (${messageOf(error)}); what was being written may be lost. Look after the disk: the engine tries again every second.`,
    error,
  )

function messageOf(error: unknown): string {
  const { code, message } = error as SQLiteError
  // Errors of files have their code in their message.
  if (code !== undefined && message.includes(code)) return message
  return error instanceof SQLiteError ? `${code ?? 'SQLITE_ERROR'}: ${message}` : message
}
