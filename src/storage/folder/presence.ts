/**
 * Whether a database is still where it was. Files that were deleted can be written to for as long as they are open, and then
 * they are gone: what is said to be on disk would be nowhere.
 */
import { statSync } from 'node:fs'
import { StorageFault } from '../store.ts'

function identityOf(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false })
  return found === undefined ? undefined : `${found.dev}:${found.ino}`
}

/** Returns what throws a `StorageFault` when the file is not there any more, or is another one. */
export function requirePresent(file: string, folder: string): () => void {
  const identity = identityOf(file)
  return () => {
    if (identityOf(file) === identity) return
    throw new StorageFault(
      'broken',
      `The files of the data folder ${folder} were removed or replaced while the engine works with them. Put back those that were there, or stop the engine and restore a backup; what it knows can be read until then.`,
    )
  }
}
