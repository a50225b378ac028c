/**
 * The threads of an engine with shards, all on the thread of a test: a main one with the directory, and shards, joined
 * by real rings.
 */
import type { Clock } from '../../src/clock/clock.ts'
import {
  createEngine,
  createThreadEngine,
  type Engine,
  type EngineOptions,
  type HostEngine,
} from '../../src/engine/engine.ts'
import { MAIN } from '../../src/engine/registry.ts'
import type { Place } from '../../src/engine/routes.ts'
import { limits as defaultLimits } from '../../src/protocol/limits.ts'
import type { LinkReceiver } from '../../src/protocol/link.ts'
import { createTurn, type Turn } from '../../src/server/turn.ts'
import { createGateways } from '../../src/threads/gateways.ts'
import { createMemberRegistry } from '../../src/threads/memberRegistry.ts'
import { createMembers, type Members } from '../../src/threads/members.ts'
import { createRingLink, type RingLink } from '../../src/threads/ringLink.ts'
import { createRingBuffer } from '../../src/threads/ringMemory.ts'

export interface Part {
  readonly place: Place
  readonly engine: Engine
  readonly turn: Turn
  /** Its ends of the rings, by the place of the other end. */
  readonly links: Map<Place, RingLink>
}

export interface JoinedOptions {
  readonly engine: EngineOptions
  readonly shards: number
  readonly ringBytes: number
  readonly ringClock: Clock
  /** Runs a task after the event loop had its turn. */
  readonly later?: (task: () => void) => void
  /** A record has come from one thread to another; `frames` absent: it is a note. */
  readonly came: (at: Place, from: Place, frames?: number) => void
}

export interface Joined {
  readonly main: HostEngine
  readonly members: Members
  /** By their places, the main thread first. */
  readonly parts: readonly Part[]
}

/** The main thread, which has no members yet. */
export function createMain(options: EngineOptions): { main: HostEngine; members: Members } {
  const members = createMembers(
    () => main.state,
    () => gateways,
  )
  const main = createEngine({ ...options, elsewhere: members })
  const gateways = createGateways(main.state.directory, new Set())
  return { main, members }
}

export function joinThreads(options: JoinedOptions): Joined {
  const { came, ringBytes, ringClock, later } = options
  const { main, members } = createMain(options.engine)
  const parts: Part[] = [{ place: MAIN, engine: main, turn: createTurn(), links: new Map() }]
  const common = {
    clock: ringClock,
    limits: options.engine.limits ?? defaultLimits,
    ...(later === undefined ? {} : { later }),
  }

  function join(one: Part, other: Part): void {
    const [there, back] = [createRingBuffer(ringBytes), createRingBuffer(ringBytes)]
    const ends = [
      { part: one, peer: other, incoming: back, outgoing: there },
      { part: other, peer: one, incoming: there, outgoing: back },
    ]
    for (const { part, peer, incoming, outgoing } of ends) {
      part.links.set(peer.place, createRingLink({ ...common, incoming, outgoing, turn: part.turn }))
    }
  }

  /** Says who gets what comes to `part` from `from`. */
  function listen(part: Part, from: Place, take: (note: Uint8Array) => void): void {
    const link = part.links.get(from)!
    const receiver = part.engine.connectTrunk(link, from)
    const counting: LinkReceiver = {
      ...receiver,
      receiveBatch(reader) {
        try {
          receiver.receiveBatch!(reader)
        } finally {
          came(part.place, from, reader.frames)
        }
      },
    }
    link.listen(counting, {
      note(bytes) {
        came(part.place, from)
        take(bytes)
      },
    })
  }

  for (let place = 1; place <= options.shards; place++) {
    const turn = createTurn()
    const links = new Map<Place, RingLink>()
    const registry = createMemberRegistry(note => links.get(MAIN)!.note(note), turn)
    const catchUp = (): void => links.get(MAIN)?.catchUp()
    const engine = createThreadEngine({ ...options.engine, place, registry, catchUp })
    const shard: Part = { place, engine, turn, links }
    for (const peer of parts) {
      join(shard, peer)
      listen(shard, peer.place, bytes => registry.ordered(engine.state, bytes))
      listen(peer, place, bytes => members.reported(place, bytes))
    }
    parts.push(shard)
    members.add(place, { send: parts[MAIN]!.links.get(place)!.note, hasGateways: false })
  }
  return { main, members, parts }
}
