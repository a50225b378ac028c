/** The state of the whole engine, for `engine::status`: what each thread says of itself, and the sums. */
import packageJson from '../../package.json' with { type: 'json' }
import type { EngineStatus, ThreadStatus } from '../../workers/engine-functions/catalogue.ts'
import { type HostState, MAIN } from '../engine/registry.ts'
import type { Place } from '../engine/routes.ts'
import { limits } from '../protocol/limits.ts'
import {
  accountOf,
  type Peer,
  type Peers,
  sumCounters,
  type ThreadAccount,
  type ThreadParts,
} from './account.ts'
import { cpuSeconds } from './osThread.ts'

export interface StatusParts {
  readonly engine: HostState
  /** What is to say about the main thread besides its engine. */
  readonly own: () => ThreadParts
  readonly peers: Peers | undefined
  readonly nameOf: (place: Place) => string
  readonly shards: number
  /** Who accepts connections for the shards. */
  readonly acceptor: 'kernel' | 'thread'
  /** Seconds of CPU a thread has used. */
  readonly cpuSeconds?: (threadId: number) => number | undefined
}

/** The counters of what was dropped or cut. */
const DROPPED = ['lateResults', 'lostVoids', 'problems', 'faults', 'strangeTelemetry', 'slowReaders'] as const

interface Sample {
  readonly atMs: number
  readonly seconds: number
}

/** Remembers what each thread had used when it was looked at, to tell its share of a core since then. */
function createCpuMeter(read: (threadId: number) => number | undefined) {
  const samples = new Map<number, Sample>()
  return (threadId: number | undefined, startedAtMs: number, nowMs: number) => {
    const seconds = threadId === undefined ? undefined : read(threadId)
    if (threadId === undefined || seconds === undefined) return { cpuSeconds: undefined, cpuShare: undefined }
    const before = samples.get(threadId) ?? { atMs: startedAtMs, seconds: 0 }
    const spanMs = nowMs - before.atMs
    // Time is counted in hundredths of a second: too short a span says nothing, so a look soon after one reaches further back.
    if (spanMs >= limits.cpuSpanMs) samples.set(threadId, { atMs: nowMs, seconds })
    const share = spanMs <= 0 ? 0 : ((seconds - before.seconds) * 1000) / spanMs
    return { cpuSeconds: seconds, cpuShare: Math.round(share * 1000) / 1000 }
  }
}

export function createStatus(parts: StatusParts): () => Promise<EngineStatus> {
  const { engine, peers, nameOf, shards, acceptor } = parts
  const { clock, directory } = engine
  const startedAtMs = clock.now()
  const measure = createCpuMeter(parts.cpuSeconds ?? cpuSeconds)

  function rowOf(peer: Peer, nowMs: number): ThreadStatus {
    const { account, name, state, restarts, counters } = peer
    return {
      name,
      state: state === 'serving' && account === undefined ? 'silent' : state,
      restarts,
      ...measure(account?.threadId, peer.startedAtMs, nowMs),
      heapBytes: account?.heapBytes,
      connections: account?.connections,
      callsInFlight: account?.callsInFlight,
      resyncs: account?.resyncs,
      rings: account?.rings.map(({ to, ...ring }) => ({ to: nameOf(to), ...ring })),
      counters,
    }
  }

  function modeOf(known: readonly Peer[]): EngineStatus['mode'] {
    if (shards > 0) return acceptor === 'thread' ? 'shards and acceptor' : 'shards'
    return known.some(({ name }) => name === 'durable') ? 'one thread and a durable one' : 'one thread'
  }

  return async () => {
    const others = (await peers?.ask([])) ?? []
    const account = accountOf(engine, parts.own(), [])
    const main = { place: MAIN, name: nameOf(MAIN) }
    const { counters: ownCounters } = account
    const own: Peer = { ...main, state: 'serving', startedAtMs, restarts: 0, account, counters: ownCounters }
    const known = [own, ...others]
    const accounts = known.map(peer => peer.account).filter(given => given !== undefined)
    const sum = (of: (account: ThreadAccount) => number): number =>
      accounts.reduce((total, each) => total + of(each), 0)
    const counters = sumCounters(known.map(each => each.counters))
    const nowMs = clock.now()
    return {
      version: packageJson.version,
      pid: process.pid,
      startedAtMs: Math.floor(startedAtMs),
      uptimeMs: Math.floor(nowMs - startedAtMs),
      mode: modeOf(known),
      draining: engine.draining,
      memory: { rssBytes: process.memoryUsage.rss(), heapBytes: sum(each => each.heapBytes) },
      workers: directory.workers.size,
      functions: [...directory.functions.byNamespace.values()].reduce((total, { size }) => total + size, 0),
      triggers: directory.triggers.bindings.size,
      connections: sum(each => each.connections),
      callsInFlight: sum(each => each.callsInFlight),
      restarts: known.reduce((total, { restarts }) => total + restarts, 0),
      dropped: Object.fromEntries(DROPPED.map(name => [name, counters[name]])),
      counters,
      threads: known.map(peer => rowOf(peer, nowMs)),
      storage: accounts.flatMap(({ storage }) => storage),
    }
  }
}
