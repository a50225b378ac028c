/**
 * A worker with its partition (that of the state, unless another is named), on the local link of an engine, as one thing that can be crashed and started
 * again. What it keeps outlasts it: a folder, or, in memory, nothing.
 */
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '../../../sdk/typescript/src/client.ts'
import type { BuiltInClient } from '../../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../../src/clock/clock.ts'
import { createLocalLink, type LocalSide } from '../../../src/engine/links/local.ts'
import type { Log } from '../../../src/log/log.ts'
import { createPartition } from '../../../src/storage/createPartition.ts'
import { openFolder } from '../../../src/storage/folder/open.ts'
import { createMemoryStore } from '../../../src/storage/memory/store.ts'
import type { Partition } from '../../../src/storage/partition.ts'
import type { Store } from '../../../src/storage/store.ts'
import { createLocalTransport } from '../../../src/threads/localTransport.ts'
import { createPartitionStore } from '../../../workers/state/adapters/partition.ts'
import { stateConfigSchema } from '../../../workers/state/config.ts'
import { createStateWorker } from '../../../workers/state/worker.ts'
import { createSeededIds } from '../../support/fakes.ts'
import type { World } from '../../support/world.ts'
import { createFaultyStore, type FaultyStore } from './faultyStore.ts'

/** Mistakes that a partition could have, for tests of the simulation itself. */
export interface Mistakes {
  readonly inStore?: (store: Store) => Store
  readonly inPartition?: (partition: Partition) => Partition
}

export interface Host extends AsyncDisposable {
  readonly adapter: 'memory' | 'sqlite'
  /** Of the one that runs. */
  store(): FaultyStore
  isUp(): boolean
  start(): Promise<void>
  /** The process is gone in this moment: nothing it would have said is heard. */
  crash(): void
  /** Ends the turn of the event loop: what was submitted is committed. */
  endTurn(): void
}

/** In memory if there is such a folder: a run opens it many times. */
const BASE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** Everything that is under way arrives. */
export const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** What a worker is started with. */
export interface HostParts {
  readonly partition: Partition
  readonly clock: Clock
  readonly log: Log
  /** How often it was started before. */
  readonly generation: number
}

export type StartWorker = (client: BuiltInClient, parts: HostParts) => Promise<unknown>

const startState: StartWorker = (client, { partition, clock, log }) => {
  const parts = { store: createPartitionStore(partition), clock, wallClock: clock.now, log }
  return createStateWorker(stateConfigSchema.parse({}), parts).start(client)
}

export interface HostOptions {
  readonly startWorker?: StartWorker
  readonly wallClock?: () => number
}

export function createHost(
  world: World,
  adapter: Host['adapter'],
  mistakes: Mistakes = {},
  { startWorker = startState, wallClock = world.clock.now }: HostOptions = {},
): Host {
  const base = adapter === 'sqlite' ? mkdtempSync(join(BASE, 'iii-simulation-')) : ''
  let generation = 0
  let tasks: (() => void)[] = []
  let store: FaultyStore
  let opened: Store | undefined
  let link: LocalSide | undefined

  const folder = (): string => join(base, `data${generation}`)

  /** What a process has set for later does not happen when it is gone. */
  function clockOf(own: number): Clock {
    return {
      now: world.clock.now,
      after: (ms, task) => world.clock.after(ms, () => void (own === generation && task())),
    }
  }

  function endTurn(): void {
    const due = tasks
    tasks = []
    for (const task of due) task()
  }

  async function closeOpened(): Promise<void> {
    const closing = opened
    opened = undefined
    await closing?.close()
  }

  return {
    adapter,
    store: () => store,
    isUp: () => link !== undefined,
    async start() {
      await closeOpened()
      const clock = clockOf(generation)
      const disk = { syncFails: false }
      function sync(): void {
        if (disk.syncFails) throw new Error('EIO')
      }
      opened =
        adapter === 'memory' ? createMemoryStore() : openFolder(folder(), { sync, wallClock: clock.now })
      store = createFaultyStore(opened, disk)
      const partition = createPartition({
        store: mistakes.inStore?.(store) ?? store,
        clock,
        wallClock,
        atTurnEnd: task => void tasks.push(task),
        log: world.log,
        // Few, so that feeds are read from the disk, too.
        ...(adapter === 'sqlite' ? { recent: { changes: 20, bytes: 1_000_000, ageMs: 1_000_000 } } : {}),
      })
      const [engineSide, workerSide] = createLocalLink()
      link = engineSide
      engineSide.listen(world.engine.connect(engineSide, { builtIn: true, ipAddress: undefined }).receiver)
      const own = generation
      const client = createClient({
        transport: createLocalTransport({
          ...workerSide,
          send: frame => void (own === generation && workerSide.send(frame)),
          fanOut: frame => void (own === generation && workerSide.fanOut(frame)),
        }),
        clock,
        newId: createSeededIds(1000 + generation),
        announcement: () => ({ name: 'iii-state', version: '9.9.9', runtime: 'engine' }),
      })
      let isStarted = false
      const started = startWorker(client, {
        partition: mistakes.inPartition?.(partition) ?? partition,
        clock,
        log: world.log,
        generation,
      }).finally(() => {
        isStarted = true
      })
      started.catch(() => {})
      await settled()
      // What it writes at its start.
      for (; !isStarted; await settled()) endTurn()
      await started
    },
    crash() {
      const before = folder()
      generation++
      tasks = []
      if (adapter === 'sqlite') cpSync(before, folder(), { recursive: true })
      link?.end('cut')
      link = undefined
    },
    endTurn,
    async [Symbol.asyncDispose]() {
      generation++
      await closeOpened().catch(() => {})
      if (base !== '') rmSync(base, { recursive: true, force: true })
    },
  }
}
