/** How this process opens partitions: in memory, or in a folder. */
import type { Clock } from '../clock/clock.ts'
import type { Log } from '../log/log.ts'
import { createPartition } from '../storage/createPartition.ts'
import { openFolder } from '../storage/folder/open.ts'
import { createMemoryStore } from '../storage/memory/store.ts'
import type { Partition } from '../storage/partition.ts'
import type { Store } from '../storage/store.ts'

interface Common {
  readonly clock: Clock
  readonly log: Log
}

function over(store: Store, { clock, log }: Common): Partition {
  return createPartition({
    store,
    clock,
    wallClock: Date.now,
    atTurnEnd: task => void setImmediate(task),
    log,
  })
}

/** Throws a `StorageError` of a code `data_folder_…`. */
export const openOnDisk = (folder: string, common: Common): Partition => over(openFolder(folder), common)

export const openInMemory = (common: Common): Partition => over(createMemoryStore(), common)
