/** `engine::functions::list` and `engine::functions::info`. */
import { z } from 'zod'
import { fromJsonText, type JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { readInput } from '../zodInput.ts'
import type { Catalogue, FunctionRow } from './catalogue.ts'
import {
  includesFolded,
  invalidArguments,
  notFound,
  optionalFlag,
  optionalText,
  page,
  paging,
} from './input.ts'

export const LIST = 'engine::functions::list'
export const INFO = 'engine::functions::info'

export const listInput = z.object({
  search: optionalText('part of the id or the description'),
  prefix: optionalText('beginning of the id'),
  worker: optionalText('name of the worker that answers'),
  workers: z.array(z.string()).nullish().describe('the same, several names'),
  include_internal: optionalFlag('functions of the engine, too'),
  ...paging,
})

export const infoInput = z.object({
  function_id: optionalText('the function; this or function_ids'),
  function_ids: z.array(z.string()).nullish().describe(`up to ${limits.infoBatch} functions at once`),
  namespace: optionalText('where it is registered'),
})

function value(text: JsonText | undefined): unknown {
  return text === undefined ? undefined : fromJsonText(text)
}

export function summaryOf(row: FunctionRow): Record<string, unknown> {
  return {
    function_id: row.id,
    namespace: row.namespace,
    worker_name: row.workerName,
    description: row.description,
    metadata: value(row.metadata),
  }
}

function isMarkedInternal(row: FunctionRow): boolean {
  if (row.metadata === undefined || !row.metadata.includes('internal')) return false
  return (fromJsonText(row.metadata) as { internal?: unknown } | null)?.internal === true
}

/** Engine functions and those marked `metadata.internal` are not shown unless asked for. */
function isInternal(row: FunctionRow): boolean {
  const ofEngine = row.id.startsWith('engine::') && !row.id.startsWith('engine::queue::')
  return ofEngine || isMarkedInternal(row)
}

/** 0: the id starts with the term or one of its segments equals it · 1: contains it · 2: only the description does. */
function rank(row: FunctionRow, term: string): number {
  const id = row.id.toLowerCase()
  if (id.startsWith(term) || id.split('::').includes(term)) return 0
  return id.includes(term) ? 1 : 2
}

export function listFunctions(catalogue: Catalogue, input: unknown): unknown {
  const { search, prefix, worker, workers, include_internal, limit, cursor } = readInput(
    LIST,
    listInput,
    input,
  )
  const names = [...(worker ? [worker] : []), ...(workers ?? [])]
  const term = search?.toLowerCase()
  const rows = catalogue
    .functions()
    .filter(row => include_internal === true || !isInternal(row))
    .filter(row => !prefix || row.id.startsWith(prefix))
    .filter(row => names.length === 0 || names.includes(row.workerName))
    .filter(row => !term || includesFolded(row.id, term) || includesFolded(row.description, term))
  const place = (row: FunctionRow): string => `${term ? rank(row, term) : ''}\0${row.id}\0${row.namespace}`
  const part = page(rows, place, limit, cursor)
  return { functions: part.rows.map(summaryOf), next_cursor: part.next_cursor }
}

export function detailOf(catalogue: Catalogue, row: FunctionRow): Record<string, unknown> {
  return {
    function_id: row.id,
    namespace: row.namespace,
    worker_name: row.workerName,
    description: row.description,
    request_schema: value(row.requestFormat),
    response_schema: value(row.responseFormat),
    metadata: value(row.metadata),
    registered_triggers: catalogue
      .bindingsOfFunction(row.namespace, row.id)
      .filter(binding => binding.parkedReason === undefined)
      .map(binding => ({ id: binding.id, trigger_type: binding.triggerType, config: value(binding.config) })),
    overrides: row.overrides,
    waiting: row.waiting.length === 0 ? undefined : row.waiting,
  }
}

type Found = { row: FunctionRow } | { fault: 'not_found' | 'ambiguous'; namespaces: string[] }

/** Without a namespace: `default` wins, else the only other one that has the id. */
function find(catalogue: Catalogue, id: string, namespace: string | undefined): Found {
  const namespaces = catalogue.namespacesOfFunction(id)
  const wanted = namespace ?? (namespaces.includes('default') ? 'default' : undefined)
  const chosen = wanted ?? (namespaces.length === 1 ? namespaces[0] : undefined)
  const row = chosen === undefined ? undefined : catalogue.function(chosen, id)
  if (row !== undefined) return { row }
  return { fault: namespaces.length === 0 ? 'not_found' : 'ambiguous', namespaces }
}

export function functionInfo(catalogue: Catalogue, input: unknown): unknown {
  const { function_id, function_ids, namespace } = readInput(INFO, infoInput, input)
  if (function_id && function_ids)
    throw invalidArguments('pass either `function_id` or `function_ids`, not both')
  if (function_ids) return batch(catalogue, function_ids, namespace ?? undefined)
  if (!function_id) throw invalidArguments('missing field `function_id` (or `function_ids` for a batch)')
  const found = find(catalogue, function_id, namespace ?? undefined)
  if ('row' in found) return detailOf(catalogue, found.row)
  if (found.fault === 'not_found') throw notFound(`Function '${function_id}' is not registered.`)
  throw notFound(
    `Function '${function_id}' is ambiguous: it is registered in namespace(s): ${found.namespaces.join(', ')}. ` +
      'Pass `namespace` to select one.',
  )
}

function batch(catalogue: Catalogue, ids: string[], namespace: string | undefined): unknown {
  if (ids.length === 0) throw invalidArguments('`function_ids` must be a non-empty array of function ids')
  const distinct = [...new Set(ids)]
  if (distinct.length > limits.infoBatch)
    throw invalidArguments(`too many function_ids (max ${limits.infoBatch})`)
  const functions = distinct.map(id => {
    const found = find(catalogue, id, namespace)
    return 'row' in found ? detailOf(catalogue, found.row) : { function_id: id, error: 'not_found' }
  })
  return { functions }
}
