/**
 * The built-in worker `iii-storage`: looks after the partitions of the durable thread. It stands beside the workers that keep
 * things there.
 *
 * Whoever is connected may ask for a backup. So the caller names no path: backups are made in the folder `backups` of the data
 * folder, nothing there is replaced, and their number is bounded. Taking them elsewhere is for who has the files.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { limits } from '../../src/protocol/limits.ts'
import { isDraft, OWN_FOLDER } from '../../src/storage/folder/files.ts'
import type { Partition } from '../../src/storage/partition.ts'
import type { BuiltInWorker } from '../worker.ts'

export const BACKUP = 'engine::storage::backup'
const STATUS = 'engine::storage::status'

export interface StorageParts {
  /** By the folder, absolute. Those in memory are not among them. */
  readonly partitions: () => ReadonlyMap<string, Partition>
  readonly clock: Clock
  /** The clock on the wall, milliseconds: names of backups have it. */
  readonly wallClock: () => number
}

/** What a backup is, for who asked for it. */
export interface BackupAnswer {
  /** Absolute, on the host of the engine. */
  readonly file: string
  readonly folder: string
  readonly bytes: number
  readonly ms: number
}

const backupInput = {
  type: 'object',
  properties: {
    folder: { type: 'string', description: 'which data folder, if there are several' },
    name: { type: 'string', description: 'of the file; letters, digits, dot, dash, underscore' },
  },
}

function chosenFolder(
  folders: ReadonlyMap<string, Partition>,
  wanted: unknown,
): [folder: string, partition: Partition] {
  const known = [...folders.keys()]
  if (wanted === undefined && known.length === 1) return [known[0]!, folders.get(known[0]!)!]
  const partition = typeof wanted === 'string' ? folders.get(wanted) : undefined
  if (partition !== undefined) return [wanted as string, partition]
  const what =
    known.length === 0
      ? 'no worker of this engine keeps anything on disk'
      : `name one of the data folders as \`folder\`: ${known.join(', ')}`
  throw new HandlerError('INVALID_ARGUMENTS', what)
}

/** `making`: files of backups that are not there yet. */
function fileFor(
  folder: string,
  name: unknown,
  wallClock: () => number,
  making: ReadonlySet<string>,
): string {
  const backups = join(folder, 'backups')
  const called = name ?? `backup-${new Date(wallClock()).toISOString().replaceAll(/[:.]/g, '-')}.db`
  if (typeof called !== 'string' || !/^[\w-][\w.-]{0,99}$/.test(called)) {
    throw new HandlerError(
      'INVALID_ARGUMENTS',
      'name: letters, digits, dot, dash and underscore, at most 100, no dot first',
    )
  }
  mkdirSync(backups, { recursive: true, mode: OWN_FOLDER })
  const file = join(backups, called)
  if (existsSync(file) || making.has(file))
    throw new HandlerError('INVALID_ARGUMENTS', `there is a backup ${file} already`)
  const there = readdirSync(backups).map(found => join(backups, found))
  const drafts = there.filter(isDraft)
  // Left by an engine that was killed.
  if (making.size === 0) for (const draft of drafts) rmSync(draft, { force: true })
  if (new Set([...there, ...making]).difference(new Set(drafts)).size >= limits.backups) {
    throw new HandlerError(
      'limit_exceeded',
      `there are ${limits.backups} backups in ${backups} already: move some elsewhere`,
    )
  }
  return file
}

export function createStorageWorker({ partitions, clock, wallClock }: StorageParts): BuiltInWorker {
  return {
    name: 'iii-storage',
    description: 'Looks after what is kept on disk',
    async start(client) {
      const running = new Set<Promise<unknown>>()
      const making = new Set<string>()

      async function backup(input: { folder?: unknown; name?: unknown }): Promise<BackupAnswer> {
        const [folder, partition] = chosenFolder(partitions(), input?.folder)
        const file = fileFor(folder, input?.name, wallClock, making)
        const begunAt = clock.now()
        making.add(file)
        try {
          await partition.backup(file)
        } finally {
          making.delete(file)
        }
        return { file, folder, bytes: statSync(file).size, ms: Math.round(clock.now() - begunAt) }
      }

      client.registerFunction<{ folder?: unknown; name?: unknown }>(
        BACKUP,
        input => {
          const made = backup(input)
          running.add(made)
          const over = (): void => void running.delete(made)
          made.then(over, over)
          return made
        },
        {
          description: 'Makes a consistent copy of a data folder, in its folder backups',
          request_format: backupInput,
        },
      )
      client.registerFunction(
        STATUS,
        () => ({
          folders: [...partitions()].map(([folder, partition]) => ({ folder, ...partition.status() })),
        }),
        { description: 'How the data folders are: health, revision, commits and syncs' },
      )
      return {
        addresses: {},
        async drain() {
          await Promise.allSettled(running)
        },
        async stop() {},
      }
    },
  }
}
