/** A copy of the database, while it is worked with. */
import { chmod, copyFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { limits } from '../../protocol/limits.ts'
import { draftOf, OWN_FILE, syncFile, syncFolder } from '../folder/files.ts'
import { StorageError } from '../storageError.ts'
import { type Session, using } from './session.ts'

/** Everything is settled. Throws a `StorageError`. */
export async function copyDatabase(session: Session, file: string, target: string): Promise<void> {
  const draft = draftOf(target)
  const isOf = session.connection
  // What is in the log of SQLite goes to its place, and nothing else does until the copy is made: what is settled meanwhile stays in it.
  using(session, ({ db }) => db.run('PRAGMA wal_autocheckpoint = 0'))
  try {
    const moved = using(session, ({ ask }) => ask.checkpoint.get())
    if (moved === null || moved.busy !== 0 || moved.log !== moved.checkpointed)
      throw new Error('the log is in use')
    await copyFile(file, draft)
    await chmod(draft, OWN_FILE)
    if (isOf !== session.connection) throw new Error('the database was opened anew meanwhile')
    syncFile(draft)
    await rename(draft, target)
    syncFolder(dirname(target))
  } catch (error) {
    await rm(draft, { force: true })
    throw new StorageError(
      'STORAGE_UNAVAILABLE',
      `The backup ${target} could not be made: ${(error as Error).message}. Check that there is room for ${file} once more, and that the folder may be written.`,
      { cause: error },
    )
  } finally {
    // Also while the tables are not to be read.
    isOf.db.run(`PRAGMA wal_autocheckpoint = ${limits.walBytes / limits.pageBytes}`)
  }
}
