/**
 * The lock of a data folder: an empty database of its own, in a transaction that never ends. Not the lock of the partition's
 * database: on POSIX systems a process loses its locks of a file when it closes any handle of it, and a backup closes one.
 */
import { Database } from 'bun:sqlite'
import { isBusy } from '../sqlite/faults.ts'
import { type FolderPaths, makeOwn } from './files.ts'
import { inUse } from './holder.ts'

/** Returns what ends it; the system ends it with the process, too. Throws a `StorageError` if somebody else has it. */
export function lockFolder(paths: FolderPaths): () => void {
  makeOwn(paths.lock)
  const db = new Database(paths.lock, { create: true })
  try {
    db.run('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    throw isBusy(error) ? inUse(paths) : error
  }
  return () => db.close()
}
