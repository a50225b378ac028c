/** What the parts of the engine share. Made once per engine; everything that acts on the world is passed in. */
import type { Clock } from '../clock/clock.ts'
import type { Deadlines } from '../clock/deadlines.ts'
import type { Log } from '../log/log.ts'
import { countIn } from '../log/notices.ts'
import type { CallId } from '../protocol/frames.ts'
import type { Limits } from '../protocol/limits.ts'
import type { Connection } from './connection.ts'
import type { Invocation } from './invocations.ts'
import type { Registry } from './registry.ts'
import type { Place, Routes } from './routes.ts'

/** A call that crosses threads is counted on that of its caller. */
export interface EngineCounters {
  calls: number
  voidCalls: number
  answers: number
  /** Calls that ended by their deadline. */
  timeouts: number
  /** Results nobody waits for any more, or never did. */
  lateResults: number
  /** Answers to void calls: expected, and dropped. */
  voidResults: number
  /** Calls that wanted no answer and went nowhere. */
  lostVoids: number
  /** Messages that could not be read. */
  problems: number
  /** Messages in msgpack that were broken, each the end of its connection. */
  faults: number
  /** Telemetry frames taken from worker sockets and `/otel`. */
  telemetryFrames: number
  /** Binary messages on `/otel` of no known kind. */
  strangeTelemetry: number
  /** Connections that were cut because they did not read. */
  slowReaders: number
}

export interface EngineState {
  readonly clock: Clock
  readonly log: Log
  readonly limits: Limits
  readonly namespaceGraceMs: number
  /** The thread this engine is on. */
  readonly place: Place
  /** The thread whose workers come back when it is lost: their functions are kept until then. */
  readonly lasting: Place | undefined
  /** Random, for worker ids and tokens. */
  readonly randomId: () => string
  readonly receiptId: () => string
  /** Unique in this process, for invocations. */
  readonly invocationId: () => string
  /** The same for void calls, so that their answers can be told from late ones. */
  readonly voidInvocationId: () => string
  readonly isVoidInvocationId: (id: CallId) => boolean
  readonly registry: Registry
  readonly routes: Routes
  /**
   * Brings the routes up to what the thread with the directory has sent. Asked before routes are looked at: somebody who
   * was told that a function is there finds it, on whichever thread.
   */
  readonly catchUp: (() => void) | undefined
  readonly connections: Map<string, Connection>
  /** The ways to other threads. */
  readonly trunks: Map<Place, Connection>
  readonly deadlines: Deadlines<Invocation>
  readonly counters: EngineCounters
  /** The id that was probably meant by one that nobody has registered. */
  readonly nearestFunction: (namespace: string, functionId: string) => string | undefined
  /** The first stage of stopping: calls that would be new work are refused. */
  draining: boolean
  /** The engine ends: what still changes is not worth a log line. */
  stopping: boolean
  readonly teardown: (connection: Connection, reason: string) => void
  /** Lets the parked frames of a connection go on. */
  readonly unpark: (connection: Connection) => void
}

/**
 * A warning about what a connection does, which it can do again and again: a line for the first of a kind, then few. The
 * count stands in them and in the worker's details.
 */
export function warnAbout(
  engine: EngineState,
  connection: Connection,
  kind: string,
  message: string,
  fields: Readonly<Record<string, unknown>>,
): void {
  const { count, isToldOf } = countIn(connection.warnings, kind)
  if (isToldOf)
    engine.log.warn(message, { worker_id: connection.id, worker_name: connection.name, ...fields, count })
}
