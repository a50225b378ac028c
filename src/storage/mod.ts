/** The face of the storage: partitions in a data folder or in memory, and what can be done with a folder from outside. */
import type { Clock } from '../clock/clock.ts'
import type { Log } from '../log/log.ts'
import { createPartition } from './createPartition.ts'
import { openFolder } from './folder/open.ts'
import { freshRevision } from './freshRevision.ts'
import { createMemoryStore } from './memory/store.ts'
import type { Partition } from './partition.ts'

export { restoreFolder } from './folder/restore.ts'
export { type FolderReport, verifyFolder } from './folder/verify.ts'
export { CorruptData, StorageError } from './storageError.ts'

/** What a partition needs from outside. */
export interface PartitionSurroundings {
  readonly clock: Clock
  readonly log: Log
  /** The clock on the wall, milliseconds. Default `Date.now`. */
  readonly wallClock?: () => number
  /** Runs a task when what has come in this turn of the event loop has been handled. Default `setImmediate`. */
  readonly atTurnEnd?: (task: () => void) => void
}

const real = {
  wallClock: () => Date.now(),
  atTurnEnd: (task: () => void) => void setImmediate(task),
}

/**
 * Opens the partition of a data folder, which is made if it is not there. Takes up to a second. Throws a `StorageError`:
 * `data_folder_in_use`, `data_folder_newer`, `data_folder_corrupt`, `data_folder_unusable`.
 */
export function openPartition(folder: string, surroundings: PartitionSurroundings): Partition {
  return createPartition({ ...real, ...surroundings, store: openFolder(folder, surroundings) })
}

/**
 * A partition whose values end with the process. Its revisions go on from `begin`: if nothing is said, above those of any before
 * it, which somebody may still hold.
 */
export function createMemoryPartition(surroundings: PartitionSurroundings, begin?: number): Partition {
  const all = { ...real, ...surroundings }
  return createPartition({ ...all, store: createMemoryStore(begin ?? freshRevision(all.wallClock())) })
}
