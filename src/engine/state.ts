/** What the parts of the engine share. Made once per engine; everything that acts on the world is passed in. */
import type { Clock } from '../clock/clock.ts'
import type { Deadlines } from '../clock/deadlines.ts'
import type { Log } from '../log/log.ts'
import { countIn } from '../log/notices.ts'
import type { Limits } from '../protocol/limits.ts'
import type { Connection } from './connection.ts'
import type { Change } from './directory/changes.ts'
import type { Directory } from './directory/directory.ts'
import type { Invocation } from './invocations.ts'

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
  /** Random, for worker ids and tokens. */
  readonly randomId: () => string
  /** Unique in this process, for invocations. */
  readonly invocationId: () => string
  /** The same for void calls, so that their answers can be told from late ones. */
  readonly voidInvocationId: () => string
  readonly isVoidInvocationId: (id: string) => boolean
  readonly directory: Directory
  readonly connections: Map<string, Connection>
  readonly deadlines: Deadlines<Invocation>
  readonly counters: EngineCounters
  /** Told of every change of the directory, after it was carried out. */
  readonly watchers: Set<(change: Change) => void>
  /** Ownerless bindings whose provider has not answered yet. */
  readonly ownerless: Map<string, (error: { code: string; message: string } | undefined) => void>
  /** The first stage of stopping: calls that would be new work are refused. */
  draining: boolean
  /** The engine ends: what still changes is not worth a log line. */
  stopping: boolean
  readonly carryOut: (changes: readonly Change[]) => void
  readonly teardown: (connection: Connection, reason: string) => void
}

/**
 * A warning about what a connection does, which it can do again and again: a line for the first of a kind, then few. The
 * count stands in them and in the worker's details.
 */
export function warnAbout(
  engine: EngineState,
  connection: { readonly id: string },
  kind: string,
  message: string,
  fields: Readonly<Record<string, unknown>>,
): void {
  const worker = engine.directory.workers.get(connection.id)
  if (worker === undefined) return
  const { count, isToldOf } = countIn(worker.warnings, kind)
  if (!isToldOf) return
  const { id: worker_id } = connection
  engine.log.warn(message, { worker_id, worker_name: worker.announcement?.name, ...fields, count })
}

/** The announced name of a connection's worker, for people. */
export function workerName({ directory }: EngineState, { id }: { readonly id: string }): string | undefined {
  return directory.workers.get(id)?.announcement?.name
}
