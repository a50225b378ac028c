/**
 * A process with a partition and nothing else, quick to start and made to be killed. Reads a line of JSON for each
 * transaction, and says what it would tell callers and followers, each at the moment at which it would tell it.
 */
import { writeSync } from 'node:fs'
import { eachLine } from '../../scripts/lines.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { EntryChange } from '../../src/storage/change.ts'
import type { Collection, Command, Space } from '../../src/storage/command.ts'
import { createPartition } from '../../src/storage/createPartition.ts'
import { openFolder } from '../../src/storage/folder/open.ts'
import type { Level } from '../../src/storage/partition.ts'
import type { ReadTables } from '../../src/storage/tables.ts'
import { type Held, placeOf, saidOf, type Told } from './reference.ts'

export type Request =
  | {
      readonly ask: 'write'
      readonly id: number
      readonly commands: readonly Command[]
      readonly level: Level
    }
  /** Everything that is there, and what happened in each space after a revision. */
  | { readonly ask: 'dump'; readonly since: number }
  | { readonly ask: 'close' }

export interface Dump {
  readonly revision: number
  readonly entries: readonly (readonly [string, Held])[]
  /** Under their receipts. */
  readonly messages: readonly (readonly [string, string])[]
  /** `undefined`: it is not kept any more. */
  readonly changes: readonly Told[] | undefined
}

export type Reply =
  | { readonly said: 'open' | 'closed' }
  | { readonly said: 'failed'; readonly code: string; readonly message: string }
  | {
      readonly said: 'done'
      readonly id: number
      /** `undefined`: it does not say. */
      readonly revision: number | undefined
      readonly level: Level
      readonly answers: readonly (readonly [string | null, string | null, number])[]
    }
  | { readonly said: 'refused'; readonly id: number; readonly code: string }
  | { readonly said: 'told'; readonly changes: readonly Told[] }
  | ({ readonly said: 'dump' } & Dump)

const MOST = 1_000_000_000
const everything = { prefix: undefined, after: undefined, limit: MOST }

export function toldOf({ revision, event, reason, oldValue, newValue, ...change }: EntryChange): Told {
  return { revision, place: placeOf(change, change.key), event, reason, oldValue, newValue }
}

export function entriesIn(tables: ReadTables): [string, Held][] {
  const found: [string, Held][] = []
  for (const space of ['state', 'stream'] satisfies Space[]) {
    for (const name of tables.names(space, everything)) {
      for (const group of tables.groups(space, name, everything)) {
        const collection: Collection = { space, name, group }
        for (const { key, value, version, createdAt, expiresAtMs } of tables.list(collection, everything)) {
          found.push([placeOf(collection, key), { value, version, createdAt, expiresAtMs }])
        }
      }
    }
  }
  return found
}

/** All of them have receipts. What may be leased, and what waits behind it. */
export function messagesIn({ queues }: ReadTables): [string, string][] {
  const found = new Map<string, string>()
  for (const { name, counts } of queues.queues(undefined, MOST)) {
    const groups = queues.grouped(name, undefined, MOST)
    const ready = queues.lanes(name).flatMap(lane => queues.ready(lane, undefined, MOST))
    for (const message of [...groups, ...ready]) found.set(message.receipt!, saidOf(message))
    const ofQueue = new Set([...groups, ...ready].map(({ number }) => number)).size
    if (ofQueue !== counts.waiting) throw new Error(`${name} counts ${counts.waiting}, but has ${ofQueue}`)
    // Of each group that is there one may be leased.
    const heads = ready.flatMap(({ group }) => (group === undefined ? [] : [group])).sort()
    const inGroups = [...new Set(groups.map(({ group }) => group!))].sort()
    if (!Bun.deepEquals(heads, inGroups))
      throw new Error(`${name} has heads of ${heads}, but groups ${inGroups}`)
  }
  return [...found]
}

async function host(folder: string): Promise<void> {
  function say(reply: Reply): void {
    const bytes = Buffer.from(`${JSON.stringify(reply)}\n`)
    for (let place = 0; place < bytes.length; ) {
      try {
        place += writeSync(1, bytes, place)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      }
    }
  }

  // Numbers of operations have 64 bits, which JSON has no sign for.
  const revive = (name: string, value: unknown): unknown => (name === 'by' ? BigInt(value as string) : value)

  function open(): ReturnType<typeof createPartition> {
    try {
      // A fault that has to be found: it does not wait for the disk.
      const sync = process.env.III_FAULT === 'unsynced' ? { sync() {} } : {}
      // The power goes with each process: the next one is of another start of the machine.
      const boot = process.env.III_FAULT_POWER === undefined ? undefined : crypto.randomUUID()
      const store = openFolder(folder, { ...sync, boot })
      const atTurnEnd = (task: () => void): void => void setImmediate(task)
      const log = { debug() {}, info() {}, warn() {}, error() {} }
      return createPartition({ store, clock: systemClock, wallClock: Date.now, atTurnEnd, log })
    } catch (error) {
      const { code, message } = error as Error & { code: string }
      say({ said: 'failed', code, message })
      process.exit(1)
    }
  }

  Object.assign(limits, JSON.parse(process.env.III_FAULT_LIMITS ?? '{}'))
  const partition = open()
  partition.follow(({ changes }) => say({ said: 'told', changes: changes.map(toldOf) }))

  async function changesSince(since: number): Promise<Told[] | undefined> {
    const found: Told[] = []
    for (const space of ['state', 'stream'] satisfies Space[]) {
      const feed = await partition.since(space, since, MOST)
      if (feed.kind === 'gone') return undefined
      found.push(...feed.changes.map(toldOf))
    }
    return found.sort((one, other) => one.revision - other.revision)
  }

  async function dump(since: number): Promise<void> {
    const [entries, messages] = await partition.read(
      tables => [entriesIn(tables), messagesIn(tables)] as const,
    )
    const changes = await changesSince(since)
    say({ said: 'dump', revision: partition.status().revision, entries, messages, changes })
  }

  function write(id: number, commands: readonly Command[], level: Level): void {
    partition.submit(commands, { level }).then(
      ({ answers, revision, level: reached }) =>
        say({
          said: 'done',
          id,
          revision,
          level: reached,
          answers: answers.map(({ oldValue, newValue, version }) => [
            oldValue ?? null,
            newValue ?? null,
            version,
          ]),
        }),
      ({ code }: { code: string }) => say({ said: 'refused', id, code }),
    )
  }

  say({ said: 'open' })
  await eachLine(Bun.stdin.stream(), line => {
    const request = JSON.parse(line, revive) as Request
    if (request.ask === 'write') write(request.id, request.commands, request.level)
    else if (request.ask === 'dump') void dump(request.since)
    else {
      void partition.close().then(() => {
        say({ said: 'closed' })
        process.exit(0)
      })
    }
  })
}

if (import.meta.main) await host(process.argv[2]!)
