/**
 * What the discovery worker needs to see of the engine. The engine side is `src/threads/catalogue.ts`; this worker
 * knows no more of the directory than stands here.
 */
import type { ErrorBody } from '../../src/protocol/frames.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'

export interface FunctionRow {
  readonly id: string
  readonly namespace: string
  /** Name of the worker that answers, else the part of the id before the first `::`. */
  readonly workerName: string
  readonly description: string | undefined
  readonly requestFormat: JsonText | undefined
  readonly responseFormat: JsonText | undefined
  readonly metadata: JsonText | undefined
  /** Name of the built-in that lies below a worker's function and would answer without it. */
  readonly overrides: string | undefined
  /** Names of workers whose claim of the id waits. */
  readonly waiting: readonly string[]
}

export interface TriggerTypeRow {
  readonly id: string
  readonly namespace: string
  readonly workerName: string
  readonly description: string
  readonly configurationSchema: JsonText | undefined
  readonly requestSchema: JsonText | undefined
  /** Bindings bound to it now. */
  readonly instanceCount: number
}

export interface BindingRow {
  readonly id: string
  readonly triggerType: string
  readonly functionId: string
  readonly namespace: string
  readonly workerName: string
  readonly config: JsonText
  readonly metadata: JsonText | undefined
  /** Why it is not bound; `undefined` when it is. */
  readonly parkedReason: string | undefined
  /** What its provider has accepted and will not do, a sentence each. */
  readonly remarks: readonly string[]
  /** Namespace its provider is in; `undefined` while parked. */
  readonly providerNamespace: string | undefined
}

export interface WorkerRow {
  /** Connection id, or the instance name of a built-in. */
  readonly id: string
  /** Id of its connection. */
  readonly workerId: string
  readonly builtIn: boolean
  readonly name: string | undefined
  readonly description: string | undefined
  readonly version: string | undefined
  readonly namespace: string
  readonly runtime: string | undefined
  readonly os: string | undefined
  readonly pid: number | undefined
  readonly isolation: string | undefined
  readonly connectedAtMs: number
  /** `undefined`: the thread of its connection has not said. */
  readonly activeInvocations: number | undefined
  /** Number of the thread its connection is on, 0 the main one; `undefined`: it stands on several. */
  readonly thread: number | undefined
  readonly ipAddress: string | undefined
  readonly functionCount: number
  /** What it answers, provides and has bound; made when asked for, a list of workers does not need them. */
  functions(): FunctionRow[]
  triggerTypes(): TriggerTypeRow[]
  bindings(): BindingRow[]
  /** The newest ones; `atMs`: whole milliseconds since 1970. */
  readonly refusals: readonly { what: string; id: string; reason: string; atMs: number }[]
  /** How often it did what deserved a warning in the log, by kind; the log has fewer lines. */
  readonly warnings: Readonly<Record<string, number>>
  /** Messages that could not be read, by reason. */
  readonly problems: Readonly<Record<string, number>>
}

export type CatalogueEvent =
  | { readonly kind: 'function'; readonly namespace: string; readonly id: string }
  | { readonly kind: 'worker'; readonly event: string; readonly workerId: string }

export interface OwnerlessTrigger {
  readonly id: string
  readonly triggerType: string
  readonly functionId: string
  readonly config: JsonText
  readonly metadata: JsonText | undefined
  readonly namespace: string | undefined
  readonly triggerNamespace: string | undefined
}

/** What the engine has counted since it started. */
export interface CountersRow {
  readonly counters: Readonly<Record<string, number>>
  /** Threads that did not answer: what they have counted is not part of it. */
  readonly silentThreads: readonly string[]
}

/** One thread of the engine. What is `undefined` it has not said, or it cannot be had on this platform. */
export interface ThreadStatus {
  /** `main`, `shard 1`, …, `acceptor` */
  readonly name: string
  /** `silent`: it did not answer in time. `lost`: another one is about to take its place. */
  readonly state: 'starting' | 'serving' | 'silent' | 'lost'
  /** How often it was replaced. */
  readonly restarts: number
  /** Seconds of CPU since its start, and the share of a core since the last look. */
  readonly cpuSeconds: number | undefined
  readonly cpuShare: number | undefined
  readonly heapBytes: number | undefined
  /** Of workers. */
  readonly connections: number | undefined
  readonly callsInFlight: number | undefined
  /** How often its copy of the routes had to be made again. */
  readonly resyncs: number | undefined
  /** The rings to other threads. */
  readonly rings:
    | readonly { readonly to: string; readonly parkedBytes: number; readonly missedWakeUps: number }[]
    | undefined
  readonly counters: object
}

/** Of a data folder. */
export interface FolderHealth {
  /** Absolute. */
  readonly folder: string
  readonly health: 'ok' | 'degraded'
  /** Why it is degraded, and what to do. */
  readonly reason: string | undefined
}

export interface EngineStatus {
  readonly version: string
  readonly pid: number
  /** Milliseconds since 1970. */
  readonly startedAtMs: number
  readonly uptimeMs: number
  readonly mode: 'one thread' | 'one thread and a durable one' | 'shards' | 'shards and acceptor'
  /** It takes no new work. */
  readonly draining: boolean
  readonly memory: { readonly rssBytes: number; readonly heapBytes: number }
  /** How many there are in the directory. */
  readonly workers: number
  readonly functions: number
  readonly triggers: number
  /** Sums over all threads that have answered. */
  readonly connections: number
  readonly callsInFlight: number
  readonly restarts: number
  /** The counters of what was dropped or cut. */
  readonly dropped: Readonly<Record<string, number>>
  readonly counters: Readonly<Record<string, number>>
  readonly threads: readonly ThreadStatus[]
  /** The data folders that are in use. */
  readonly storage: readonly FolderHealth[]
}

export interface Catalogue {
  functions(): FunctionRow[]
  function(namespace: string, id: string): FunctionRow | undefined
  /** Sorted. */
  namespacesOfFunction(id: string): string[]
  triggerTypes(): TriggerTypeRow[]
  triggerType(namespace: string, id: string): TriggerTypeRow | undefined
  bindings(): BindingRow[]
  binding(id: string): BindingRow | undefined
  bindingsOfFunction(namespace: string, id: string): BindingRow[]
  workers(): WorkerRow[]
  /** The same rows with what only the threads of their connections know: active invocations, warnings, problems. */
  completed(rows: readonly WorkerRow[]): Promise<readonly WorkerRow[]>
  counters(): Promise<CountersRow>
  status(): Promise<EngineStatus>
  /** Calls `listener` on every change; the returned function ends it. */
  watch(listener: (event: CatalogueEvent) => void): () => void
  /** Adds a binding that survives its caller. Resolves with the provider's refusal, if it refused in time. */
  registerOwnerless(trigger: OwnerlessTrigger): Promise<ErrorBody | undefined>
  /** False when there was no such binding. */
  unregisterTrigger(id: string): boolean
}
