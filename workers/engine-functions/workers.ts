/** `engine::workers::list` and `engine::workers::info`. */
import { z } from 'zod'
import { readInput } from '../zodInput.ts'
import type { Catalogue, WorkerRow } from './catalogue.ts'
import { summaryOf } from './functions.ts'
import {
  includesFolded,
  invalidArguments,
  notFound,
  optionalFlag,
  optionalText,
  page,
  paging,
} from './input.ts'
import { snakeCase } from './snakeCase.ts'
import { bindingSummaryOf, typeSummaryOf } from './triggers.ts'

export const LIST = 'engine::workers::list'
export const INFO = 'engine::workers::info'

export const listInput = z.object({
  search: optionalText('part of the name'),
  runtime: optionalText('as node, python or engine'),
  status: optionalText('available (built-in) or connected'),
  include_hidden: optionalFlag('connections that did not announce themselves, too'),
  ...paging,
})
export const infoInput = z.object({
  name: optionalText('the worker'),
  id: optionalText('the worker, if several have the name'),
  namespace: optionalText('where it lives, if several have the name'),
})

/** The worker whose details have the counters of the engine. */
const ENGINE_WORKER = 'iii-engine-functions'

/** Browsers and connections that did not announce themselves have no process id; they are not listed. */
function isListed(row: WorkerRow): boolean {
  return row.builtIn || row.pid !== undefined
}

function rowOf(row: WorkerRow): Record<string, unknown> {
  return {
    name: row.name ?? null,
    description: row.description ?? null,
    version: row.version ?? null,
    id: row.id,
    namespace: row.namespace,
    runtime: row.runtime ?? null,
    os: row.os ?? null,
    status: row.builtIn ? 'available' : 'connected',
    function_count: row.functionCount,
    connected_at_ms: row.connectedAtMs,
    active_invocations: row.activeInvocations ?? null,
    isolation: row.isolation ?? null,
    ip_address: row.ipAddress ?? null,
  }
}

export async function listWorkers(catalogue: Catalogue, input: unknown): Promise<unknown> {
  const { search, runtime, status, include_hidden, limit, cursor } = readInput(LIST, listInput, input)
  const term = search?.toLowerCase()
  const rows = catalogue
    .workers()
    .filter(row => include_hidden === true || isListed(row))
    .filter(row => !term || includesFolded(row.name, term))
    .filter(row => !runtime || row.runtime === runtime)
    .filter(row => !status || status === (row.builtIn ? 'available' : 'connected'))
  const part = page(rows, row => `${row.name ?? ''}\0${row.id}`, limit, cursor)
  const completed = await catalogue.completed(part.rows)
  return { workers: completed.map(rowOf), next_cursor: part.next_cursor }
}

/** Clients before 0.23 may share a name; the first of them is described, and the others are named. */
function findByName(
  rows: readonly WorkerRow[],
  name: string,
  namespace: string | null | undefined,
): { row: WorkerRow; namesakes: string[] } {
  const named = rows.filter(row => row.name === name)
  if (named.length === 0) throw notFound(`Worker '${name}' is not connected.`)
  const namespaces = [...new Set(named.map(row => row.namespace))].sort()
  const chosen = namespace ?? (namespaces.length === 1 ? namespaces[0] : undefined)
  if (chosen === undefined) {
    const list = namespaces.join(', ')
    throw notFound(
      `Worker '${name}' is ambiguous: it is connected in namespace(s): ${list}. Pass \`namespace\` to disambiguate.`,
    )
  }
  const [row, ...others] = named.filter(candidate => candidate.namespace === chosen)
  if (row === undefined) {
    throw notFound(
      `Worker '${name}' is not connected in the requested namespace; it is connected in namespace(s): ${namespaces.join(', ')}.`,
    )
  }
  return { row, namesakes: others.map(({ id }) => id) }
}

function findById(rows: readonly WorkerRow[], id: string): { row: WorkerRow; namesakes: string[] } {
  const row = rows.find(candidate => candidate.id === id)
  if (row === undefined) throw notFound(`No connected worker has the id '${id}'.`)
  const namesakes = rows.filter(
    ({ name, namespace }) => name !== undefined && name === row.name && namespace === row.namespace,
  )
  return { row, namesakes: namesakes.map(other => other.id).filter(other => other !== row.id) }
}

export async function workerInfo(catalogue: Catalogue, input: unknown): Promise<unknown> {
  const { name, id, namespace } = readInput(INFO, infoInput, input)
  if (name && id) throw invalidArguments('pass either `name` or `id`, not both')
  if (!name && !id) throw invalidArguments('missing field `name` (or `id`)')
  const rows = catalogue.workers()
  const { row: found, namesakes } = id ? findById(rows, id) : findByName(rows, name!, namespace)
  const [row = found] = await catalogue.completed([found])
  const counted = row.builtIn && row.name === ENGINE_WORKER ? await catalogue.counters() : undefined
  return {
    worker: {
      ...rowOf(row),
      pid: row.pid,
      internal: row.builtIn,
      thread: row.thread ?? null,
      namesakes,
      refused: row.refusals.map(({ what, id, reason, atMs }) => ({ what, id, reason, at_ms: atMs })),
      dropped_messages: row.problems,
      warnings: row.warnings,
      counters: counted && snakeCase(counted.counters),
      silent_threads: counted?.silentThreads.length ? counted.silentThreads : undefined,
    },
    functions: row.functions().map(summaryOf),
    trigger_types: row.triggerTypes().map(typeSummaryOf),
    registered_triggers: row.bindings().map(bindingSummaryOf),
  }
}
