/**
 * The partitions of the durable thread. Each is opened when the first part that keeps its things there is placed, so that no
 * folder is made for nobody.
 */
import { resolve } from 'node:path'
import type { Partition } from '../storage/partition.ts'
import type { Keeping } from './parts.ts'

export interface PartitionsParts {
  /** The data folder of the engine, absolute. */
  readonly dataFolder: string
  /** What relative folders are relative to, absolute. */
  readonly base: string
  /** Opens the partition of a folder, which it makes if it is not there. */
  readonly onDisk: (folder: string) => Partition
  readonly inMemory: () => Partition
}

export interface Partitions {
  open(keeping: Keeping): Promise<Partition>
  /** Of the folders that are open. */
  folders(): ReadonlyMap<string, Partition>
  /** Commits what is open and frees the folders. */
  close(): Promise<void>
}

export function createPartitions({ dataFolder, base, onDisk, inMemory }: PartitionsParts): Partitions {
  /** By their folder; the one in memory under `''`. */
  const opening = new Map<string, Promise<Partition>>()
  const folders = new Map<string, Partition>()

  function openOnce(name: string, open: () => Partition): Promise<Partition> {
    const known = opening.get(name)
    if (known !== undefined) return known
    const opened = Promise.resolve().then(open)
    opening.set(name, opened)
    return opened
  }

  return {
    open(keeping) {
      if (keeping.adapter === 'memory') return openOnce('', inMemory)
      const folder = keeping.folder === undefined ? dataFolder : resolve(base, keeping.folder)
      return openOnce(folder, () => {
        const partition = onDisk(folder)
        folders.set(folder, partition)
        return partition
      })
    },

    folders: () => folders,

    async close() {
      const opened = await Promise.allSettled(opening.values())
      await Promise.all(opened.map(each => (each.status === 'fulfilled' ? each.value.close() : undefined)))
    },
  }
}
