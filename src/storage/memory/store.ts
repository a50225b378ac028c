/** A partition without a disk, for tests, simulation and those who ask for it by name. */
import { StorageError } from '../storageError.ts'
import type { Store } from '../store.ts'
import { createMemoryTables } from './tables.ts'

/** `begin`: the revision it goes on from. */
export function createMemoryStore(begin = 0): Store {
  const tables = createMemoryTables()
  let committed = begin
  let savepoint = 0
  return {
    adapter: 'memory',
    tables,
    revision: () => committed,
    // No commit is ever in doubt.
    queueCommits: () => 0,
    // What is kept is what the partition keeps in memory.
    oldest: () => committed,
    syncs: () => 0,
    begin() {},
    savepoint() {
      savepoint = tables.mark()
    },
    release() {},
    rollbackToSavepoint: () => tables.undoTo(savepoint),
    commit(revision) {
      tables.keep()
      committed = revision
      return false
    },
    sync() {},
    rollback: () => tables.undoTo(0),
    portion: () => ({ changes: [], revision: committed }),
    recover() {},
    isChecked: true,
    scrub: () => true,
    backup() {
      throw new StorageError(
        'STORAGE_UNAVAILABLE',
        'There is nothing to back up: the values are kept in memory only. Configure the adapter `sqlite` to keep them.',
      )
    },
    close() {},
  }
}
