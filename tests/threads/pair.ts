/** A main thread and a shard for a test that has the notes between them in its hands. */
import type { Command } from '../../src/engine/directory/command.ts'
import { createThreadEngine, type Engine, type HostEngine } from '../../src/engine/engine.ts'
import { type Limits, limits } from '../../src/protocol/limits.ts'
import { createTurn } from '../../src/server/turn.ts'
import { createMemberRegistry, type MemberRegistry } from '../../src/threads/memberRegistry.ts'
import type { Members } from '../../src/threads/members.ts'
import {
  createRecordingLink,
  createRecordingLog,
  createSeededIds,
  createVirtualClock,
  type RecordingLink,
  type RecordingLog,
} from '../support/fakes.ts'
import { createMain } from '../support/joinedThreads.ts'

export const PLACE = 1

export interface Pair {
  readonly main: HostEngine
  readonly shard: Engine
  readonly members: Members
  readonly registry: MemberRegistry
  readonly log: RecordingLog
  /** Orders on their way to the shard; a test may take some out. */
  readonly orders: Uint8Array[]
  /** Lets commands of the shard arrive. */
  reports(): readonly Uint8Array[]
  /** Lets orders arrive. */
  obeys(): readonly Uint8Array[]
  /** Lets commands arrive, then the orders that follow. */
  exchange(): void
  connect(): { id: string; link: RecordingLink }
}

/** A main thread and a shard, with the ways between them in the hands of the test. */
export function createPair(bounds: Limits = limits): Pair {
  const clock = createVirtualClock()
  const log = createRecordingLog()
  const randomId = createSeededIds()
  const turn = createTurn()
  const orders: Uint8Array[] = []
  let reported: Uint8Array[] = []
  const { main, members } = createMain({ clock, log, randomId, limits: bounds })
  const registry = createMemberRegistry(note => void reported.push(note), turn)
  const shard = createThreadEngine({ clock, log, randomId, place: PLACE, registry })
  const send = (note: Uint8Array, entered: () => void): void => {
    orders.push(note)
    entered()
  }
  members.add(PLACE, { send, hasGateways: false })
  const pair: Pair = {
    main,
    shard,
    members,
    registry,
    log,
    orders,
    reports() {
      turn.end()
      const notes = reported
      reported = []
      for (const note of notes) members.reported(PLACE, note)
      return notes
    },
    obeys() {
      const given = orders.splice(0)
      for (const order of given) registry.ordered(shard.state, order)
      return given
    },
    exchange() {
      pair.reports()
      pair.obeys()
    },
    connect() {
      const link = createRecordingLink()
      const { workerId: id } = shard.connect(link, { builtIn: true, ipAddress: undefined })
      pair.exchange()
      link.take()
      return { id, link }
    },
  }
  pair.obeys()
  return pair
}

export function registration(workerId: string, id: string): Command {
  const rest = { description: undefined, requestFormat: undefined, responseFormat: undefined }
  const definition = { id, namespace: 'default', ...rest, metadata: undefined, invocation: undefined }
  return { command: 'registerFunction', workerId, definition }
}

export const routesOf = ({ shard }: Pair): string[] =>
  shard.state.routes.all().map(({ functionId }) => functionId)
