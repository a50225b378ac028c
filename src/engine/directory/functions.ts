/**
 * Who may answer a function id: claims, layers, promotion (`docs/protocol/json.md#who-answers-a-function`).
 *
 * An id in a namespace has one owner among the external workers. The first live claimant wins; a second one is
 * refused and waits, and takes over when the owner leaves. Two workers of clients before 0.23 follow the older
 * rule: the last registration wins. A built-in lies below the owner and answers when there is none, except by its internal
 * functions, which no other worker gets.
 */
import { fromJsonText } from '../../protocol/jsonText.ts'
import { type Change, warnIn } from './changes.ts'
import {
  answering,
  DEFAULT_NAMESPACE,
  type FunctionDefinition,
  type FunctionLayer,
  type FunctionRecord,
  textSize,
  type WorkerRecord,
} from './records.ts'

/** Functions by namespace, then id; the default namespace is looked up without joining strings. */
export interface FunctionTable {
  readonly inDefault: Map<string, FunctionRecord>
  readonly byNamespace: Map<string, Map<string, FunctionRecord>>
  /** Internal functions of built-ins, by `keyIn`, also while they are gone: no other worker gets them. */
  readonly internal: Set<string>
}

export function createFunctionTable(): FunctionTable {
  const inDefault = new Map<string, FunctionRecord>()
  return { inDefault, byNamespace: new Map([[DEFAULT_NAMESPACE, inDefault]]), internal: new Set() }
}

export function findFunction(
  table: FunctionTable,
  namespace: string | undefined,
  id: string,
): FunctionRecord | undefined {
  return namespace === undefined || namespace === DEFAULT_NAMESPACE
    ? table.inDefault.get(id)
    : table.byNamespace.get(namespace)?.get(id)
}

/** Namespaces that have the id, sorted. For the text of `function_not_found`. */
export function namespacesOf(table: FunctionTable, id: string): string[] {
  const found: string[] = []
  for (const [namespace, functions] of table.byNamespace) {
    if (functions.has(id)) found.push(namespace)
  }
  return found.sort()
}

function recordFor(table: FunctionTable, namespace: string, id: string): FunctionRecord {
  let functions = table.byNamespace.get(namespace)
  if (functions === undefined) {
    functions = new Map()
    table.byNamespace.set(namespace, functions)
  }
  let record = functions.get(id)
  if (record === undefined) {
    record = { id, namespace, builtIn: undefined, owner: undefined, waiting: [] }
    functions.set(id, record)
  }
  return record
}

function removeIfEmpty(table: FunctionTable, record: FunctionRecord): void {
  if (record.owner !== undefined || record.builtIn !== undefined || record.waiting.length > 0) return
  const functions = table.byNamespace.get(record.namespace)
  functions?.delete(record.id)
  if (functions?.size === 0 && record.namespace !== DEFAULT_NAMESPACE)
    table.byNamespace.delete(record.namespace)
}

function changed(record: FunctionRecord): Change {
  return {
    change: 'functionChanged',
    namespace: record.namespace,
    functionId: record.id,
    workerId: answering(record)?.workerId,
  }
}

function rejected(record: FunctionRecord, workerId: string, ownerId: string): Change {
  return { change: 'functionRejected', workerId, namespace: record.namespace, functionId: record.id, ownerId }
}

/** What a worker claims of a function, answering it or waiting to. */
export function claimOf(record: FunctionRecord, workerId: string): FunctionLayer | undefined {
  const { builtIn, owner, waiting } = record
  if (builtIn?.workerId === workerId) return builtIn
  return owner?.workerId === workerId ? owner : waiting.find(layer => layer.workerId === workerId)
}

/** What built-ins say to each other by: `metadata` has `internal: true`. */
export function isInternal({ metadata }: FunctionDefinition): boolean {
  return (
    metadata !== undefined && (fromJsonText(metadata) as { internal?: unknown } | null)?.internal === true
  )
}

/** Registers a function for a worker, or refuses it. `reclaims`: it was this worker's and it may have it back. */
export function claimFunction(
  table: FunctionTable,
  workers: ReadonlyMap<string, WorkerRecord>,
  worker: WorkerRecord,
  definition: FunctionDefinition,
  reclaims: boolean,
): Change[] {
  const layer: FunctionLayer = { workerId: worker.id, definition, size: textSize(definition) }
  const record = recordFor(table, definition.namespace, definition.id)
  worker.registeredBytes += layer.size - (claimOf(record, worker.id)?.size ?? 0)
  if (worker.builtIn) {
    record.builtIn = layer
    worker.functions.add(record)
    return [changed(record)]
  }
  worker.functions.add(record)
  const owner = record.owner
  if (owner === undefined || owner.workerId === worker.id) {
    record.owner = layer
    return [changed(record)]
  }
  const holder = workers.get(owner.workerId)
  record.waiting = record.waiting.filter(other => other.workerId !== worker.id)
  const lastWins = worker.legacy && holder?.legacy === true
  if (!reclaims && !lastWins) {
    record.waiting.push(layer)
    return [rejected(record, worker.id, owner.workerId)]
  }
  record.waiting.unshift(owner)
  record.owner = layer
  const fields = { function_id: record.id, namespace: record.namespace, from: owner.workerId, to: worker.id }
  const changes = [
    changed(record),
    ...warnIn(worker.warnings, 'taken over', 'a function id changed hands', fields),
  ]
  if (reclaims) changes.push(rejected(record, owner.workerId, worker.id))
  return changes
}

/** Gives up one worker's claim of a function; the next claimant, or the built-in below, takes over. */
export function releaseFunction(
  table: FunctionTable,
  worker: WorkerRecord,
  record: FunctionRecord,
): Change[] {
  worker.functions.delete(record)
  worker.registeredBytes -= claimOf(record, worker.id)?.size ?? 0
  if (record.builtIn?.workerId === worker.id) {
    record.builtIn = undefined
    removeIfEmpty(table, record)
    return record.owner === undefined ? [changed(record)] : []
  }
  if (record.owner?.workerId !== worker.id) {
    record.waiting = record.waiting.filter(layer => layer.workerId !== worker.id)
    removeIfEmpty(table, record)
    return []
  }
  record.owner = record.waiting.shift()
  removeIfEmpty(table, record)
  return [changed(record)]
}
