/**
 * The trigger types `engine::functions-available` and `engine::workers-available`. Changes are pushed when they
 * happen; a burst of changed functions fires once.
 */
import type { Binding, TextCall, TriggerProvider, WorkerClient } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Log } from '../../src/log/log.ts'
import { isMilestone } from '../../src/log/notices.ts'
import { fromJsonText, type JsonText, toJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Catalogue, FunctionRow } from './catalogue.ts'
import { summaryOf } from './functions.ts'
import { byText } from './input.ts'

/** Time of one turn for making payloads; the rest follows in further turns, so that calls go on meanwhile. */
const TURN_MS = 5

interface Watcher {
  readonly binding: Binding
  failures: number
}

interface FunctionFilter {
  readonly prefix: string | undefined
  readonly worker: string | undefined
}

interface FunctionWatcher extends Watcher {
  readonly filter: FunctionFilter
}

/** Functions by namespace and id, with the name of the worker that answers. */
type Answerers = ReadonlyMap<string, string>

function filterOf(config: JsonText): FunctionFilter {
  const value = fromJsonText(config) as { prefix?: unknown; worker?: unknown } | null
  const text = (part: unknown): string | undefined =>
    typeof part === 'string' && part !== '' ? part : undefined
  return { prefix: text(value?.prefix), worker: text(value?.worker) }
}

function passes(filter: FunctionFilter, id: string, workerName: string): boolean {
  if (filter.prefix !== undefined && !id.startsWith(filter.prefix)) return false
  return filter.worker === undefined || filter.worker === workerName
}

function idOf(key: string): string {
  return key.slice(key.indexOf('\0') + 1)
}

/** The functions before and after a burst of changes. */
interface Burst {
  readonly rows: readonly FunctionRow[]
  readonly before: Answerers
  readonly after: Answerers
  /** Functions that are not as they were; in the order of `after`, then of `before`. */
  readonly changed: readonly string[]
}

/** Functions that came, went or moved, and those that were touched otherwise. */
function changedKeys(before: Answerers, after: Answerers, touched: ReadonlySet<string>): string[] {
  const changed: string[] = []
  for (const [key, name] of after) if (before.get(key) !== name || touched.has(key)) changed.push(key)
  for (const key of before.keys()) if (!after.has(key)) changed.push(key)
  return changed
}

/** What one filter lets through of a burst; `undefined`: nothing. */
function difference(
  filter: FunctionFilter,
  { before, after, changed }: Burst,
): { added: string[]; removed: string[] } | undefined {
  const added: string[] = []
  const removed: string[] = []
  let concerns = false
  const isIn = (answerers: Answerers, key: string, id: string): boolean => {
    const name = answerers.get(key)
    return name !== undefined && passes(filter, id, name)
  }
  for (const key of changed) {
    const id = idOf(key)
    const was = isIn(before, key, id)
    const is = isIn(after, key, id)
    if (was || is) concerns = true
    if (is && !was) added.push(id)
    if (was && !is) removed.push(id)
  }
  return concerns ? { added, removed } : undefined
}

export interface Availability {
  readonly functions: TriggerProvider
  readonly workers: TriggerProvider
  /** Ends the watch; nothing fires any more. */
  stop(): void
}

export function watchAvailability(
  client: WorkerClient,
  catalogue: Catalogue,
  clock: Clock,
  log: Log,
): Availability {
  const functionBindings = new Map<string, FunctionWatcher>()
  const workerBindings = new Map<string, Watcher>()
  /** The functions as they were when they were last told of. */
  let known: Answerers = new Map()
  /** Functions that changed since then, if only in their description. */
  let touched = new Set<string>()
  let cancelTimer: (() => void) | undefined
  let isStopped = false

  function fire(watcher: Watcher, data: JsonText): void {
    const { binding } = watcher
    const call: TextCall = {
      functionId: binding.function_id,
      data,
      namespace: binding.namespace,
      metadata: binding.metadata,
      timeoutMs: limits.callTimeoutMs,
      traceparent: undefined,
      baggage: undefined,
    }
    client.call(call, error => {
      if (error === undefined || !isMilestone(++watcher.failures)) return
      const count = watcher.failures
      log.warn('a registry change was not taken', { trigger_id: binding.id, ...error, count })
    })
  }

  function answerersOf(rows: readonly FunctionRow[]): Answerers {
    return new Map(rows.map(row => [`${row.namespace}\0${row.id}`, row.workerName]))
  }

  /** The payload for one filter; `undefined` when nothing that it lets through has changed. */
  function payloadFor(filter: FunctionFilter, burst: Burst): JsonText | undefined {
    const changes = difference(filter, burst)
    if (changes === undefined) return undefined
    const functions = burst.rows.filter(row => passes(filter, row.id, row.workerName)).map(summaryOf)
    return toJsonText({ event: 'functions_changed', functions, ...changes })
  }

  function fireFunctions(): void {
    cancelTimer = undefined
    const rows = catalogue.functions().sort(byText(row => row.id))
    const before = known
    const after = answerersOf(rows)
    const burst = { rows, before, after, changed: changedKeys(before, after, touched) }
    known = after
    touched = new Set()
    // Bindings with the same filter share one payload: it can hold every function there is.
    const groups = Map.groupBy(functionBindings.values(), ({ filter }) => JSON.stringify(filter))
    tellGroups(burst, [...groups.values()], 0)
  }

  /** Whoever binds tells us how many payloads there are to make, and each costs a look at every function. */
  function tellGroups(burst: Burst, groups: readonly (readonly FunctionWatcher[])[], from: number): void {
    cancelTimer = undefined
    const until = clock.now() + TURN_MS
    for (let next = from; next < groups.length; next++) {
      const group = groups[next]!.filter(watcher => functionBindings.get(watcher.binding.id) === watcher)
      const payload = group.length === 0 ? undefined : payloadFor(group[0]!.filter, burst)
      if (payload !== undefined) for (const watcher of group) fire(watcher, payload)
      if (clock.now() < until) continue
      cancelTimer = clock.after(0, () => tellGroups(burst, groups, next + 1))
      return
    }
    if (touched.size > 0) cancelTimer = clock.after(limits.changeCoalesceMs, fireFunctions)
  }

  function fireWorkers(event: string, workerId: string): void {
    if (isStopped) return
    const data = toJsonText({ event, worker_id: workerId })
    for (const watcher of workerBindings.values()) fire(watcher, data)
  }

  const unwatch = catalogue.watch(event => {
    if (event.kind === 'worker') {
      // Not at once: a worker that leaves takes its bindings along, and those are about to be unbound.
      if (workerBindings.size > 0) queueMicrotask(() => fireWorkers(event.event, event.workerId))
    } else if (functionBindings.size > 0) {
      touched.add(`${event.namespace}\0${event.id}`)
      cancelTimer ??= clock.after(limits.changeCoalesceMs, fireFunctions)
    }
  })

  return {
    functions: {
      bind(binding) {
        if (functionBindings.size === 0) known = answerersOf(catalogue.functions())
        functionBindings.set(binding.id, { binding, failures: 0, filter: filterOf(binding.config) })
      },
      unbind: binding => void functionBindings.delete(binding.id),
    },
    workers: {
      bind: binding => void workerBindings.set(binding.id, { binding, failures: 0 }),
      unbind: binding => void workerBindings.delete(binding.id),
    },
    stop() {
      isStopped = true
      unwatch()
      cancelTimer?.()
    },
  }
}
