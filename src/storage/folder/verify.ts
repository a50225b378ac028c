/** Looks at everything in a data folder, for `iii doctor --data`. */
import { existsSync } from 'node:fs'
import type { SqliteStore } from '../sqlite/store.ts'
import { StorageError } from '../storageError.ts'
import { pathsOf } from './files.ts'
import { type OpenFolderOptions, openFolder } from './open.ts'

export interface FolderReport {
  readonly folder: string
  /** Sentences; none: everything is as it was written. */
  readonly problems: readonly string[]
  /** `undefined` when it cannot be opened. */
  readonly entries: number | undefined
  /** Of queues, the dead ones too. */
  readonly messages: number | undefined
  readonly revision: number | undefined
}

/**
 * Works with the folder as an engine would: what was committed before a crash is moved to its place, nothing else is
 * changed. Throws a `StorageError` if an engine works with it, or if there is none.
 */
export async function verifyFolder(folder: string, options: OpenFolderOptions = {}): Promise<FolderReport> {
  const { database } = pathsOf(folder)
  if (!existsSync(database)) {
    throw new StorageError(
      'data_folder_unusable',
      `There is no data in ${folder}: it has no file ${database}. Check the name.`,
    )
  }
  let store: SqliteStore
  try {
    store = openFolder(folder, { ...options, entriesCheckedAtStart: Number.POSITIVE_INFINITY })
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'data_folder_corrupt') throw error
    return { folder, problems: [error.message], entries: undefined, messages: undefined, revision: undefined }
  }
  try {
    const problems = problemsOfFeed(store)
    const { entries, messages } = store.session.totals
    return { folder, problems, entries, messages: messages.messages, revision: store.revision() }
  } finally {
    await store.close()
  }
}

/** Without the feed nothing is lost but the way to resume. What comes behind the first that is missing is not looked at. */
function problemsOfFeed(store: SqliteStore): string[] {
  try {
    for (let place = store.oldest(); place < store.revision(); ) place = store.portion(place).revision
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}
