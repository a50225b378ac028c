/** The engine's side of discovery: rows made from the directory and the connections when they are asked for. */
import type {
  BindingRow,
  Catalogue,
  CatalogueEvent,
  EngineStatus,
  FunctionRow,
  TriggerTypeRow,
  WorkerRow,
} from '../../workers/engine-functions/catalogue.ts'
import type { Change } from '../engine/directory/changes.ts'
import { findFunction, namespacesOf } from '../engine/directory/functions.ts'
import {
  answering,
  type BindingRecord,
  DEFAULT_NAMESPACE,
  type FunctionRecord,
  providing,
  type TriggerTypeRecord,
  type WorkerRecord,
} from '../engine/directory/records.ts'
import { countBound, findType } from '../engine/directory/triggers.ts'
import type { HostState } from '../engine/registry.ts'
import { EVERYWHERE } from '../engine/routes.ts'
import type { ErrorBody } from '../protocol/frames.ts'
import type { Peers } from './account.ts'
import { completeRows, countersOf } from './catalogueRows.ts'

function eventOf(change: Change): CatalogueEvent | undefined {
  if (change.change === 'functionChanged') {
    return { kind: 'function', namespace: change.namespace, id: change.functionId }
  }
  if (change.change === 'workerChanged')
    return { kind: 'worker', event: change.event, workerId: change.workerId }
  return undefined
}

/** The directory's own refusal of an ownerless binding. */
function refusalIn(changes: readonly Change[]): ErrorBody | undefined {
  for (const change of changes) if (change.change === 'ownerlessAnswered') return change.error
  return undefined
}

export interface CatalogueParts {
  /** The other threads, if there are any. */
  readonly peers: Peers | undefined
  readonly status: () => Promise<EngineStatus>
}

export function createCatalogue(engine: HostState, { peers, status }: CatalogueParts): Catalogue {
  const { directory } = engine
  const { functions, triggers } = directory

  function nameOf(workerId: string | undefined, id: string): string {
    const worker = workerId === undefined ? undefined : directory.workers.get(workerId)
    return worker?.announcement?.name ?? id.split('::', 1)[0]!
  }

  function functionRow(record: FunctionRecord): FunctionRow | undefined {
    const layer = answering(record)
    if (layer === undefined) return undefined
    const { description, requestFormat, responseFormat, metadata } = layer.definition
    return {
      id: record.id,
      namespace: record.namespace,
      workerName: nameOf(layer.workerId, record.id),
      description,
      requestFormat,
      responseFormat,
      metadata,
      overrides:
        record.owner !== undefined && record.builtIn !== undefined
          ? nameOf(record.builtIn.workerId, record.id)
          : undefined,
      waiting: record.waiting.map(claim => nameOf(claim.workerId, record.id)),
    }
  }

  function typeRow(record: TriggerTypeRecord): TriggerTypeRow | undefined {
    const layer = providing(record)
    if (layer === undefined) return undefined
    return {
      id: record.id,
      namespace: record.namespace,
      workerName: nameOf(layer.workerId, record.id),
      description: layer.definition.description,
      configurationSchema: layer.definition.triggerRequestFormat,
      requestSchema: layer.definition.callRequestFormat,
      instanceCount: countBound(triggers, record),
    }
  }

  function bindingRow(binding: BindingRecord): BindingRow {
    const target = findFunction(functions, binding.namespace, binding.functionId)
    return {
      id: binding.id,
      triggerType: binding.triggerType,
      functionId: binding.functionId,
      namespace: binding.namespace,
      workerName: nameOf(target && answering(target)?.workerId, binding.functionId),
      config: binding.config,
      metadata: binding.metadata,
      parkedReason: binding.parkedReason,
      remarks: binding.remarks,
      providerNamespace: binding.provider?.namespace,
    }
  }

  function workerRow(worker: WorkerRecord): WorkerRow {
    const { announcement, id, builtIn } = worker
    const connection = engine.connections.get(id)
    const answered = [...worker.functions].filter(record => answering(record)?.workerId === id)
    return {
      id: builtIn ? (announcement?.name ?? id) : id,
      workerId: id,
      builtIn,
      name: announcement?.name,
      description: announcement?.description,
      version: announcement?.version,
      namespace: worker.namespace,
      runtime: announcement?.runtime,
      os: announcement?.os,
      pid: announcement?.pid,
      isolation: announcement?.isolation,
      connectedAtMs: worker.connectedAtMs,
      activeInvocations: connection?.executing.size() ?? 0,
      thread: worker.place === EVERYWHERE ? undefined : worker.place,
      ipAddress: worker.ipAddress,
      functionCount: answered.length,
      functions: () => rows(answered, functionRow),
      triggerTypes: () => rows(worker.triggerTypes, typeRow),
      bindings: () => [...worker.bindings].map(bindingRow),
      refusals: worker.refusals,
      warnings: Object.fromEntries([...worker.warnings, ...(connection?.warnings ?? [])]),
      problems: connection?.counters.problems ?? {},
    }
  }

  function rows<Record, Row>(records: Iterable<Record>, row: (record: Record) => Row | undefined): Row[] {
    const result: Row[] = []
    for (const record of records) {
      const made = row(record)
      if (made !== undefined) result.push(made)
    }
    return result
  }

  function* all<Record>(tables: ReadonlyMap<string, ReadonlyMap<string, Record>>): Iterable<Record> {
    for (const table of tables.values()) yield* table.values()
  }

  /** Resolves with the provider's refusal; with nothing when it accepts, has gone, or does not answer in time. */
  function waitForProvider(id: string): Promise<ErrorBody | undefined> {
    const { promise, resolve } = Promise.withResolvers<ErrorBody | undefined>()
    const settled = (error: ErrorBody | undefined): void => {
      cancelWait()
      engine.ownerless.delete(id)
      // Its caller hears of the refusal; nobody would of a parked binding.
      if (error !== undefined) engine.carryOut(directory.unregisterTrigger(id))
      resolve(error)
    }
    const cancelWait = engine.clock.after(engine.limits.providerAnswerMs, () => settled(undefined))
    engine.ownerless.set(id, settled)
    return promise
  }

  return {
    functions: () => rows(all(functions.byNamespace), functionRow),
    function(namespace, id) {
      const record = findFunction(functions, namespace, id)
      return record && functionRow(record)
    },
    namespacesOfFunction: id => namespacesOf(functions, id),
    triggerTypes: () => rows(all(triggers.types), typeRow),
    triggerType(namespace, id) {
      const record = findType(triggers, namespace, id)
      return record && typeRow(record)
    },
    bindings: () => [...triggers.bindings.values()].map(bindingRow),
    binding(id) {
      const binding = triggers.bindings.get(id)
      return binding && bindingRow(binding)
    },
    bindingsOfFunction(namespace, id) {
      const found: BindingRow[] = []
      // No copy of the table: a batch asks this for one function after the other.
      for (const binding of triggers.bindings.values()) {
        if (binding.functionId === id && binding.namespace === namespace) found.push(bindingRow(binding))
      }
      return found
    },
    workers: () => [...directory.workers.values()].map(workerRow),
    completed: async rows => (peers === undefined ? rows : completeRows(engine, peers, rows)),
    counters: () => countersOf(engine, peers),
    status,

    watch(listener) {
      const watcher = (change: Change): void => {
        const event = eventOf(change)
        if (event !== undefined) listener(event)
      }
      engine.watchers.add(watcher)
      return () => void engine.watchers.delete(watcher)
    },

    registerOwnerless(trigger) {
      const { id } = trigger
      const changes = directory.registerTrigger({
        ...trigger,
        namespace: trigger.namespace ?? DEFAULT_NAMESPACE,
        homeNamespace: DEFAULT_NAMESPACE,
        ownerId: undefined,
      })
      const refusal = refusalIn(changes)
      if (refusal !== undefined) return Promise.resolve(refusal)
      // Whoever waits for the binding that is replaced has its answer: it was made.
      engine.ownerless.get(id)?.(undefined)
      const answer = waitForProvider(id)
      engine.carryOut(changes)
      return answer
    },

    unregisterTrigger(id) {
      const exists = triggers.bindings.has(id)
      engine.carryOut(directory.unregisterTrigger(id))
      return exists
    },
  }
}
