/**
 * The threads of an engine with shards, all on the thread of the test: a main engine with the directory and shards with
 * their replicas, joined by real rings.
 */
import { type Clock, systemClock } from '../../src/clock/clock.ts'
import { createEngine, createThreadEngine, type Engine, type HostEngine } from '../../src/engine/engine.ts'
import { MAIN } from '../../src/engine/registry.ts'
import type { Place } from '../../src/engine/routes.ts'
import { type Log, silentLog } from '../../src/log/log.ts'
import { JSON_EMPTY_OBJECT } from '../../src/protocol/jsonText.ts'
import { type Limits, limits as usual } from '../../src/protocol/limits.ts'
import type { LinkReceiver } from '../../src/protocol/link.ts'
import { createTurn } from '../../src/server/turn.ts'
import { createGateways } from '../../src/threads/gateways.ts'
import { createMemberRegistry } from '../../src/threads/memberRegistry.ts'
import { createMembers } from '../../src/threads/members.ts'
import { createRingLink, type RingLink } from '../../src/threads/ringLink.ts'
import { createRingBuffer } from '../../src/threads/ringMemory.ts'
import { createRecordingLink, type RecordingLink } from '../support/fakes.ts'
import { until } from '../support/waiting.ts'

const RING_BYTES = 1024 * 1024

export interface TestWorker {
  readonly id: string
  readonly link: RecordingLink
  readonly receiver: LinkReceiver
}

/** What has come from one thread to another. */
export interface Arrived {
  records: number
  frames: number
}

export interface Threads extends Disposable {
  readonly main: HostEngine
  readonly shards: readonly Engine[]
  /** Links from a thread to its peers: `links.get(1)!.get(MAIN)`. */
  readonly links: ReadonlyMap<Place, ReadonlyMap<Place, RingLink>>
  /** What a thread has got from another one so far. */
  arrived(at: Place, from: Place): Arrived
  /** A worker that has announced itself, on one of the shards; resolves when its functions are known on all threads. */
  worker(shard: number, functions: readonly string[]): Promise<TestWorker>
}

export function createThreads(
  shardCount: number,
  {
    clock = systemClock,
    log = silentLog,
    limits = usual,
  }: { clock?: Clock; log?: Log; limits?: Limits } = {},
): Threads {
  const turn = createTurn()
  const links = new Map<Place, Map<Place, RingLink>>()
  const arrivals = new Map<string, Arrived>()
  const options = { clock, log, limits, randomId: () => crypto.randomUUID() }
  const places = Array.from({ length: shardCount + 1 }, (_, place) => place)
  for (const place of places) links.set(place, new Map())
  for (const a of places) {
    for (const b of places) {
      if (a >= b) continue
      const [there, back] = [createRingBuffer(RING_BYTES), createRingBuffer(RING_BYTES)]
      const parts = { clock: systemClock, turn, limits }
      links.get(a)!.set(b, createRingLink({ ...parts, incoming: back, outgoing: there }))
      links.get(b)!.set(a, createRingLink({ ...parts, incoming: there, outgoing: back }))
    }
  }

  const members = createMembers(
    () => main.state,
    () => gateways,
  )
  const main = createEngine({ ...options, elsewhere: members })
  const gateways = createGateways(main.state.directory, new Set())

  function arrived(at: Place, from: Place): Arrived {
    const key = `${at} from ${from}`
    const known = arrivals.get(key) ?? { records: 0, frames: 0 }
    arrivals.set(key, known)
    return known
  }

  function counting(receiver: LinkReceiver, at: Place, from: Place): LinkReceiver {
    const count = arrived(at, from)
    return {
      ...receiver,
      receiveBatch(reader) {
        count.records++
        receiver.receiveBatch!(reader)
        count.frames += reader.frames
      },
    }
  }

  const shards = places.slice(1).map(place => {
    const own = links.get(place)!
    const registry = createMemberRegistry(note => own.get(MAIN)!.note(note), turn)
    const catchUp = (): void => own.get(MAIN)!.catchUp()
    const engine = createThreadEngine({ ...options, place, registry, catchUp })
    for (const [peer, link] of own) {
      const receiver = counting(engine.connectTrunk(link, peer), place, peer)
      link.listen(receiver, { note: bytes => registry.ordered(engine.state, bytes) })
    }
    return engine
  })
  for (const [place, link] of links.get(MAIN)!) {
    const receiver = counting(main.connectTrunk(link, place), MAIN, place)
    link.listen(receiver, { note: bytes => members.reported(place, bytes) })
    members.add(place, { send: link.note, hasGateways: true })
  }

  return {
    main,
    shards,
    links,
    arrived,
    async worker(shard, functions) {
      const link = createRecordingLink()
      const origin = { builtIn: false, ipAddress: undefined }
      const { workerId: id, receiver } = shards[shard]!.connect(link, origin)
      const unset = { requestFormat: undefined, responseFormat: undefined, metadata: undefined }
      receiver.receive({
        type: 'invokefunction',
        invocationId: undefined,
        functionId: 'engine::workers::register',
        data: JSON_EMPTY_OBJECT,
        namespace: undefined,
        action: 'void',
        queue: undefined,
        metadata: undefined,
        traceparent: undefined,
        baggage: undefined,
        timeoutMs: undefined,
        caller: undefined,
      })
      for (const name of functions) {
        const described = { description: undefined, invocation: undefined, ...unset }
        receiver.receive({ type: 'registerfunction', id: name, ...described })
      }
      await until('its functions are known everywhere', () =>
        [main, ...shards].every(({ state }) => functions.every(name => state.routes.find(undefined, name))),
      )
      link.take()
      return { id, link, receiver }
    },
    [Symbol.dispose]() {
      for (const own of links.values()) for (const link of own.values()) link.drop()
      main.stop()
      for (const shard of shards) shard.stop()
    },
  }
}
