/**
 * An engine: the connections of one thread, the calls in flight between them, and the routes. Links are given to it;
 * it has no socket, no file, no clock and no random source of its own.
 *
 * One thread of a process holds the directory as well (`createEngine`); the others reach it through their registry.
 */
import type { Clock } from '../clock/clock.ts'
import { createDeadlines } from '../clock/deadlines.ts'
import type { Log } from '../log/log.ts'
import { limits as defaultLimits, type Limits } from '../protocol/limits.ts'
import type { Link, LinkReceiver } from '../protocol/link.ts'
import { createInvocationIds } from '../protocol/uuid.ts'
import { receiveBatch } from './batches.ts'
import { expire, haltCalls } from './calls.ts'
import { type Connection, type ConnectionParts, createConnection, type Origin } from './connection.ts'
import type { Change } from './directory/changes.ts'
import { createDirectory } from './directory/directory.ts'
import type { Invocation } from './invocations.ts'
import { watchTargets } from './missingTargets.ts'
import { createNearestFunction } from './nearestFunction.ts'
import { submit } from './order.ts'
import { proceed, startGrace } from './registrations.ts'
import {
  createCarryOut,
  createRegistry,
  type Elsewhere,
  type HostState,
  MAIN,
  type Registry,
} from './registry.ts'
import { receive, receiveFanOut, receiveProblem } from './router.ts'
import { createRoutes, type Place } from './routes.ts'
import { letAllGo, release } from './stall.ts'
import type { EngineCounters, EngineState } from './state.ts'

export interface EngineOptions {
  clock: Clock
  log: Log
  randomId: () => string
  /** For messages of queues; random, and later ones sort behind earlier ones, so that a store only appends. Default `randomId`. */
  receiptId?: () => string
  limits?: Limits
  namespaceGraceMs?: number
  lasting?: Place | undefined
  /** Names of the built-in workers that a configuration can start, for advice. */
  builtIns?: ReadonlySet<string>
}

export interface ThreadEngineOptions extends EngineOptions {
  readonly place: Place
  readonly registry: Registry
  readonly catchUp?: () => void
}

export interface HostOptions extends EngineOptions {
  /** Takes what happens on other threads; absent if there are none. */
  readonly elsewhere?: Elsewhere
}

export interface Connected {
  readonly workerId: string
  readonly receiver: LinkReceiver
}

export interface Engine<State extends EngineState = EngineState> {
  readonly state: State
  /** Takes a new link in; the returned receiver is fed with what comes over it. */
  connect(link: Link, origin: Origin): Connected
  /** Takes in the link to another thread. */
  connectTrunk(link: Link, place: Place): LinkReceiver
  /** Another thread is no more: what it executed for this one fails, what it waited for is forgotten. */
  disconnectTrunk(place: Place): void
  /** Calls that workers of this thread execute, and calls of this thread that others have not answered. */
  callsInFlight(): number
  /** Bytes that were sent to workers and have not left yet. */
  unsentBytes(): number
  /** From now on workers can make calls only for the calls they execute. */
  drain(): void
  /** Ends every connection. */
  stop(): void
}

/** The engine of the thread that holds the directory. */
export type HostEngine = Engine<HostState>

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
    faults: 0,
    telemetryFrames: 0,
    strangeTelemetry: 0,
    slowReaders: 0,
  }
}

function createState(options: ThreadEngineOptions): EngineState {
  const { clock, randomId } = options
  const limits = options.limits ?? defaultLimits
  const voidIds = createInvocationIds(randomId)
  const voidHead = voidIds().slice(0, 24)
  const routes = createRoutes()
  const state: EngineState = {
    clock,
    log: options.log,
    limits,
    namespaceGraceMs: options.namespaceGraceMs ?? limits.namespaceGraceMs,
    place: options.place,
    lasting: options.lasting,
    randomId,
    receiptId: options.receiptId ?? randomId,
    invocationId: createInvocationIds(randomId),
    voidInvocationId: voidIds,
    isVoidInvocationId: id => typeof id === 'string' && id.startsWith(voidHead),
    registry: options.registry,
    routes,
    catchUp: options.catchUp,
    connections: new Map(),
    trunks: new Map(),
    deadlines: createDeadlines<Invocation>(clock, DEADLINE_RESOLUTION_MS, invocation =>
      expire(state, invocation),
    ),
    counters: zeroCounters(),
    nearestFunction: createNearestFunction(clock, routes, limits),
    draining: false,
    stopping: false,
    teardown: (connection, reason) => teardown(state, connection, reason),
    unpark: connection => unpark(state, connection),
  }
  return state
}

/** Ends a connection inside the engine, once and completely (`docs/protocol/json.md#the-end-of-a-connection`). */
function teardown(engine: EngineState, connection: Connection, reason: string): void {
  if (connection.phase === 'gone') return
  connection.phase = 'gone'
  connection.held = []
  connection.heldFunctions.clear()
  connection.parked = []
  connection.cancelGrace()
  for (const again of connection.doubted) again()
  connection.link.end('cut')
  release(connection)
  letAllGo(connection)
  haltCalls(engine, connection)
  if (connection.trunk) return
  engine.connections.delete(connection.id)
  engine.registry.submit({ command: 'leave', workerId: connection.id, reason })
  for (const tell of connection.looks) tell()
  engine.log.debug('connection ended', { worker_id: connection.id, worker_name: connection.name, reason })
}

/** Lets parked frames go on, as far as none of them has to wait again. */
function unpark(engine: EngineState, connection: Connection): void {
  const frames = connection.parked
  connection.parked = []
  for (const frame of frames) {
    if (isGone(connection)) return
    proceed(engine, connection, frame)
  }
  if (!isGone(connection) && --connection.stalledBy === 0) connection.link.resume()
}

function isGone(connection: Connection): boolean {
  return connection.phase === 'gone'
}

function engineOn<State extends EngineState>(state: State): Engine<State> {
  function receiverOf(connection: Connection): LinkReceiver {
    return {
      receive: frame => receive(state, connection, frame),
      receiveFanOut: frame => receiveFanOut(state, connection, frame),
      receiveBatch: reader => receiveBatch(state, connection, reader),
      problem: problem => receiveProblem(state, connection, problem),
      drained: () => release(connection),
      ended: () => teardown(state, connection, 'the connection was closed'),
    }
  }

  function create(link: Link, parts: Omit<ConnectionParts, 'newCallId' | 'messageBytes'>): Connection {
    const messageBytes = parts.takes?.messageBytes ?? state.limits.messageBytes
    return createConnection(link, { ...parts, messageBytes, newCallId: state.invocationId })
  }

  return {
    state,

    connect(link, origin) {
      const { builtIn, ipAddress, identity } = origin
      const { id, token } = identity ?? { id: state.randomId(), token: state.randomId() }
      const connection = create(link, { ...origin, id, reattachToken: token, trunk: false })
      state.connections.set(id, connection)
      link.send({ type: 'workerregistered', workerId: id, reattachToken: token })
      const { place } = state
      // Whoever it calls can ask who it is.
      if (identity === undefined)
        submit(state, connection, { command: 'join', id, token, builtIn, ipAddress, place })
      if (!builtIn) startGrace(state, connection)
      return { workerId: id, receiver: receiverOf(connection) }
    },

    connectTrunk(link, place) {
      const origin = { builtIn: false, ipAddress: undefined }
      const connection = create(link, { ...origin, id: `thread ${place}`, reattachToken: '', trunk: true })
      state.trunks.set(place, connection)
      return receiverOf(connection)
    },

    disconnectTrunk(place) {
      const trunk = state.trunks.get(place)
      state.trunks.delete(place)
      if (trunk !== undefined) teardown(state, trunk, 'its thread is gone')
    },

    callsInFlight() {
      let count = 0
      for (const connection of state.connections.values()) count += connection.executing.size()
      // What others execute for this thread: its callers still wait here.
      for (const trunk of state.trunks.values()) count += trunk.executing.size()
      return count
    },

    unsentBytes() {
      let bytes = 0
      for (const connection of state.connections.values()) bytes += connection.link.backlog()
      for (const trunk of state.trunks.values()) bytes += trunk.link.backlog()
      return bytes
    },

    drain() {
      state.draining = true
    },

    stop() {
      state.stopping = true
      for (const connection of [...state.connections.values()])
        teardown(state, connection, 'the engine stops')
      for (const trunk of state.trunks.values()) teardown(state, trunk, 'the engine stops')
      state.deadlines.stop()
    },
  }
}

/** The engine of a thread that does not hold the directory. */
export function createThreadEngine(options: ThreadEngineOptions): Engine {
  return engineOn(createState(options))
}

/** The engine of the thread that holds the directory. */
export function createEngine(options: HostOptions): HostEngine {
  const { clock, limits = defaultLimits } = options
  const directory = createDirectory(() => clock.now(), limits)
  if (options.builtIns !== undefined) directory.triggers.builtIns = options.builtIns
  let carryOut: (changes: readonly Change[], then?: () => void) => void = () => {}
  const registry = createRegistry(directory, (changes, then) => carryOut(changes, then))
  const state: HostState = Object.assign(createState({ ...options, place: MAIN, registry }), {
    directory,
    watchers: new Set<(change: Change) => void>(),
    ownerless: new Map<string, (error: { code: string; message: string } | undefined) => void>(),
    carryOut: (changes: readonly Change[]) => carryOut(changes),
  })
  carryOut = createCarryOut(state, options.elsewhere)
  watchTargets(state)
  return engineOn(state)
}
