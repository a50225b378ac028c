/**
 * The threads beside the main one, as it sees them: starts them, joins them by rings, and has those replaced that are lost
 * (`supervise.ts`).
 *
 *     begin: all threads get ready at the same time ──serve, one after the other──▶ each places its workers and listens
 *
 * A thread that is lost takes its connections with it: its workers have left, callers of what they executed hear
 * `invocation_stopped`, and its clients connect again to the threads that stand.
 */
import { systemClock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import type { HostEngine } from '../engine/engine.ts'
import { type Elsewhere, MAIN } from '../engine/registry.ts'
import { EVERYWHERE, type Place } from '../engine/routes.ts'
import type { Log } from '../log/log.ts'
import { limits } from '../protocol/limits.ts'
import type { Turn } from '../server/turn.ts'
import type { Peer, Peers, ThreadParts } from './account.ts'
import { createGateways, type Gateways } from './gateways.ts'
import { hasGateways, type Layout, nounOf, type Post, patienceOf } from './layout.ts'
import { createLedger } from './ledger.ts'
import { createMembers } from './members.ts'
import { nameThread } from './osThread.ts'
import { partsOn } from './parts.ts'
import type { Pool, ShardHandle } from './pool.ts'
import { withPorts } from './ports.ts'
import { createRingLink, type RingLink } from './ringLink.ts'
import { createRingPair, createRingPairs, ringBytesBetween } from './ringPairs.ts'
import type { FromShard, RingPair, ShardTask } from './shardTask.ts'
import { createSupervision, type Supervised, type Supervision } from './supervise.ts'
import type { Identity } from './thread.ts'

export interface ShardsParts {
  readonly settings: Settings
  readonly layout: Layout
  /** One thread for each post. */
  readonly pool: Pool
  readonly log: Log
  /** Of the main thread. */
  readonly turn: Turn
}

export interface Shards {
  readonly elsewhere: Elsewhere
  readonly peers: Peers
  /** What is to say of the main thread. */
  own(): ThreadParts
  /** What listens where, on these threads. */
  addresses(): Record<string, string>
  /** Resolves with the reason when threads are lost too often. */
  readonly failed: Promise<Error>
  /** Has all threads load their code. */
  begin(engine: HostEngine): void
  /** Has a thread place its workers and listen; resolves when it serves. */
  serve(place: Place): Promise<void>
  /** Threads that are lost are not replaced any more. */
  retire(): void
  /** Resolves when work under way on these threads has ended, at the latest after `ms`. May be asked again. */
  drain(posts: readonly Post[], ms: number): Promise<void>
  /** Resolves when all of them have ended. */
  end(): Promise<void>
  /** Frees what they were joined by. */
  free(): Promise<void>
}

interface Shard extends Supervised, Post {
  readonly handle: ShardHandle
  /** The main thread's end of the rings between the two. */
  readonly link: RingLink
  readonly startedAtMs: number
  readonly linesUnderWay: Int32Array
  readonly ready: PromiseWithResolvers<void>
}

export function createShards({ settings, layout, pool, log, turn }: ShardsParts): Shards {
  const { posts, acceptor } = layout
  const threadId = nameThread('iii main')
  const gatewayIds = new Map<string, Identity>()
  if (!layout.mainServes) {
    for (const { part, instance } of partsOn('shards', settings)) {
      if (part.as === 'one') gatewayIds.set(instance, { id: crypto.randomUUID(), token: crypto.randomUUID() })
    }
  }
  let engine: HostEngine
  let gateways: Gateways
  let supervision: Supervision | undefined
  const members = createMembers(
    () => engine.state,
    () => gateways,
  )
  const beats = new SharedArrayBuffer(4 * (posts.length + 1))
  const counted = new Int32Array(beats)
  const ledger = createLedger()
  const shards = new Map<Place, Shard>()
  const failure = Promise.withResolvers<Error>()
  /** Workers of a durable thread that was lost. */
  const orphans: string[] = []
  let retired = false
  let actual = settings
  let addresses: Record<string, string> = {}

  let starting: Promise<unknown> = Promise.resolve()

  /** One after the other: the first one says which ports the others share, and a new one knows of all others. */
  function inTurn(start: () => Promise<void>): Promise<void> {
    const started = starting.then(() => (retired ? undefined : start()))
    starting = started.catch(() => {})
    return started
  }

  /** Lets every thread know the way to a new one, before any of them can hear of a worker there. */
  async function connectPeers(place: Place): Promise<Map<Place, RingPair>> {
    const peers = [...shards.values()]
    const rings = await Promise.all(
      peers.map(async ({ handle, place: peer }) => {
        const { there, back } = createRingPair(ringBytesBetween(place, peer, layout))
        await handle.connect(place, back)
        return there
      }),
    )
    // Those that were lost meanwhile are no peers any more.
    const entries = peers.map(({ place }, index) => [place, rings[index]!] as const)
    return new Map(entries.filter((_, index) => shards.get(peers[index]!.place) === peers[index]))
  }

  /** Starts a thread; it does not serve yet. `rings`: to the other threads. */
  function begin(post: Post, rings: Map<Place, RingPair>): void {
    const { place, role, name } = post
    const toMain = createRingPair(limits.ringBytes)
    rings.set(MAIN, toMain.there)
    const link = createRingLink({ ...toMain.back, clock: systemClock, turn })
    const ready = Promise.withResolvers<void>()
    // Who waits for it hears of it; until then it is nobody's fault.
    ready.promise.catch(() => {})
    const linesUnderWay = new SharedArrayBuffer(4)
    const parts: Omit<ShardTask, 'port'> = {
      place,
      role,
      name,
      acceptor,
      durable: layout.durable,
      settings: actual,
      rings,
      gateways: gatewayIds,
      beats,
      ledger: ledger.begins(place),
      logLevel: log.level ?? 'debug',
      linesUnderWay,
    }
    const handle = pool.run(parts, message => heard(shard, message))
    const startedAtMs = systemClock.now()
    const begun = { beats: counted[place]!, silentMs: 0, state: 'starting' as const, startedAtMs, ready }
    const patienceMs = patienceOf(role)
    const lines = new Int32Array(linesUnderWay)
    const shard: Shard = { ...post, handle, link, linesUnderWay: lines, patienceMs, ...begun }
    shards.set(place, shard)
    const broken = (error: Error): void => handle.kill(error)
    link.listen(engine.connectTrunk(link, place), {
      note(bytes) {
        try {
          members.reported(place, bytes)
        } catch (error) {
          broken(new Error('A note of a shard cannot be read', { cause: error }))
        }
      },
      broken,
    })
    members.add(place, { send: link.note, hasGateways: hasGateways(role) })
    void handle.over.then(reason => lost(shard, reason))
  }

  async function serve(place: Place): Promise<void> {
    const shard = shards.get(place)
    if (shard === undefined) throw new Error(`${layout.nameOf(place)} ended while it started`)
    shard.handle.say({ say: 'serve', settings: actual })
    try {
      await shard.ready.promise
    } catch (error) {
      await shard.handle.stop()
      throw error
    }
    shard.state = 'serving'
    if (place === layout.durable) members.dismiss(orphans.splice(0))
  }

  async function replace(place: Place): Promise<void> {
    const rings = await connectPeers(place)
    if (retired) return
    begin(posts[place - 1]!, rings)
    await serve(place)
  }

  function heard(shard: Shard, message: FromShard): void {
    switch (message.say) {
      case 'ready':
        actual = withPorts(actual, message.ports)
        if (Object.keys(message.addresses).length > 0) addresses = message.addresses
        shard.ready.resolve()
        return
      case 'failed':
        shard.ready.reject(Object.assign(new Error(`${nounOf(shard)} could not start`), message.error))
        return
      case 'log':
        Atomics.sub(shard.linesUnderWay, 0, 1)
        log[message.level](message.message, { ...message.fields, thread: shard.name })
        return
      case 'connected':
      case 'drained':
      case 'status':
        shard.handle.answered(message)
    }
  }

  /** A thread has ended, whatever the reason. */
  function lost(shard: Shard, reason: Error | undefined): void {
    if (shard.state === 'lost') return
    const wasServing = shard.state === 'serving'
    shard.state = 'lost'
    const { place } = shard
    shards.delete(place)
    ledger.lost(place)
    shard.link.drop()
    engine.disconnectTrunk(place)
    for (const peer of shards.values()) peer.handle.say({ say: 'peer gone', place })
    const left = members.remove(place)
    // Nobody is to believe that what is kept there has gone: its functions stay until another one has them.
    if (place === layout.durable && wasServing && !retired) {
      orphans.push(...left)
      members.park(left)
    } else members.dismiss(left)
    shard.ready.reject(reason ?? new Error(`${nounOf(shard)} ended while it started`))
    if (retired || !wasServing) return
    log.error(`${nounOf(shard)} is lost; another one takes its place`, { shard: place, error: reason })
    supervision?.replace(place)
  }

  async function askOne({ place, name }: Post, workers: readonly string[]): Promise<Omit<Peer, 'counters'>> {
    const shard = shards.get(place)
    const known = { place, name, restarts: supervision?.restarts(place) ?? 0 }
    if (shard === undefined) {
      return { ...known, state: 'lost', startedAtMs: 0, account: undefined }
    }
    const account = await shard.handle.ask(workers)
    if (account !== undefined && shards.get(place) === shard) ledger.said(place, account.counters)
    return { ...known, state: shard.state, startedAtMs: shard.startedAtMs, account }
  }

  return {
    elsewhere: members,
    failed: failure.promise,
    addresses: () => addresses,
    own: () => ({
      threadId,
      links: new Map([...shards].map(([place, { link }]) => [place, link])),
      resyncs: 0,
    }),

    peers: {
      async ask(workers, wanted) {
        const asked = wanted === undefined ? posts : posts.filter(({ place }) => wanted.has(place))
        const answers = await Promise.all(asked.map(post => askOne(post, workers)))
        // Looked up together: nothing of a thread that is lost meanwhile is counted twice, or left out.
        return answers.map(answer => ({ ...answer, counters: ledger.total(answer.place) }))
      },
    },

    begin(main) {
      engine = main
      const identities = [...gatewayIds.values()]
      gateways = createGateways(engine.state.directory, new Set(identities.map(({ id }) => id)))
      for (const { id, token } of identities) {
        const whole = { builtIn: true, ipAddress: undefined, place: EVERYWHERE }
        engine.state.registry.submit({ command: 'join', id, token, ...whole })
      }
      // From the first one on: one that does not start does not hold up the engine for ever.
      supervision = createSupervision({
        clock: systemClock,
        log,
        counted,
        shards,
        start: place => inTurn(() => replace(place)),
        nounOf: place => nounOf(posts[place - 1]!),
        isStopping: () => retired,
        failed: failure.resolve,
      })
      const rings = createRingPairs(layout)
      for (const post of posts) begin(post, rings.get(post.place)!)
    },

    serve: place => inTurn(() => serve(place)),

    retire() {
      retired = true
      supervision?.stop()
    },

    async drain(which, ms) {
      const places = new Set(which.map(({ place }) => place))
      const asked = [...shards.values()].filter(({ place }) => places.has(place))
      await Promise.all(asked.map(({ handle }) => handle.drain(ms)))
    },

    async end() {
      await Promise.all([...shards.values()].map(({ handle }) => handle.stop()))
    },

    async free() {
      for (const { link } of shards.values()) link.drop()
      await pool.destroy()
    },
  }
}
