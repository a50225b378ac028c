/**
 * What is particular to the durable thread: its workers keep their things in partitions, and a commit that waits for the disk
 * holds up nobody but them. Loaded by that thread only.
 */
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import type { FolderHealth } from '../../workers/engine-functions/catalogue.ts'
import type { QueueAccess } from '../../workers/queueAccess.ts'
import { createStorageWorker } from '../../workers/storage/worker.ts'
import type { BuiltInWorker } from '../../workers/worker.ts'
import { systemClock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import type { Log } from '../log/log.ts'
import { createMemoryPartition, openPartition } from '../storage/mod.ts'
import type { Partition } from '../storage/partition.ts'
import { createPartitions } from './partitions.ts'
import { type Functions, partsOn } from './parts.ts'
import type { Thread } from './thread.ts'

export interface DurableThread {
  health(): readonly FolderHealth[]
  /** Places the workers; resolves when what they have registered is in effect: nobody may connect before. */
  serve(hasRegistered: (client: WorkerClient) => Promise<void>): Promise<void>
  /** Commits what is open and frees the folders. */
  close(): Promise<void>
}

/** What everybody has been told of when they call is known. */
function hasFunction({ state }: Thread['engine'], id: string): boolean {
  state.catchUp?.()
  return state.routes.find(undefined, id) !== undefined
}

function functionsOf({ state }: Thread['engine']): Functions {
  return {
    find(namespace, id) {
      state.catchUp?.()
      return state.routes.find(namespace, id)?.workerId
    },
    follow: told => state.routes.follow(told),
  }
}

/**
 * Opens the partitions and makes the workers of every part that stands here, before anybody asks for them. When one cannot be
 * made, the partitions are closed and the error is thrown.
 */
export async function openDurable(thread: Thread, settings: Settings, log: Log): Promise<DurableThread> {
  const common = { clock: systemClock, log }
  const partitions = createPartitions({
    dataFolder: settings.data.folder,
    base: settings.data.base,
    onDisk: folder => openPartition(folder, common),
    inMemory: () => createMemoryPartition(common),
  })
  const made: { worker: BuiltInWorker; instance: string }[] = []
  try {
    const open = partsOn('durable', settings).map(async placed => ({
      ...placed,
      partition: await partitions.open(placed.part.keeps(placed.config)),
    }))
    const placing = await Promise.all(open)
    const accesses = new Map<Partition, QueueAccess>()
    const queuesOf = (partition: Partition): QueueAccess => {
      const access = accesses.get(partition) ?? {}
      accesses.set(partition, access)
      return access
    }
    const streams = placing.find(({ name }) => name === 'iii-stream')?.partition
    for (const { part, instance, config, partition } of placing) {
      const worker = await part.create(config, {
        ...common,
        partition,
        streams: partition === streams,
        hasFunction: id => hasFunction(thread.engine, id),
        functions: functionsOf(thread.engine),
        queues: queuesOf(partition),
      })
      made.push({ worker, instance })
    }
  } catch (error) {
    await partitions.close()
    throw error
  }
  const keeper = createStorageWorker({
    partitions: partitions.folders,
    clock: systemClock,
    wallClock: Date.now,
  })
  made.push({ worker: keeper, instance: keeper.name })

  return {
    health: () =>
      [...partitions.folders()].map(([folder, partition]) => {
        const { health, reason } = partition.status()
        return { folder, health, reason }
      }),
    async serve(hasRegistered) {
      const registered: Promise<void>[] = []
      for (const { worker, instance } of made) {
        const start: BuiltInWorker['start'] = async client => {
          const running = await worker.start(client)
          registered.push(hasRegistered(client))
          return running
        }
        await thread.place({ ...worker, start }, instance)
      }
      await Promise.all(registered)
    },
    close: partitions.close,
  }
}
