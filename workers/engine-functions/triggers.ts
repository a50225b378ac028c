/** `engine::triggers::*` (trigger types) and `engine::registered-triggers::*` (bindings). */
import { z } from 'zod'
import { fromJsonText, type JsonText } from '../../src/protocol/jsonText.ts'
import { readInput } from '../zodInput.ts'
import type { BindingRow, Catalogue, TriggerTypeRow } from './catalogue.ts'
import { detailOf } from './functions.ts'
import {
  includesFolded,
  invalidArguments,
  notFound,
  optionalFlag,
  optionalText,
  page,
  paging,
} from './input.ts'

export const LIST_TYPES = 'engine::triggers::list'
export const TYPE_INFO = 'engine::triggers::info'
export const LIST_BINDINGS = 'engine::registered-triggers::list'
export const BINDING_INFO = 'engine::registered-triggers::info'

/** Characters of a binding's config shown in a list. */
const SUMMARY_LENGTH = 80

export const listTypesInput = z.object({
  search: optionalText('part of the id or the description'),
  prefix: optionalText('beginning of the id'),
  worker: optionalText('name of the worker that provides it'),
  include_internal: optionalFlag('trigger types of the engine, too'),
  ...paging,
})
export const typeInfoInput = z.object({
  id: optionalText('the trigger type'),
  namespace: optionalText('where it is registered; default when left out'),
})
export const bindingInfoInput = z.object({ id: optionalText('the trigger') })
export const listBindingsInput = z.object({
  search: optionalText('part of the id, the type or the function'),
  trigger_type: optionalText('only of this type'),
  function_id: optionalText('only to this function'),
  worker: optionalText('only of this worker'),
  include_internal: optionalFlag('triggers to functions of the engine, too'),
  include_pending: optionalFlag('those that are not bound, too'),
  ...paging,
})

function value(text: JsonText | undefined): unknown {
  return text === undefined ? undefined : fromJsonText(text)
}

export function typeSummaryOf(row: TriggerTypeRow): Record<string, unknown> {
  return { id: row.id, namespace: row.namespace, worker_name: row.workerName, description: row.description }
}

function typeDetailOf(row: TriggerTypeRow): Record<string, unknown> {
  return {
    ...typeSummaryOf(row),
    configuration_schema: value(row.configurationSchema),
    request_schema: value(row.requestSchema),
    instance_count: row.instanceCount,
  }
}

export function listTypes(catalogue: Catalogue, input: unknown): unknown {
  const { search, prefix, worker, include_internal, limit, cursor } = readInput(
    LIST_TYPES,
    listTypesInput,
    input,
  )
  const term = search?.toLowerCase()
  const rows = catalogue
    .triggerTypes()
    .filter(row => include_internal === true || !row.id.startsWith('engine::'))
    .filter(row => !prefix || row.id.startsWith(prefix))
    .filter(row => !worker || row.workerName === worker)
    .filter(row => !term || includesFolded(row.id, term) || includesFolded(row.description, term))
  const part = page(rows, row => `${row.id}\0${row.namespace}`, limit, cursor)
  return { triggers: part.rows.map(typeSummaryOf), next_cursor: part.next_cursor }
}

export function typeInfo(catalogue: Catalogue, input: unknown): unknown {
  const { id, namespace } = readInput(TYPE_INFO, typeInfoInput, input)
  if (!id) throw invalidArguments('missing field `id`')
  const row = catalogue.triggerType(namespace ?? 'default', id)
  if (row === undefined) {
    throw notFound(`Trigger type '${id}' is not registered in namespace '${namespace ?? 'default'}'.`)
  }
  return typeDetailOf(row)
}

function configSummary(config: JsonText): string {
  // A character takes two units at most: of a config of megabytes only the beginning is looked at.
  const characters = Array.from(config.slice(0, 2 * (SUMMARY_LENGTH + 1)))
  return characters.length <= SUMMARY_LENGTH ? config : `${characters.slice(0, SUMMARY_LENGTH).join('')}…`
}

/** Why it is not bound, or what will not be done though it is; nothing when all is well. */
function stateOf({ parkedReason, remarks }: BindingRow): Record<string, unknown> {
  if (parkedReason !== undefined) return { pending: true, reason: parkedReason }
  return remarks.length === 0 ? {} : { warnings: remarks }
}

/** What both a list and the details say of a binding. */
function headOf(row: BindingRow): Record<string, unknown> {
  return {
    id: row.id,
    trigger_type: row.triggerType,
    function_id: row.functionId,
    namespace: row.namespace,
    worker_name: row.workerName,
    config: value(row.config),
  }
}

export function bindingSummaryOf(row: BindingRow): Record<string, unknown> {
  return {
    ...headOf(row),
    config_summary: configSummary(row.config),
    ...stateOf(row),
  }
}

export function listBindings(catalogue: Catalogue, input: unknown): unknown {
  const read = readInput(LIST_BINDINGS, listBindingsInput, input)
  const { search, trigger_type, function_id, worker, include_internal, include_pending, limit, cursor } = read
  const term = search?.toLowerCase()
  const rows = catalogue
    .bindings()
    .filter(row => include_pending === true || row.parkedReason === undefined)
    .filter(row => include_internal === true || !row.functionId.startsWith('engine::'))
    .filter(row => !trigger_type || row.triggerType === trigger_type)
    .filter(row => !function_id || row.functionId === function_id)
    .filter(row => !worker || row.workerName === worker)
    .filter(
      row => !term || [row.id, row.triggerType, row.functionId].some(text => includesFolded(text, term)),
    )
  const part = page(rows, row => row.id, limit, cursor)
  return { registered_triggers: part.rows.map(bindingSummaryOf), next_cursor: part.next_cursor }
}

export function bindingInfo(catalogue: Catalogue, input: unknown): unknown {
  const { id } = readInput(BINDING_INFO, bindingInfoInput, input)
  if (!id) throw invalidArguments('missing field `id`')
  const row = catalogue.binding(id)
  if (row === undefined) throw notFound(`Registered trigger '${id}' was not found.`)
  const type =
    row.providerNamespace === undefined
      ? undefined
      : catalogue.triggerType(row.providerNamespace, row.triggerType)
  const target = catalogue.function(row.namespace, row.functionId)
  return {
    ...headOf(row),
    metadata: value(row.metadata),
    ...stateOf(row),
    trigger: type === undefined ? null : typeDetailOf(type),
    function: target === undefined ? null : detailOf(catalogue, target),
  }
}
