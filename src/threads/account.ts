/** What a thread says of itself when it is asked, and how the main thread asks the others. */
import type { FolderHealth } from '../../workers/engine-functions/catalogue.ts'
import type { Connection } from '../engine/connection.ts'
import type { Place } from '../engine/routes.ts'
import type { EngineCounters, EngineState } from '../engine/state.ts'
import type { RingLink } from './ringLink.ts'

/** What only the thread of a connection knows of its worker. */
export interface WorkerAccount {
  readonly activeInvocations: number
  /** How often it did what deserved a warning, by kind. */
  readonly warnings: Readonly<Record<string, number>>
  /** Messages that could not be read, by reason. */
  readonly problems: Readonly<Record<string, number>>
}

/** The ring from a thread to one other. */
export interface RingAccount {
  readonly to: Place
  /** Bytes that wait for room in it. */
  readonly parkedBytes: number
  /** Wake-ups that the platform lost, at this end of the rings in both directions. */
  readonly missedWakeUps: number
}

export interface ThreadAccount {
  /** The thread's number in the operating system, where it can be had. */
  readonly threadId: number | undefined
  readonly heapBytes: number
  /** Connections of workers; those of built-ins are not counted. */
  readonly connections: number
  /** Calls that workers of this thread execute. */
  readonly callsInFlight: number
  readonly counters: EngineCounters
  readonly rings: readonly RingAccount[]
  /** How often its routes had to be asked for again. */
  readonly resyncs: number
  /** Of the data folders that it has open. */
  readonly storage: readonly FolderHealth[]
  /** Of the workers that were asked for: those that have something to tell. */
  readonly workers: Readonly<Record<string, WorkerAccount>>
}

export interface ThreadParts {
  readonly threadId: number | undefined
  readonly links: ReadonlyMap<Place, RingLink>
  readonly resyncs: number
  readonly storage?: readonly FolderHealth[]
}

function accountOfWorker({ executing, warnings, counters }: Connection): WorkerAccount | undefined {
  const account = {
    activeInvocations: executing.size(),
    warnings: Object.fromEntries(warnings),
    problems: { ...counters.problems },
  }
  const isSilent =
    account.activeInvocations === 0 && warnings.size === 0 && Object.keys(account.problems).length === 0
  return isSilent ? undefined : account
}

/** `workers`: ids of those whose accounts are wanted, too. */
export function accountOf(
  { connections, counters }: EngineState,
  { threadId, links, resyncs, storage = [] }: ThreadParts,
  workers: readonly string[],
): ThreadAccount {
  let ofWorkers = 0
  let callsInFlight = 0
  for (const { builtIn, executing } of connections.values()) {
    if (!builtIn) ofWorkers++
    callsInFlight += executing.size()
  }
  const accounts: Record<string, WorkerAccount> = {}
  for (const id of workers) {
    const connection = connections.get(id)
    const account = connection && accountOfWorker(connection)
    if (account !== undefined) accounts[id] = account
  }
  return {
    threadId,
    heapBytes: process.memoryUsage().heapUsed,
    connections: ofWorkers,
    callsInFlight,
    counters: { ...counters },
    rings: [...links].map(([to, link]) => ({
      to,
      parkedBytes: link.backlog(),
      missedWakeUps: link.missedWakeUps(),
    })),
    resyncs,
    storage,
    workers: accounts,
  }
}

/** One other thread and what it has answered. */
export interface Peer {
  readonly place: Place
  readonly name: string
  readonly state: 'starting' | 'serving' | 'lost'
  /** Milliseconds since 1970. */
  readonly startedAtMs: number
  /** How often it was replaced. */
  readonly restarts: number
  /** `undefined`: it did not answer in time, or is no more. */
  readonly account: ThreadAccount | undefined
  /** What was counted in its place so far, also by those it has replaced; as last known if it did not answer. */
  readonly counters: EngineCounters
}

export interface Peers {
  /**
   * Asks other threads for their accounts: those of `places`, or all. Resolves at the latest after
   * `limits.threadAnswerMs`.
   */
  ask(workers: readonly string[], places?: ReadonlySet<Place>): Promise<readonly Peer[]>
}

export type Counters = { -readonly [name in keyof EngineCounters]: number }

/** Counters of several threads as one. */
export function sumCounters(all: readonly EngineCounters[]): Counters {
  const sum: Counters = { ...all[0]! }
  for (const counters of all.slice(1)) {
    for (const name of Object.keys(sum) as (keyof Counters)[]) sum[name] += counters[name]
  }
  return sum
}

/** Adds what several threads say of one worker: a gateway stands on all of them. */
export function joinAccounts(accounts: readonly WorkerAccount[]): WorkerAccount {
  const add = (
    sum: Readonly<Record<string, number>>,
    more: Readonly<Record<string, number>>,
  ): Record<string, number> => {
    const joined = { ...sum }
    for (const [name, count] of Object.entries(more)) joined[name] = (joined[name] ?? 0) + count
    return joined
  }
  return accounts.reduce(
    (sum, { activeInvocations, warnings, problems }) => ({
      activeInvocations: sum.activeInvocations + activeInvocations,
      warnings: add(sum.warnings, warnings),
      problems: add(sum.problems, problems),
    }),
    { activeInvocations: 0, warnings: {}, problems: {} },
  )
}
