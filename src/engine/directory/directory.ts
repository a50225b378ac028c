/**
 * The directory: which workers are there, who answers which function, who provides which trigger type, what is
 * bound to what. A pure state machine: a command comes in, changes come out, nothing else happens.
 */

import { SHOWN_TEXT, shortened } from '../../log/notices.ts'
import type { ErrorBody } from '../../protocol/frames.ts'
import { limits as defaultLimits, type Limits } from '../../protocol/limits.ts'
import type { Place } from '../routes.ts'
import { createBounds, reservedBecause } from './bounds.ts'
import { append, type Change, note, warnIn } from './changes.ts'
import {
  claimFunction,
  claimOf,
  createFunctionTable,
  type FunctionTable,
  findFunction,
  isInternal,
  releaseFunction,
} from './functions.ts'
import { createLostWorkers } from './lost.ts'
import { providerAnswered } from './providerAnswer.ts'
import {
  type Announcement,
  COMMAND_LINE_NAME,
  DEFAULT_NAMESPACE,
  type FunctionDefinition,
  isLegacyVersion,
  isWorthLines,
  keyIn,
  type NewBinding,
  type TriggerTypeDefinition,
  textSize,
  type WorkerRecord,
} from './records.ts'
import {
  addBinding,
  createTriggerTable,
  findType,
  layerOf,
  registerType,
  removeBinding,
  type TriggerTable,
  unregisterType,
} from './triggers.ts'

export interface Joining {
  id: string
  /** Proves that a later connection is the same worker. */
  token: string
  builtIn: boolean
  place: Place
  ipAddress: string | undefined
}

export interface Directory {
  readonly workers: ReadonlyMap<string, WorkerRecord>
  readonly functions: FunctionTable
  readonly triggers: TriggerTable

  join(joining: Joining): Change[]
  /**
   * Stores what a worker says of itself and claims its name. A refused claim returns a `workerRejected` change and
   * leaves the record as it was. Others are told of the worker by `announced`, not by this. Without `insists` a name that
   * is held is doubted first: the changes are `nameDoubted` and `look`.
   */
  announce(workerId: string, namespace: string, announcement: Announcement, insists?: boolean): Change[]
  /**
   * A worker says that it was `previousId`, and proves it with that one's token: the earlier connection ends, or that of
   * who has come back by the same proof since, and what strangers took from it is its again.
   */
  reattach(workerId: string, previousId: string, token: string): Change[]
  /** `reason`: for the log. */
  leave(workerId: string, reason: string): Change[]

  registerFunction(workerId: string, definition: FunctionDefinition): Change[]
  unregisterFunction(workerId: string, namespace: string, id: string): Change[]
  registerTriggerType(workerId: string, definition: TriggerTypeDefinition): Change[]
  unregisterTriggerType(workerId: string, namespace: string, id: string): Change[]
  registerTrigger(binding: NewBinding): Change[]
  /** No ownership check: ids are global (`docs/protocol/json.md#removing-a-trigger`). */
  unregisterTrigger(id: string): Change[]
  /** `remarks`: what the provider has accepted and will not do, a sentence each. */
  providerAnswered(
    workerId: string,
    bindingId: string,
    error: ErrorBody | undefined,
    remarks?: readonly string[],
  ): Change[]
  /** Notes a refusal, so that it can be shown in the worker's details. */
  refuse(workerId: string, what: string, id: string, reason: string): Change[]
}

export function createDirectory(now: () => number, limits: Limits = defaultLimits): Directory {
  const workers = new Map<string, WorkerRecord>()
  const functions = createFunctionTable()
  const triggers = createTriggerTable()
  /** Name leases: namespace and name → worker. */
  const names = new Map<string, string>()
  let joined = 0
  const { remember, successorOf, reclaim, takesBack } = createLostWorkers(now, limits)
  const { faultIn, boundOf, objectionTo } = createBounds(triggers, limits)

  function refuse(worker: WorkerRecord, what: string, fullId: string, fullReason: string): Change[] {
    const id = shortened(fullId)
    const reason = shortened(fullReason, SHOWN_TEXT)
    worker.refusals.push({ what, id, reason, atMs: Math.floor(now()) })
    if (worker.refusals.length > limits.refusalsKept) worker.refusals.shift()
    const fields = { id, worker_id: worker.id, worker_name: worker.announcement?.name }
    // As many lines as are kept; who goes on after that is not worth one for each.
    return warnIn(worker.warnings, 'refused', `${what} refused: ${reason}`, fields, limits.refusalsKept)
  }

  function releaseName(worker: WorkerRecord): void {
    if (worker.nameKey !== undefined && names.get(worker.nameKey) === worker.id) names.delete(worker.nameKey)
    worker.nameKey = undefined
  }

  function claimName(worker: WorkerRecord, namespace: string, name: string, insists: boolean): Change[] {
    const key = keyIn(namespace, name)
    if (worker.nameKey === key) return []
    const reclaims = takesBack(worker, 'name', namespace, name)
    const holder = names.get(key)
    if (holder !== undefined && !reclaims) {
      if (!insists) {
        return [
          { change: 'nameDoubted', workerId: worker.id },
          { change: 'look', workerId: holder, asker: worker.id },
        ]
      }
      return [{ change: 'workerRejected', workerId: worker.id, namespace, name, ownerId: holder }]
    }
    const stranger = holder === undefined ? undefined : workers.get(holder)
    if (stranger !== undefined) {
      stranger.nameKey = undefined
      stranger.displaced = true
    }
    releaseName(worker)
    names.set(key, worker.id)
    worker.nameKey = key
    return stranger === undefined
      ? []
      : [{ change: 'workerRejected', workerId: stranger.id, namespace, name, ownerId: worker.id }]
  }

  /** Who is refused its name is gone in a moment; the holder of the name shows that somebody else wanted it. */
  function refusalsOfNames(changes: readonly Change[]): Change[] {
    return changes.flatMap(change => {
      if (change.change !== 'workerRejected') return []
      const reason = `its name '${change.name}' is held by this live worker`
      return refuse(workers.get(change.ownerId)!, 'worker', change.workerId, reason)
    })
  }

  function leave(worker: WorkerRecord, reason: string): Change[] {
    const workerId = worker.id
    remember(worker)
    const changes: Change[] = []
    // The worker counts as gone from here on, so that nothing is promoted or bound to it.
    workers.delete(workerId)
    for (const record of worker.functions) append(changes, releaseFunction(functions, worker, record))
    for (const binding of worker.bindings) {
      const removed = removeBinding(triggers, workers, binding)
      append(changes, binding.providerId === workerId ? [] : removed)
    }
    for (const record of worker.triggerTypes) append(changes, unregisterType(triggers, worker, record, true))
    releaseName(worker)
    changes.push({ change: 'workerChanged', event: 'worker_disconnected', workerId })
    if (isWorthLines(worker)) {
      changes.push(note('info', 'worker left', { worker_name: worker.announcement?.name, reason }))
    }
    return changes
  }

  function refuseTrigger(binding: NewBinding, owner: WorkerRecord | undefined, reason: string): Change[] {
    const { id, triggerType, functionId } = binding
    const error = { code: 'trigger_registration_failed', message: `Trigger refused: ${reason}.` }
    if (owner === undefined) return [{ change: 'ownerlessAnswered', id, error }]
    return [
      ...refuse(owner, 'trigger', id, reason),
      { change: 'triggerRefused', workerId: owner.id, id, triggerType, functionId, error },
    ]
  }

  return {
    workers,
    functions,
    triggers,

    join({ id, token, builtIn, place, ipAddress }) {
      workers.set(id, {
        id,
        token,
        ordinal: joined++,
        proof: undefined,
        builtIn,
        place,
        ipAddress,
        connectedAtMs: Math.floor(now()),
        namespace: DEFAULT_NAMESPACE,
        announcement: undefined,
        legacy: false,
        nameKey: undefined,
        functions: new Set(),
        triggerTypes: new Set(),
        bindings: new Set(),
        registeredBytes: 0,
        refusals: [],
        warnings: new Map(),
        reclaims: undefined,
        displaced: false,
      })
      return [{ change: 'workerChanged', event: 'worker_connected', workerId: id }]
    },

    announce(workerId, namespace, announcement, insists = false) {
      const worker = workers.get(workerId)
      if (worker === undefined) return []
      const legacy = isLegacyVersion(announcement.version)
      const { name } = announcement
      const leases = name !== undefined && !legacy && !worker.builtIn && !name.startsWith(COMMAND_LINE_NAME)
      const claimed = leases ? claimName(worker, namespace, name, insists) : []
      const changes = [...claimed, ...refusalsOfNames(claimed)]
      const refused = (change: Change): boolean =>
        change.change === 'nameDoubted' ||
        (change.change === 'workerRejected' && change.workerId === workerId)
      if (changes.some(refused)) return changes
      if (!leases) releaseName(worker)
      worker.legacy = legacy
      worker.namespace = namespace
      worker.announcement = announcement
      return changes
    },

    reattach(workerId, previousId, token) {
      const worker = workers.get(workerId)
      const named = workers.get(previousId)
      if (worker === undefined) return []
      const fields = { worker_id: workerId, previous_worker_id: shortened(previousId) }
      if (named !== undefined && (named.builtIn || named.token !== token)) {
        return warnIn(worker.warnings, 'reattach', 'reattach ignored: the token is wrong', fields)
      }
      const successor = workers.get(successorOf(previousId, token) ?? '')
      if (successor !== undefined && successor.ordinal >= worker.ordinal) {
        return [note('debug', 'reattach ignored: the worker has come back over a newer connection', fields)]
      }
      const changes: Change[] = []
      const earlier = named ?? successor
      if (earlier !== undefined) {
        changes.push({ change: 'evicted', workerId: earlier.id, place: earlier.place })
        append(changes, leave(earlier, 'it came back over another connection'))
      }
      if (!reclaim(worker, previousId, token)) {
        changes.push(
          note('debug', 'reattach ignored: the earlier connection is not known (any more)', fields),
        )
      }
      return changes
    },

    leave(workerId, reason) {
      const worker = workers.get(workerId)
      return worker === undefined ? [] : leave(worker, reason)
    },

    registerFunction(workerId, definition) {
      const worker = workers.get(workerId)
      if (worker === undefined) return []
      const { id, namespace } = definition
      const reserved = reservedBecause(worker, definition)
      if (reserved !== undefined) {
        return [
          ...refuse(worker, 'function', id, reserved),
          { change: 'functionRejected', workerId, namespace, functionId: id, ownerId: '' },
        ]
      }
      const known = findFunction(functions, namespace, id)
      if (worker.builtIn && isInternal(definition)) functions.internal.add(keyIn(namespace, id))
      if (!worker.builtIn && functions.internal.has(keyIn(namespace, id))) {
        const ownerId = known?.builtIn?.workerId ?? ''
        return [
          ...refuse(worker, 'function', id, 'built-in workers speak to each other by it'),
          { change: 'functionRejected', workerId, namespace, functionId: id, ownerId },
        ]
      }
      const replaced = known && claimOf(known, workerId)?.size
      const reason = faultIn({ id }) ?? boundOf(worker, definition, replaced)
      if (reason !== undefined) return refuse(worker, 'function', id, reason)
      const reclaims = takesBack(worker, 'function', namespace, id)
      const changes = claimFunction(functions, workers, worker, definition, reclaims)
      for (const change of changes) {
        if (change.change !== 'functionRejected') continue
        const refused = workers.get(change.workerId)
        if (refused) changes.push(...refuse(refused, 'function', id, `held by worker ${change.ownerId}`))
      }
      return changes
    },

    unregisterFunction(workerId, namespace, id) {
      const worker = workers.get(workerId)
      const record = findFunction(functions, namespace, id)
      return worker !== undefined && record !== undefined && worker.functions.has(record)
        ? releaseFunction(functions, worker, record)
        : [
            note('debug', 'unregister of a function this worker does not hold ignored', {
              function_id: shortened(id),
            }),
          ]
    },

    registerTriggerType(workerId, definition) {
      const worker = workers.get(workerId)
      if (worker === undefined) return []
      const { id, namespace } = definition
      const known = findType(triggers, namespace, id)
      const replaced = known && layerOf(known, workerId)?.size
      const reason = faultIn({ id, namespace }) ?? boundOf(worker, definition, replaced)
      if (reason !== undefined) return refuse(worker, 'trigger type', id, reason)
      return registerType(triggers, worker, definition)
    },

    unregisterTriggerType(workerId, namespace, id) {
      const worker = workers.get(workerId)
      const record = findType(triggers, namespace, id)
      return worker !== undefined && record !== undefined && worker.triggerTypes.has(record)
        ? unregisterType(triggers, worker, record, false)
        : [
            note('debug', 'unregister of a trigger type this worker does not provide ignored', {
              trigger_type: shortened(id),
            }),
          ]
    },

    registerTrigger(binding) {
      const owner = binding.ownerId === undefined ? undefined : workers.get(binding.ownerId)
      if (binding.ownerId !== undefined && owner === undefined) return []
      const reason = objectionTo(binding, owner)
      if (reason !== undefined) return refuseTrigger(binding, owner, reason)
      const unbound = {
        provider: undefined,
        providerId: undefined,
        refusedBy: undefined,
        parkedReason: undefined,
        remarks: [],
        asked: [],
        held: undefined,
        size: textSize(binding),
        warnings: owner?.warnings ?? triggers.ownerlessWarnings,
      }
      return addBinding(triggers, workers, { ...binding, ...unbound })
    },

    unregisterTrigger(id) {
      const binding = triggers.bindings.get(id)
      return binding === undefined
        ? [note('debug', 'unregister of an unknown trigger ignored', { trigger_id: shortened(id) })]
        : removeBinding(triggers, workers, binding)
    },

    providerAnswered(workerId, bindingId, error, remarks = []) {
      const changes = providerAnswered(triggers, workers, workerId, bindingId, error, remarks)
      for (const change of changes) {
        if (change.change !== 'triggerRefused') continue
        const owner = workers.get(change.workerId)
        const reason = `${change.error.code}: ${change.error.message}`
        if (owner !== undefined) append(changes, refuse(owner, 'trigger', change.id, reason))
      }
      return changes
    },

    refuse(workerId, what, id, reason) {
      const worker = workers.get(workerId)
      return worker === undefined ? [] : refuse(worker, what, id, reason)
    },
  }
}
