/**
 * Trigger types and bindings (`docs/protocol/json.md#trigger-types`).
 *
 * Bindings are intents: they stay when their provider goes and are bound again when one comes. All of that is one
 * function, `settle`: look at every binding of a type id, find who provides the type for it now, and make it so.
 */

import { nearestName } from '../../log/nearest.ts'
import { countIn, shortened, type Tally } from '../../log/notices.ts'
import { append, type Change, note, warnIn } from './changes.ts'
import {
  type BindingRecord,
  DEFAULT_NAMESPACE,
  keyIn,
  providing,
  type TriggerTypeDefinition,
  type TriggerTypeLayer,
  type TriggerTypeRecord,
  textSize,
  type WorkerRecord,
} from './records.ts'

export interface TriggerTable {
  readonly types: Map<string, Map<string, TriggerTypeRecord>>
  readonly bindings: Map<string, BindingRecord>
  /** Bindings by each type they would take, bound to it or not: the ones a change of its provider concerns. */
  readonly candidates: Map<string, Set<BindingRecord>>
  /** Names of the built-in workers that a configuration can start here, for advice. */
  builtIns: ReadonlySet<string>
  readonly ownerless: Set<BindingRecord>
  /** Size of the texts of ownerless bindings. */
  ownerlessBytes: number
  /** Warnings about ownerless bindings; those about others are their owner's. */
  readonly ownerlessWarnings: Tally
}

export function createTriggerTable(): TriggerTable {
  return {
    types: new Map(),
    bindings: new Map(),
    candidates: new Map(),
    builtIns: new Set(),
    ownerless: new Set(),
    ownerlessBytes: 0,
    ownerlessWarnings: new Map(),
  }
}

/** The built-in worker that usually provides a type, by its name in `config.yaml`. */
const USUAL_PROVIDER: ReadonlyMap<string, string> = new Map([
  ['http', 'iii-http'],
  ['cron', 'iii-cron'],
  ['subscribe', 'iii-pubsub'],
  ['state', 'iii-state'],
  ['durable:subscriber', 'iii-queue'],
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

/** Namespaces in which a provider is looked for, in this order. */
function providerNamespaces(binding: BindingRecord): string[] {
  const { triggerNamespace, homeNamespace } = binding
  if (triggerNamespace !== undefined) return [triggerNamespace]
  return homeNamespace === DEFAULT_NAMESPACE ? [DEFAULT_NAMESPACE] : [homeNamespace, DEFAULT_NAMESPACE]
}

function resolve(table: TriggerTable, binding: BindingRecord): TriggerTypeRecord | undefined {
  for (const namespace of providerNamespaces(binding)) {
    const type = findType(table, namespace, binding.triggerType)
    if (type !== undefined) return type
  }
  return undefined
}

/** Bindings that are bound to a type now. */
export function countBound(table: TriggerTable, type: TriggerTypeRecord): number {
  let count = 0
  for (const binding of table.candidates.get(keyIn(type.namespace, type.id)) ?? []) {
    if (binding.provider === type) count++
  }
  return count
}

export function bind(binding: BindingRecord, providerId: string): Change {
  binding.asked.push(binding)
  return { change: 'bind', providerId, binding }
}

/** Log lines about parked triggers, of one owner or because of one change, before they become few. */
const PARKED_LINES = 10

/** Registered types that an unknown one is compared with; a worker may register a hundred thousand. */
const COMPARED_TYPES = 64

/** What to do about a type that nobody provides, for the log line of a parked binding. */
function adviceAbout(table: TriggerTable, binding: BindingRecord): string {
  const { triggerType } = binding
  const usual = USUAL_PROVIDER.get(triggerType)
  if (usual !== undefined) {
    return table.builtIns.has(usual)
      ? `; the built-in ${usual} provides it: add \`- name: ${usual}\` to \`workers:\` in config.yaml`
      : `; the built-in ${usual} will provide it, which is not part of this version yet`
  }
  const here = providerNamespaces(binding).flatMap(namespace =>
    [...(table.types.get(namespace)?.keys() ?? [])].slice(0, COMPARED_TYPES),
  )
  const nearest = nearestName(triggerType, [...here, ...USUAL_PROVIDER.keys()])
  return nearest === undefined ? '' : `; did you mean '${shortened(nearest)}'?`
}

export function park(binding: BindingRecord, reason: string, advice = ''): Change[] {
  binding.asked = []
  binding.held = undefined
  binding.provider = undefined
  binding.providerId = undefined
  binding.parkedReason = reason
  binding.remarks = []
  const fields = {
    trigger_id: binding.id,
    trigger_type: binding.triggerType,
    function_id: binding.functionId,
  }
  return warnIn(
    binding.warnings,
    'parked',
    `[DISABLED] trigger parked: ${reason}${advice}`,
    fields,
    PARKED_LINES,
  )
}

/** Parks a binding for want of a provider. An ownerless one has no answer to wait for then. */
function parkForWant(table: TriggerTable, binding: BindingRecord): Change[] {
  binding.refusedBy = undefined
  const reason = `no worker provides trigger type '${binding.triggerType}'`
  const parked = park(binding, reason, adviceAbout(table, binding))
  return binding.ownerId === undefined ? [...parked, accepted(binding)] : parked
}

function accepted(binding: BindingRecord): Change {
  return { change: 'ownerlessAnswered', id: binding.id, error: undefined }
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
  const isReplayed = type !== undefined && type === replay
  if (binding.refusedBy !== undefined && binding.refusedBy === providerId && !isReplayed) return []
  if (type === binding.provider && providerId === before) {
    return providerId !== undefined && isReplayed ? [bind(binding, providerId)] : []
  }
  const changes: Change[] = []
  if (before !== undefined && before !== gone && before !== providerId) {
    changes.push({ change: 'unbind', providerId: before, binding })
  }
  if (type === undefined || providerId === undefined) {
    append(changes, parkForWant(table, binding))
    return changes
  }
  if (before !== undefined && before !== providerId) {
    binding.asked = []
    binding.held = undefined
  }
  binding.provider = type
  binding.providerId = providerId
  binding.refusedBy = undefined
  binding.parkedReason = undefined
  binding.remarks = []
  changes.push(bind(binding, providerId))
  return changes
}

/** Settles every binding that a change of this type's provider concerns. `by`: the worker that made the change. */
function settle(
  table: TriggerTable,
  by: WorkerRecord,
  type: TriggerTypeRecord,
  gone: string | undefined,
  replay: TriggerTypeRecord | undefined,
): Change[] {
  const changes: Change[] = []
  let parked = 0
  for (const binding of table.candidates.get(keyIn(type.namespace, type.id)) ?? []) {
    const wasBound = binding.providerId !== undefined
    const settled = settleBinding(table, binding, gone, replay)
    if (wasBound && binding.providerId === undefined) parked++
    for (const change of settled) {
      if (change.change !== 'note' || parked <= PARKED_LINES) changes.push(change)
    }
  }
  if (parked <= PARKED_LINES) return changes
  const { count: times, isToldOf } = countIn(by.warnings, 'triggers lost their provider')
  const fields = { trigger_type: type.id, namespace: type.namespace, count: parked, times }
  if (isToldOf) {
    changes.push(note('warn', `[DISABLED] triggers parked: ${parked} in all, some are named above`, fields))
  }
  return changes
}

/** A worker's own layer of a type, whether it provides it now or lies below. */
export function layerOf(record: TriggerTypeRecord, workerId: string): TriggerTypeLayer | undefined {
  return record.layers.find(layer => layer.workerId === workerId)
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
  const layer = { workerId: worker.id, builtIn: worker.builtIn, definition, size: textSize(definition) }
  worker.registeredBytes += layer.size - (layerOf(record, worker.id)?.size ?? 0)
  const others = record.layers.filter(other => other.workerId !== worker.id)
  record.layers = worker.builtIn ? [layer, ...others] : [...others, layer]
  worker.triggerTypes.add(record)
  return settle(table, worker, record, undefined, record)
}

/** Takes a worker's layer of a type away and settles its bindings. `gone`: the worker itself has left. */
export function unregisterType(
  table: TriggerTable,
  worker: WorkerRecord,
  record: TriggerTypeRecord,
  gone: boolean,
): Change[] {
  worker.triggerTypes.delete(record)
  worker.registeredBytes -= layerOf(record, worker.id)?.size ?? 0
  record.layers = record.layers.filter(layer => layer.workerId !== worker.id)
  if (record.layers.length === 0) {
    const types = table.types.get(record.namespace)
    types?.delete(record.id)
    if (types?.size === 0) table.types.delete(record.namespace)
  }
  return settle(table, worker, record, gone ? worker.id : undefined, undefined)
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
    if (previous.ownerId === undefined && binding.ownerId !== undefined) changes.push(accepted(previous))
    const provider = resolve(table, binding)
    const providerId = provider && providing(provider)?.workerId
    const moved = previous.triggerType !== binding.triggerType || previous.providerId !== providerId
    if (previous.providerId !== undefined && moved) {
      changes.push({ change: 'unbind', providerId: previous.providerId, binding: previous })
    }
    if (!moved) {
      binding.asked = previous.asked
      binding.held = previous.held
    }
  }
  enter(table, workers, binding)
  const settled = settleBinding(table, binding, undefined, undefined)
  append(changes, binding.providerId === undefined ? parkForWant(table, binding) : settled)
  return changes
}

export function enter(
  table: TriggerTable,
  workers: ReadonlyMap<string, WorkerRecord>,
  binding: BindingRecord,
): void {
  table.bindings.set(binding.id, binding)
  for (const namespace of providerNamespaces(binding)) {
    const key = keyIn(namespace, binding.triggerType)
    const others = table.candidates.get(key)
    if (others === undefined) table.candidates.set(key, new Set([binding]))
    else others.add(binding)
  }
  bindingsOfOwner(table, workers, binding)?.add(binding)
  addSize(table, workers, binding, binding.size)
}

function bindingsOfOwner(
  table: TriggerTable,
  workers: ReadonlyMap<string, WorkerRecord>,
  { ownerId }: BindingRecord,
): Set<BindingRecord> | undefined {
  return ownerId === undefined ? table.ownerless : workers.get(ownerId)?.bindings
}

function addSize(
  table: TriggerTable,
  workers: ReadonlyMap<string, WorkerRecord>,
  { ownerId }: BindingRecord,
  size: number,
): void {
  const owner = ownerId === undefined ? undefined : workers.get(ownerId)
  if (owner !== undefined) owner.registeredBytes += size
  else if (ownerId === undefined) table.ownerlessBytes += size
}

export function forget(
  table: TriggerTable,
  workers: ReadonlyMap<string, WorkerRecord>,
  binding: BindingRecord,
): void {
  table.bindings.delete(binding.id)
  for (const namespace of providerNamespaces(binding)) {
    const key = keyIn(namespace, binding.triggerType)
    const others = table.candidates.get(key)
    others?.delete(binding)
    if (others?.size === 0) table.candidates.delete(key)
  }
  bindingsOfOwner(table, workers, binding)?.delete(binding)
  addSize(table, workers, binding, -binding.size)
}

export function removeBinding(
  table: TriggerTable,
  workers: ReadonlyMap<string, WorkerRecord>,
  binding: BindingRecord,
): Change[] {
  forget(table, workers, binding)
  const changes: Change[] = binding.ownerId === undefined ? [accepted(binding)] : []
  if (binding.providerId !== undefined) {
    changes.push({ change: 'unbind', providerId: binding.providerId, binding })
  }
  return changes
}
