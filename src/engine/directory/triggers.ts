/**
 * Trigger types and bindings (`protocol.md` 4).
 *
 * Bindings are intents: they stay when their provider goes and are bound again when one comes. All of that is one
 * function, `settle`: look at every binding of a type id, find who provides the type for it now, and make it so.
 */
import type { ErrorBody } from '../../protocol/frames.ts'
import { append, type Change, note } from './changes.ts'
import {
  type BindingRecord,
  DEFAULT_NAMESPACE,
  providing,
  type TriggerTypeDefinition,
  type TriggerTypeRecord,
  type WorkerRecord,
} from './records.ts'

export interface TriggerTable {
  readonly types: Map<string, Map<string, TriggerTypeRecord>>
  readonly bindings: Map<string, BindingRecord>
  /** Bindings by trigger type id, whatever the namespace: the ones a change of a provider can concern. */
  readonly bindingsOfType: Map<string, Set<BindingRecord>>
}

export function createTriggerTable(): TriggerTable {
  return { types: new Map(), bindings: new Map(), bindingsOfType: new Map() }
}

/** The built-in worker that usually provides a type, for the log line of a parked binding. */
const USUAL_PROVIDER: ReadonlyMap<string, string> = new Map([
  ['http', 'iii-http'],
  ['cron', 'iii-cron'],
  ['subscribe', 'iii-pubsub'],
  ['state', 'iii-state'],
  ['durable:subscriber', 'queue'],
  ['stream', 'iii-stream'],
  ['stream:join', 'iii-stream'],
  ['stream:leave', 'iii-stream'],
  ['log', 'iii-observability'],
  ['trace', 'iii-observability'],
  ['configuration', 'configuration'],
])

export function findType(table: TriggerTable, namespace: string, id: string): TriggerTypeRecord | undefined {
  return table.types.get(namespace)?.get(id)
}

function resolve(table: TriggerTable, binding: BindingRecord): TriggerTypeRecord | undefined {
  if (binding.triggerNamespace !== undefined)
    return findType(table, binding.triggerNamespace, binding.triggerType)
  return (
    findType(table, binding.homeNamespace, binding.triggerType) ??
    findType(table, DEFAULT_NAMESPACE, binding.triggerType)
  )
}

function bind(binding: BindingRecord, providerId: string): Change {
  return { change: 'bind', providerId, binding }
}

function park(binding: BindingRecord, reason: string): Change {
  binding.provider = undefined
  binding.providerId = undefined
  binding.parkedReason = reason
  const usual = USUAL_PROVIDER.get(binding.triggerType)
  const hint = usual === undefined ? '' : `; it is provided by ${usual} (iii worker add ${usual})`
  return note('warn', `[DISABLED] trigger parked: ${reason}${hint}`, {
    trigger_id: binding.id,
    trigger_type: binding.triggerType,
    function_id: binding.functionId,
  })
}

/** Brings one binding to the provider its type has now. `replay`: a type that was registered just now. */
function settleBinding(
  table: TriggerTable,
  binding: BindingRecord,
  gone: string | undefined,
  replay: TriggerTypeRecord | undefined,
): Change[] {
  const type = resolve(table, binding)
  const providerId = type && providing(type)?.workerId
  const before = binding.providerId
  if (type === binding.provider && providerId === before) {
    return providerId !== undefined && type === replay ? [bind(binding, providerId)] : []
  }
  const changes: Change[] = []
  if (before !== undefined && before !== gone && before !== providerId) {
    changes.push({ change: 'unbind', providerId: before, binding })
  }
  if (type === undefined || providerId === undefined) {
    changes.push(park(binding, `no worker provides trigger type '${binding.triggerType}'`))
    return changes
  }
  binding.provider = type
  binding.providerId = providerId
  binding.parkedReason = undefined
  changes.push(bind(binding, providerId))
  return changes
}

function settle(
  table: TriggerTable,
  typeId: string,
  gone: string | undefined,
  replay: TriggerTypeRecord | undefined,
): Change[] {
  const changes: Change[] = []
  for (const binding of table.bindingsOfType.get(typeId) ?? []) {
    append(changes, settleBinding(table, binding, gone, replay))
  }
  return changes
}

export function registerType(
  table: TriggerTable,
  worker: WorkerRecord,
  definition: TriggerTypeDefinition,
): Change[] {
  let types = table.types.get(definition.namespace)
  if (types === undefined) {
    types = new Map()
    table.types.set(definition.namespace, types)
  }
  let record = types.get(definition.id)
  if (record === undefined) {
    record = { id: definition.id, namespace: definition.namespace, layers: [] }
    types.set(definition.id, record)
  }
  const layer = { workerId: worker.id, builtIn: worker.builtIn, definition }
  const others = record.layers.filter(other => other.workerId !== worker.id)
  record.layers = worker.builtIn ? [layer, ...others] : [...others, layer]
  worker.triggerTypes.add(record)
  return settle(table, definition.id, undefined, record)
}

/** Takes a worker's layer of a type away and settles its bindings. `gone`: the worker itself has left. */
export function unregisterType(
  table: TriggerTable,
  worker: WorkerRecord,
  record: TriggerTypeRecord,
  gone: boolean,
): Change[] {
  worker.triggerTypes.delete(record)
  record.layers = record.layers.filter(layer => layer.workerId !== worker.id)
  if (record.layers.length === 0) {
    const types = table.types.get(record.namespace)
    types?.delete(record.id)
    if (types?.size === 0) table.types.delete(record.namespace)
  }
  return settle(table, record.id, gone ? worker.id : undefined, undefined)
}

/** Adds a binding, or puts it in the place of the one with the same id. */
export function addBinding(
  table: TriggerTable,
  workers: ReadonlyMap<string, WorkerRecord>,
  binding: BindingRecord,
): Change[] {
  const previous = table.bindings.get(binding.id)
  const changes: Change[] = []
  if (previous !== undefined) {
    forget(table, workers, previous)
    const provider = resolve(table, binding)
    const providerId = provider && providing(provider)?.workerId
    const moved = previous.triggerType !== binding.triggerType || previous.providerId !== providerId
    if (previous.providerId !== undefined && moved) {
      changes.push({ change: 'unbind', providerId: previous.providerId, binding: previous })
    }
  }
  table.bindings.set(binding.id, binding)
  const ofType = table.bindingsOfType.get(binding.triggerType)
  if (ofType === undefined) table.bindingsOfType.set(binding.triggerType, new Set([binding]))
  else ofType.add(binding)
  if (binding.ownerId !== undefined) workers.get(binding.ownerId)?.bindings.add(binding)
  append(changes, settleBinding(table, binding, undefined, undefined))
  if (binding.providerId === undefined && binding.parkedReason === undefined) {
    changes.push(park(binding, `no worker provides trigger type '${binding.triggerType}'`))
  }
  return changes
}

function forget(
  table: TriggerTable,
  workers: ReadonlyMap<string, WorkerRecord>,
  binding: BindingRecord,
): void {
  table.bindings.delete(binding.id)
  const ofType = table.bindingsOfType.get(binding.triggerType)
  ofType?.delete(binding)
  if (ofType?.size === 0) table.bindingsOfType.delete(binding.triggerType)
  if (binding.ownerId !== undefined) workers.get(binding.ownerId)?.bindings.delete(binding)
}

export function removeBinding(
  table: TriggerTable,
  workers: ReadonlyMap<string, WorkerRecord>,
  binding: BindingRecord,
): Change[] {
  forget(table, workers, binding)
  return binding.providerId === undefined
    ? []
    : [{ change: 'unbind', providerId: binding.providerId, binding }]
}

/**
 * The provider's answer to a bind (`protocol.md` 4.3). A refusal parks the binding, so that it is tried again when
 * the type is registered anew; a refusal by a built-in is final.
 */
export function providerAnswered(
  table: TriggerTable,
  workers: ReadonlyMap<string, WorkerRecord>,
  providerId: string,
  bindingId: string,
  error: ErrorBody | undefined,
): Change[] {
  const binding = table.bindings.get(bindingId)
  if (binding === undefined)
    return [note('debug', 'answer for an unknown trigger ignored', { trigger_id: bindingId })]
  if (binding.providerId !== providerId) {
    const fields = { trigger_id: bindingId, worker_id: providerId }
    return [note('warn', 'answer for a trigger from a worker that does not provide its type ignored', fields)]
  }
  const changes: Change[] = []
  if (error !== undefined) {
    if (workers.get(providerId)?.builtIn === true) forget(table, workers, binding)
    else changes.push(park(binding, `refused by its provider: ${error.code}`))
  }
  if (binding.ownerId === undefined) {
    changes.push({ change: 'ownerlessAnswered', id: binding.id, error })
  } else if (error !== undefined) {
    const { id, triggerType, functionId } = binding
    changes.push({ change: 'triggerRefused', workerId: binding.ownerId, id, triggerType, functionId, error })
  }
  return changes
}
