/** `engine::workers::list` and `engine::workers::info`. */
import { z } from 'zod'
import type { Catalogue, WorkerRow } from './catalogue.ts'
import { summaryOf } from './functions.ts'
import {
  includesFolded,
  invalidArguments,
  notFound,
  onFirstUse,
  optionalFlag,
  optionalText,
  page,
  paging,
  readInput,
} from './input.ts'
import { bindingSummaryOf, typeSummaryOf } from './triggers.ts'

export const LIST = 'engine::workers::list'
export const INFO = 'engine::workers::info'

const listInput = onFirstUse(() =>
  z.object({
    search: optionalText,
    runtime: optionalText,
    status: optionalText,
    include_hidden: optionalFlag,
    ...paging,
  }),
)
const infoInput = onFirstUse(() => z.object({ name: optionalText, namespace: optionalText }))

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
    active_invocations: row.activeInvocations,
    isolation: row.isolation ?? null,
    ip_address: row.ipAddress ?? null,
  }
}

export function listWorkers(catalogue: Catalogue, input: unknown): unknown {
  const { search, runtime, status, include_hidden, limit, cursor } = readInput(LIST, listInput, input)
  const term = search?.toLowerCase()
  const rows = catalogue
    .workers()
    .filter(row => include_hidden === true || isListed(row))
    .filter(row => !term || includesFolded(row.name, term))
    .filter(row => !runtime || row.runtime === runtime)
    .filter(row => !status || status === (row.builtIn ? 'available' : 'connected'))
  const part = page(rows, row => `${row.name ?? ''}\0${row.id}`, limit, cursor)
  return { workers: part.rows.map(rowOf), next_cursor: part.next_cursor }
}

export function workerInfo(catalogue: Catalogue, input: unknown): unknown {
  const { name, namespace } = readInput(INFO, infoInput, input)
  if (!name) throw invalidArguments('missing field `name`')
  const named = catalogue.workers().filter(row => row.name === name)
  if (named.length === 0) throw notFound(`Worker '${name}' is not connected.`)
  const namespaces = [...new Set(named.map(row => row.namespace))].sort()
  const chosen = namespace ?? (namespaces.length === 1 ? namespaces[0] : undefined)
  if (chosen === undefined) {
    const list = namespaces.join(', ')
    throw notFound(
      `Worker '${name}' is ambiguous: it is connected in namespace(s): ${list}. Pass \`namespace\` to disambiguate.`,
    )
  }
  const row = named.find(candidate => candidate.namespace === chosen)
  if (row === undefined) {
    throw notFound(
      `Worker '${name}' is not connected in the requested namespace; it is connected in namespace(s): ${namespaces.join(', ')}.`,
    )
  }
  return {
    worker: {
      ...rowOf(row),
      pid: row.pid,
      internal: row.builtIn,
      refused: row.refusals.length === 0 ? undefined : row.refusals,
      dropped_messages: Object.keys(row.problems).length === 0 ? undefined : row.problems,
    },
    functions: row.functions().map(summaryOf),
    trigger_types: row.triggerTypes().map(typeSummaryOf),
    registered_triggers: row.bindings().map(bindingSummaryOf),
  }
}
