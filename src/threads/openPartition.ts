/** How this process opens partitions: in memory, or in a folder. */
import type { Clock } from '../clock/clock.ts'
import type { Log } from '../log/log.ts'
import { createPartition } from '../storage/createPartition.ts'
import { createMemoryStore } from '../storage/memory/store.ts'
import type { Partition } from '../storage/partition.ts'
import { applyOperations } from '../storage/update/apply.ts'

interface Common {
  readonly clock: Clock
  readonly log: Log
}

export function openOnDisk(_folder: string, _common: Common): Promise<Partition> {
  return Promise.reject(new Error('no storage on disk yet'))
}

export function openInMemory({ clock, log }: Common): Partition {
  return createPartition({
    store: createMemoryStore(),
    applyOperations,
    clock,
    wallClock: Date.now,
    atTurnEnd: task => void setImmediate(task),
    log,
  })
}
