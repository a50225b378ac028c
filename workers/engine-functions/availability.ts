/**
 * The trigger types `engine::functions-available` and `engine::workers-available`. Changes are pushed when they
 * happen; a burst of changed functions fires once.
 */
import type { BuiltInClient, TriggerProvider } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Log } from '../../src/log/log.ts'
import { isMilestone } from '../../src/log/notices.ts'
import { fromJsonText, type JsonText, toJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Catalogue, FunctionRow } from './catalogue.ts'
import { summaryOf } from './functions.ts'
import { byText } from './input.ts'
import { createTeller, createWatcher, type Watcher } from './telling.ts'

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

function takeOut<Kind extends Watcher>(watchers: Map<string, Kind>, id: string): void {
  const watcher = watchers.get(id)
  if (watcher !== undefined) watcher.isOver = true
  watchers.delete(id)
}

function put<Kind extends Watcher>(watchers: Map<string, Kind>, watcher: Kind): void {
  takeOut(watchers, watcher.binding.id)
  watchers.set(watcher.binding.id, watcher)
}

export interface Availability {
  readonly functions: TriggerProvider
  readonly workers: TriggerProvider
  /** Ends the watch; nothing fires any more. */
  stop(): void
}

export function watchAvailability(
  client: BuiltInClient,
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
  /** A burst of changed functions is being told; the next one waits for its end. */
  let isTelling = false
  /** Changes of workers that were not told. */
  let dropped = 0
  const teller = createTeller(client, clock)

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
    isTelling = true
    const jobs = [...groups.values()].map(watchers => ({
      watchers,
      payload: () => payloadFor(watchers[0]!.filter, burst),
    }))
    teller.tell([...jobs, { watchers: [], payload: () => undefined, done: allTold }])
  }

  function allTold(): void {
    isTelling = false
    if (touched.size > 0) cancelTimer ??= clock.after(limits.changeCoalesceMs, fireFunctions)
  }

  function fireWorkers(event: string, workerId: string): void {
    if (isStopped) return
    if (teller.waiting() >= limits.changesWaiting) {
      if (isMilestone(++dropped)) {
        log.warn('a change of workers was not told: too many wait', { worker_id: workerId, count: dropped })
      }
      return
    }
    const data = toJsonText({ event, worker_id: workerId })
    teller.tell([{ watchers: [...workerBindings.values()], payload: () => data }])
  }

  const unwatch = catalogue.watch(event => {
    if (event.kind === 'worker') {
      // Not at once: a worker that leaves takes its bindings along, and those are about to be unbound.
      if (workerBindings.size > 0) queueMicrotask(() => fireWorkers(event.event, event.workerId))
    } else if (functionBindings.size > 0) {
      touched.add(`${event.namespace}\0${event.id}`)
      if (!isTelling) cancelTimer ??= clock.after(limits.changeCoalesceMs, fireFunctions)
    }
  })

  return {
    functions: {
      bind(binding) {
        if (functionBindings.size === 0) known = answerersOf(catalogue.functions())
        put(functionBindings, { ...createWatcher(binding), filter: filterOf(binding.config) })
      },
      unbind: ({ id }) => takeOut(functionBindings, id),
    },
    workers: {
      bind: binding => put(workerBindings, createWatcher(binding)),
      unbind: ({ id }) => takeOut(workerBindings, id),
    },
    stop() {
      isStopped = true
      unwatch()
      cancelTimer?.()
      teller.stop()
    },
  }
}
