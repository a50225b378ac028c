/** The threads of an engine with shards, all on the thread of the test, which take what comes in turns of their own. */
import { type Clock, systemClock } from '../../src/clock/clock.ts'
import type { Engine, HostEngine } from '../../src/engine/engine.ts'
import type { Place } from '../../src/engine/routes.ts'
import { type Log, silentLog } from '../../src/log/log.ts'
import { newCall } from '../../src/protocol/frames.ts'
import { JSON_EMPTY_OBJECT } from '../../src/protocol/jsonText.ts'
import { type Limits, limits as usual } from '../../src/protocol/limits.ts'
import type { LinkReceiver } from '../../src/protocol/link.ts'
import type { RingLink } from '../../src/threads/ringLink.ts'
import { createRecordingLink, type RecordingLink } from '../support/fakes.ts'
import { registrationFrame } from '../support/frames.ts'
import { joinThreads } from '../support/joinedThreads.ts'
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
  const arrivals = new Map<string, Arrived>()

  function arrived(at: Place, from: Place): Arrived {
    const key = `${at} from ${from}`
    const known = arrivals.get(key) ?? { records: 0, frames: 0 }
    arrivals.set(key, known)
    return known
  }

  const { main, parts } = joinThreads({
    engine: { clock, log, limits, randomId: () => crypto.randomUUID() },
    shards: shardCount,
    ringBytes: RING_BYTES,
    ringClock: systemClock,
    came(at, from, frames) {
      if (frames === undefined) return
      const count = arrived(at, from)
      count.records++
      count.frames += frames
    },
  })
  const shards = parts.slice(1).map(({ engine }) => engine)
  const links = new Map(parts.map(part => [part.place, part.links]))

  return {
    main,
    shards,
    links,
    arrived,
    async worker(shard, functions) {
      const link = createRecordingLink()
      const origin = { builtIn: false, ipAddress: undefined }
      const { workerId: id, receiver } = shards[shard]!.connect(link, origin)
      receiver.receive(newCall('engine::workers::register', JSON_EMPTY_OBJECT))
      for (const name of functions) receiver.receive(registrationFrame(name))
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
