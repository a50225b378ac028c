/**
 * The trigger types `engine::functions-available` and `engine::workers-available`. Changes are pushed when they
 * happen; a burst of changed functions fires once.
 */
import type { Binding, TextCall, TriggerProvider, WorkerClient } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Log } from '../../src/log/log.ts'
import { fromJsonText, type JsonText, toJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Catalogue, FunctionRow } from './catalogue.ts'
import { summaryOf } from './functions.ts'
import { byText } from './input.ts'

interface FunctionFilter {
  readonly prefix: string | undefined
  readonly worker: string | undefined
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

/** What one filter lets through of the functions before and after a burst of changes. */
function difference(
  filter: FunctionFilter,
  before: Answerers,
  after: Answerers,
): { added: string[]; removed: string[] } {
  const isIn = (answerers: Answerers, key: string): boolean => {
    const name = answerers.get(key)
    return name !== undefined && passes(filter, idOf(key), name)
  }
  const onlyIn = (one: Answerers, other: Answerers): string[] =>
    [...one.keys()].filter(key => isIn(one, key) && !isIn(other, key)).map(idOf)
  return { added: onlyIn(after, before), removed: onlyIn(before, after) }
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
  const functionBindings = new Map<string, { binding: Binding; filter: FunctionFilter }>()
  const workerBindings = new Map<string, Binding>()
  /** The functions as they were when they were last told of. */
  let known: Answerers = new Map()
  /** Functions that changed since then, if only in their description. */
  let touched = new Set<string>()
  let cancelTimer: (() => void) | undefined
  let isStopped = false

  function fire(binding: Binding, data: JsonText): void {
    const call: TextCall = {
      functionId: binding.function_id,
      data,
      namespace: binding.namespace,
      metadata: binding.metadata,
      timeoutMs: limits.engineCallTimeoutMs,
      traceparent: undefined,
      baggage: undefined,
    }
    client.call(call, error => {
      if (error === undefined) return
      log.warn('a registry change was not taken', { trigger_id: binding.id, ...error })
    })
  }

  function answerersOf(rows: readonly FunctionRow[]): Answerers {
    return new Map(rows.map(row => [`${row.namespace}\0${row.id}`, row.workerName]))
  }

  /** The payload for one filter; `undefined` when nothing that it lets through has changed. */
  function payloadFor(
    filter: FunctionFilter,
    rows: readonly FunctionRow[],
    before: Answerers,
    after: Answerers,
    changed: ReadonlySet<string>,
  ): JsonText | undefined {
    const { added, removed } = difference(filter, before, after)
    const isTouched = (key: string): boolean =>
      passes(filter, idOf(key), after.get(key) ?? before.get(key) ?? '')
    if (added.length === 0 && removed.length === 0 && ![...changed].some(isTouched)) return undefined
    const functions = rows.filter(row => passes(filter, row.id, row.workerName)).map(summaryOf)
    return toJsonText({ event: 'functions_changed', functions, added, removed })
  }

  function fireFunctions(): void {
    cancelTimer = undefined
    const rows = catalogue.functions().sort(byText(row => row.id))
    const before = known
    const after = answerersOf(rows)
    const changed = touched
    known = after
    touched = new Set()
    // Bindings with the same filter share one payload: it can hold every function there is.
    const payloads = new Map<string, JsonText | undefined>()
    for (const { binding, filter } of functionBindings.values()) {
      const key = JSON.stringify(filter)
      if (!payloads.has(key)) payloads.set(key, payloadFor(filter, rows, before, after, changed))
      const payload = payloads.get(key)
      if (payload !== undefined) fire(binding, payload)
    }
  }

  function fireWorkers(event: string, workerId: string): void {
    if (isStopped) return
    const data = toJsonText({ event, worker_id: workerId })
    for (const binding of workerBindings.values()) fire(binding, data)
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
        functionBindings.set(binding.id, { binding, filter: filterOf(binding.config) })
      },
      unbind: binding => void functionBindings.delete(binding.id),
    },
    workers: {
      bind: binding => void workerBindings.set(binding.id, binding),
      unbind: binding => void workerBindings.delete(binding.id),
    },
    stop() {
      isStopped = true
      unwatch()
      cancelTimer?.()
    },
  }
}
