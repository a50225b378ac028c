/**
 * The main thread of an engine with shards: holds the directory, starts the shards and joins them by rings
 * (`supervise.ts` has them replaced).
 *
 * A shard that is lost takes its connections with it: its workers have left, callers of what they executed hear
 * `invocation_stopped`, and its clients connect again to the shards that stand.
 */
import { systemClock } from '../clock/clock.ts'
import type { Settings } from '../config/settings.ts'
import { MAIN } from '../engine/registry.ts'
import { EVERYWHERE, type Place } from '../engine/routes.ts'
import type { Log } from '../log/log.ts'
import { limits } from '../protocol/limits.ts'
import { type Peer, type ThreadParts, threadName } from './account.ts'
import { createGateways } from './gateways.ts'
import { createLedger } from './ledger.ts'
import { createMainEngine, placeAlways, type RunningEngine } from './mainThread.ts'
import { createMembers } from './members.ts'
import { nameThread } from './osThread.ts'
import { createPool, type ShardHandle } from './pool.ts'
import { claimPorts, withPorts } from './ports.ts'
import { createRingLink, type RingLink } from './ringLink.ts'
import { createRingPair, ringBytesBetween } from './ringPairs.ts'
import type { FromShard, RingPair, Role, ShardTask } from './shardTask.ts'
import { createSupervision, type Supervised } from './supervise.ts'
import { createThread, createThreadTurn, type Identity } from './thread.ts'

interface Shard extends Supervised {
  readonly handle: ShardHandle
  /** The main thread's end of the rings between the two. */
  readonly link: RingLink
  readonly startedAtMs: number
  readonly linesUnderWay: Int32Array
}

export async function startShards(settings: Settings, log: Log): Promise<RunningEngine> {
  const threadId = nameThread('iii main')
  const turn = createThreadTurn(log)
  const gatewayIds = new Map<string, Identity>(
    settings.workers.map(({ instance }) => [
      instance,
      { id: crypto.randomUUID(), token: crypto.randomUUID() },
    ]),
  )
  const members = createMembers(
    () => engine.state,
    () => gateways,
  )
  const engine = createMainEngine(settings, log, members)
  const ids = new Set([...gatewayIds.values()].map(({ id }) => id))
  const gateways = createGateways(engine.state.directory, ids)
  const thread = createThread(engine, turn, log)
  for (const { id, token } of gatewayIds.values()) {
    const whole = { builtIn: true, ipAddress: undefined, place: EVERYWHERE }
    engine.state.registry.submit({ command: 'join', id, token, ...whole })
  }
  const links = (): Map<Place, RingLink> => new Map([...shards].map(([place, { link }]) => [place, link]))
  const own = (): ThreadParts => ({ threadId, links: links(), resyncs: 0 })
  await placeAlways(thread, engine, log, { ...settings, own, peers: { ask } })

  const behind = settings.acceptor === 'thread'
  const acceptor: Place | undefined = behind ? settings.shards + 1 : undefined
  const threads = settings.shards + (behind ? 1 : 0)
  // The acceptor begins last: who connects finds a shard.
  const places = Array.from({ length: threads }, (_, index) => index + 1)
  const beats = new SharedArrayBuffer(4 * (threads + 1))
  const counted = new Int32Array(beats)
  const ledger = createLedger()
  const pool = createPool(threads)
  const shards = new Map<Place, Shard>()
  const failure = Promise.withResolvers<Error>()
  let stopping = false
  let actual = settings
  let addresses: Record<string, string> = {}

  function roleOf(place: Place): Role {
    return place === acceptor ? 'acceptor' : behind ? 'shard behind acceptor' : 'shard'
  }

  let starting: Promise<unknown> = Promise.resolve()

  /** Starts a shard; resolves when it serves. One after the other, so that each knows of all others. */
  function start(place: Place): Promise<void> {
    const started = starting.then(() => (stopping ? undefined : startNext(place)))
    starting = started.catch(() => {})
    return started
  }

  /** Lets every thread know the way to a new one, before any of them can hear of a worker there. */
  async function connectPeers(place: Place): Promise<Map<Place, RingPair>> {
    const peers = [...shards.values()]
    const rings = await Promise.all(
      peers.map(async ({ handle, place: peer }) => {
        const { there, back } = createRingPair(ringBytesBetween(place, peer, acceptor))
        await handle.connect(place, back)
        return there
      }),
    )
    // Those that were lost meanwhile are no peers any more.
    const entries = peers.map(({ place }, index) => [place, rings[index]!] as const)
    return new Map(entries.filter((_, index) => shards.get(peers[index]!.place) === peers[index]))
  }

  async function startNext(place: Place): Promise<void> {
    const rings = await connectPeers(place)
    if (stopping) return
    const toMain = createRingPair(limits.ringBytes)
    rings.set(MAIN, toMain.there)
    const link = createRingLink({ ...toMain.back, clock: systemClock, turn })
    const ready = Promise.withResolvers<void>()
    const linesUnderWay = new SharedArrayBuffer(4)
    const parts: Omit<ShardTask, 'port'> = {
      place,
      role: roleOf(place),
      acceptor,
      settings: actual,
      rings,
      gateways: gatewayIds,
      beats,
      ledger: ledger.begins(place),
      logLevel: log.level ?? 'debug',
      linesUnderWay,
    }
    const handle = pool.run(parts, message => heard(shard, message, ready))
    const startedAtMs = systemClock.now()
    const begun = { beats: counted[place]!, silentMs: 0, state: 'starting' as const, startedAtMs }
    const shard: Shard = { place, handle, link, linesUnderWay: new Int32Array(linesUnderWay), ...begun }
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
    members.add(place, {
      send: link.note,
      hasGateways: roleOf(place) !== 'shard behind acceptor',
    })
    void handle.over.then(reason => lost(shard, reason, ready.reject))
    try {
      await ready.promise
    } catch (error) {
      await handle.stop()
      throw error
    }
    shard.state = 'serving'
  }

  function heard(shard: Shard, message: FromShard, ready: PromiseWithResolvers<void>): void {
    switch (message.say) {
      case 'ready':
        actual = withPorts(actual, message.ports)
        if (Object.keys(message.addresses).length > 0) addresses = message.addresses
        ready.resolve()
        return
      case 'failed':
        ready.reject(Object.assign(new Error('A shard could not start'), message.error))
        return
      case 'log':
        Atomics.sub(shard.linesUnderWay, 0, 1)
        log[message.level](message.message, { ...message.fields, thread: `shard ${shard.place}` })
        return
      case 'connected':
      case 'drained':
      case 'status':
        shard.handle.answered(message)
    }
  }

  /** A shard has ended, whatever the reason. */
  function lost(shard: Shard, reason: Error | undefined, refuse: (error: Error) => void): void {
    if (shard.state === 'lost') return
    const wasServing = shard.state === 'serving'
    shard.state = 'lost'
    const { place } = shard
    shards.delete(place)
    ledger.lost(place)
    shard.link.drop()
    engine.disconnectTrunk(place)
    for (const peer of shards.values()) peer.handle.say({ say: 'peer gone', place })
    members.remove(place)
    refuse(reason ?? new Error('A shard ended while it started'))
    if (stopping || !wasServing) return
    log.error('a shard is lost; another one takes its place', { shard: place, error: reason })
    supervision.replace(place)
  }

  async function askOne(place: Place, workers: readonly string[]): Promise<Omit<Peer, 'counters'>> {
    const shard = shards.get(place)
    const known = { place, name: threadName(place, settings.shards), restarts: supervision.restarts(place) }
    if (shard === undefined) {
      return { ...known, state: 'lost', startedAtMs: 0, account: undefined }
    }
    const account = await shard.handle.ask(workers)
    if (account !== undefined && shards.get(place) === shard) ledger.said(place, account.counters)
    return { ...known, state: shard.state, startedAtMs: shard.startedAtMs, account }
  }

  async function ask(workers: readonly string[], wanted?: ReadonlySet<Place>): Promise<Peer[]> {
    const asked = wanted === undefined ? places : places.filter(place => wanted.has(place))
    const answers = await Promise.all(asked.map(place => askOne(place, workers)))
    // Looked up together: nothing of a shard that is lost meanwhile is counted twice, or left out.
    return answers.map(answer => ({ ...answer, counters: ledger.total(answer.place) }))
  }

  // From the first one on: one that does not start does not hold up the engine for ever.
  const supervision = createSupervision({
    clock: systemClock,
    log,
    counted,
    shards,
    start,
    isStopping: () => stopping,
    failed: failure.resolve,
  })

  async function stop(): Promise<void> {
    stopping = true
    supervision.stop()
    engine.state.stopping = true
    await Promise.all([...shards.values()].map(({ handle }) => handle.stop()))
    await thread.stop()
    for (const { link } of shards.values()) link.drop()
    await pool.destroy()
  }

  try {
    await claimPorts(settings)
    // One after the other: the first one says which ports the others share.
    for (const place of places) await start(place)
  } catch (error) {
    await stop()
    throw error
  }

  return {
    addresses,
    failed: failure.promise,
    async drain(ms) {
      stopping = true
      const until = systemClock.now() + ms
      await Promise.all([...shards.values()].map(({ handle }) => handle.drain(ms)))
      // What they have sent last may still be on its way to the sockets, which the acceptor has.
      if (acceptor !== undefined)
        await shards.get(acceptor)?.handle.drain(Math.max(0, until - systemClock.now()))
      await thread.drain(Math.max(0, until - systemClock.now()))
    },
    stop,
  }
}
