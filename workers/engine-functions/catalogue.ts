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
  readonly activeInvocations: number
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
  /** What the engine has counted since it started. */
  counters(): Readonly<Record<string, number>>
  /** Calls `listener` on every change; the returned function ends it. */
  watch(listener: (event: CatalogueEvent) => void): () => void
  /** Adds a binding that survives its caller. Resolves with the provider's refusal, if it refused in time. */
  registerOwnerless(trigger: OwnerlessTrigger): Promise<ErrorBody | undefined>
  /** False when there was no such binding. */
  unregisterTrigger(id: string): boolean
}
