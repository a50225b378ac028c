/**
 * An engine: the directory, the calls in flight and the connections of one thread. Links are given to it; it has
 * no socket, no file, no clock and no random source of its own.
 */
import type { Clock } from '../clock/clock.ts'
import { createDeadlines } from '../clock/deadlines.ts'
import type { Log } from '../log/log.ts'
import { limits as defaultLimits, type Limits } from '../protocol/limits.ts'
import type { Link, LinkReceiver } from '../protocol/link.ts'
import { createInvocationIds } from '../protocol/uuid.ts'
import { expire, haltCalls } from './calls.ts'
import { createCarryOut } from './carryOut.ts'
import { type Connection, createConnection } from './connection.ts'
import { createDirectory } from './directory/directory.ts'
import type { Invocation } from './invocations.ts'
import { startGrace } from './registrations.ts'
import { receive, receiveProblem } from './router.ts'
import { release } from './stall.ts'
import { type EngineCounters, type EngineState, workerName } from './state.ts'

export interface EngineOptions {
  clock: Clock
  log: Log
  randomId: () => string
  limits?: Limits
  namespaceGraceMs?: number
  /** Names of the built-in workers that a configuration can start, for advice. */
  builtIns?: ReadonlySet<string>
}

/** Where a connection comes from. */
export interface Origin {
  readonly builtIn: boolean
  readonly ipAddress: string | undefined
}

export interface Engine {
  readonly state: EngineState
  /** Takes a new link in; the returned receiver is fed with what comes over it. */
  connect(link: Link, origin: Origin): { readonly workerId: string; readonly receiver: LinkReceiver }
  callsInFlight(): number
  /** Bytes that were sent to workers and have not left yet. */
  unsentBytes(): number
  /** Ends every connection. */
  stop(): void
}

/** Deadlines expire up to this much late. */
const DEADLINE_RESOLUTION_MS = 50

function zeroCounters(): EngineCounters {
  return {
    calls: 0,
    voidCalls: 0,
    answers: 0,
    timeouts: 0,
    lateResults: 0,
    lostVoids: 0,
    voidResults: 0,
    problems: 0,
    telemetryFrames: 0,
    strangeTelemetry: 0,
    slowReaders: 0,
  }
}

export function createEngine(options: EngineOptions): Engine {
  const { clock, log, randomId } = options
  const limits = options.limits ?? defaultLimits
  const voidIds = createInvocationIds(randomId)
  const voidHead = voidIds().slice(0, 24)

  const state: EngineState = {
    clock,
    log,
    limits,
    randomId,
    namespaceGraceMs: options.namespaceGraceMs ?? limits.namespaceGraceMs,
    invocationId: createInvocationIds(randomId),
    voidInvocationId: voidIds,
    isVoidInvocationId: id => id.startsWith(voidHead),
    directory: createDirectory(() => clock.now(), limits),
    connections: new Map(),
    deadlines: createDeadlines<Invocation>(clock, DEADLINE_RESOLUTION_MS, invocation =>
      expire(state, invocation),
    ),
    counters: zeroCounters(),
    watchers: new Set(),
    ownerless: new Map(),
    stopping: false,
    carryOut: changes => carryOut(changes),
    teardown,
  }
  const carryOut = createCarryOut(state)
  if (options.builtIns !== undefined) state.directory.triggers.builtIns = options.builtIns

  /** Ends a connection inside the engine, once and completely (`protocol.md` 3.5). */
  function teardown(connection: Connection, reason: string): void {
    if (connection.phase === 'gone') return
    connection.phase = 'gone'
    connection.held = []
    connection.heldFunctions.clear()
    connection.cancelGrace()
    connection.link.end('cut')
    state.connections.delete(connection.id)
    release(connection)
    const name = workerName(state, connection)
    haltCalls(state, connection)
    state.carryOut(state.directory.leave(connection.id, connection.reattachToken))
    log.debug('connection ended', { worker_id: connection.id, worker_name: name, reason })
  }

  return {
    state,

    connect(link, { builtIn, ipAddress }) {
      const connection = createConnection(link, {
        id: randomId(),
        reattachToken: randomId(),
        builtIn,
        ipAddress,
      })
      state.connections.set(connection.id, connection)
      link.send({
        type: 'workerregistered',
        workerId: connection.id,
        reattachToken: connection.reattachToken,
      })
      state.carryOut(state.directory.join({ id: connection.id, builtIn, ipAddress }))
      if (!builtIn) startGrace(state, connection)
      const receiver: LinkReceiver = {
        receive: frame => receive(state, connection, frame),
        problem: problem => receiveProblem(state, connection, problem),
        drained: () => release(connection),
        ended: () => teardown(connection, 'the connection was closed'),
      }
      return { workerId: connection.id, receiver }
    },

    callsInFlight() {
      let count = 0
      for (const connection of state.connections.values()) count += connection.executing.size
      return count
    },

    unsentBytes() {
      let bytes = 0
      for (const connection of state.connections.values()) bytes += connection.link.backlog()
      return bytes
    },

    stop() {
      state.stopping = true
      for (const connection of [...state.connections.values()]) teardown(connection, 'the engine stops')
      state.deadlines.stop()
    },
  }
}
