/**
 * What the engine needs to know to place a built-in worker: its name and how to start it on a client.
 * A built-in has no other way into the engine than this client; what else it needs (a listener's settings, a view
 * of the directory) is passed to the function that makes it.
 */
import type { BuiltInClient } from '../sdk/typescript/src/worker.ts'

export interface BuiltInWorker {
  /** As in `config.yaml` and in `engine::workers::list`: `iii-http`, `iii-engine-functions`, … */
  readonly name: string
  readonly description: string
  /** Registers everything; resolves when the worker serves. */
  start(client: BuiltInClient): Promise<RunningWorker>
}

export interface RunningWorker {
  /** Addresses it listens on, for the start message: `{ "http": "http://127.0.0.1:3111" }`. */
  readonly addresses: Readonly<Record<string, string>>
  /** Takes no new work; resolves when work under way has ended. */
  drain(): Promise<void>
  /** Ends at once and frees its ports. */
  stop(): Promise<void>
}
