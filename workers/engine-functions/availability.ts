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
  /** Names of the workers behind the functions known last, by namespace and id. */
  let known = new Map<string, string>()
  let cancelTimer: (() => void) | undefined

  const keyOf = (row: FunctionRow): string => `${row.namespace}\0${row.id}`

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
      if (error !== undefined)
        log.warn('a registry change was not taken', { trigger_id: binding.id, ...error })
    })
  }

  function snapshot(): Map<string, string> {
    return new Map(catalogue.functions().map(row => [keyOf(row), row.workerName]))
  }

  function fireFunctions(): void {
    cancelTimer = undefined
    const rows = catalogue.functions().sort(byText(row => row.id))
    const present = new Map(rows.map(row => [keyOf(row), row.workerName]))
    const idOf = (key: string): string => key.slice(key.indexOf('\0') + 1)
    const added = [...present].filter(([key]) => !known.has(key))
    const removed = [...known].filter(([key]) => !present.has(key))
    known = present
    for (const { binding, filter } of functionBindings.values()) {
      const wanted = ([key, name]: [string, string]): boolean => passes(filter, idOf(key), name)
      const isFiltered = filter.prefix !== undefined || filter.worker !== undefined
      if (isFiltered && !added.some(wanted) && !removed.some(wanted)) continue
      const functions = rows.filter(row => passes(filter, row.id, row.workerName)).map(summaryOf)
      const ids = (list: [string, string][]): string[] => list.filter(wanted).map(([key]) => idOf(key))
      fire(
        binding,
        toJsonText({ event: 'functions_changed', functions, added: ids(added), removed: ids(removed) }),
      )
    }
  }

  const unwatch = catalogue.watch(event => {
    if (event.kind === 'worker') {
      if (workerBindings.size === 0) return
      const data = toJsonText({ event: event.event, worker_id: event.workerId })
      for (const binding of workerBindings.values()) fire(binding, data)
    } else if (functionBindings.size > 0) {
      cancelTimer ??= clock.after(limits.changeCoalesceMs, fireFunctions)
    }
  })

  return {
    functions: {
      bind(binding) {
        if (functionBindings.size === 0) known = snapshot()
        functionBindings.set(binding.id, { binding, filter: filterOf(binding.config) })
      },
      unbind: binding => void functionBindings.delete(binding.id),
    },
    workers: {
      bind: binding => void workerBindings.set(binding.id, binding),
      unbind: binding => void workerBindings.delete(binding.id),
    },
    stop() {
      unwatch()
      cancelTimer?.()
    },
  }
}
