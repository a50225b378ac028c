/**
 * What is particular to the durable thread: its workers keep their things in partitions, and a commit that waits for the disk
 * holds up nobody but them. Loaded by that thread only.
 */
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import type { FolderHealth } from '../../workers/engine-functions/catalogue.ts'
import { createStorageWorker } from '../../workers/storage/worker.ts'
import type { BuiltInWorker } from '../../workers/worker.ts'
import { systemClock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import type { Log } from '../log/log.ts'
import { createMemoryPartition, openPartition } from '../storage/mod.ts'
import { createPartitions } from './partitions.ts'
import { partsOn } from './parts.ts'
import type { Thread } from './thread.ts'

export interface DurableThread {
  health(): readonly FolderHealth[]
  /** Commits what is open and frees the folders. */
  close(): Promise<void>
}

/** Its start resolves when what it has registered is in effect: nobody may connect before. */
function untilRegistered(
  worker: BuiltInWorker,
  hasRegistered: (client: WorkerClient) => Promise<void>,
): BuiltInWorker {
  return {
    ...worker,
    async start(client) {
      const running = await worker.start(client)
      await hasRegistered(client)
      return running
    },
  }
}

/** What everybody has been told of when they call is known. */
function hasFunction({ state }: Thread['engine'], id: string): boolean {
  state.catchUp?.()
  return state.routes.find(undefined, id) !== undefined
}

/** Places every part that stands here. When one cannot start, the partitions are closed and the error is thrown. */
export async function placeDurable(
  thread: Thread,
  settings: Settings,
  log: Log,
  hasRegistered: (client: WorkerClient) => Promise<void>,
): Promise<DurableThread> {
  const common = { clock: systemClock, log }
  const partitions = createPartitions({
    dataFolder: settings.data.folder,
    base: settings.data.base,
    onDisk: folder => openPartition(folder, common),
    inMemory: () => createMemoryPartition(common),
  })
  try {
    const open = partsOn('durable', settings).map(async placed => ({
      ...placed,
      partition: await partitions.open(placed.part.keeps(placed.config)),
    }))
    const placing = await Promise.all(open)
    const streams = placing.find(({ name }) => name === 'iii-stream')?.partition
    for (const { part, instance, config, partition } of placing) {
      const worker = await part.create(config, {
        ...common,
        partition,
        streams: partition === streams,
        hasFunction: id => hasFunction(thread.engine, id),
      })
      await thread.place(untilRegistered(worker, hasRegistered), instance)
    }
    const keeper = createStorageWorker({
      partitions: partitions.folders,
      clock: systemClock,
      wallClock: Date.now,
    })
    await thread.place(untilRegistered(keeper, hasRegistered), keeper.name)
  } catch (error) {
    await partitions.close()
    throw error
  }
  return {
    health: () =>
      [...partitions.folders()].map(([folder, partition]) => {
        const { health, reason } = partition.status()
        return { folder, health, reason }
      }),
    close: partitions.close,
  }
}
