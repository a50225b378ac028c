/** What the directory takes of one connection: names that make sense, and not too much. */
import type { Limits } from '../../protocol/limits.ts'
import {
  DEFAULT_NAMESPACE,
  type FunctionDefinition,
  type NewBinding,
  textSize,
  type WorkerRecord,
} from './records.ts'
import type { TriggerTable } from './triggers.ts'

export interface Bounds {
  faultIn(names: Readonly<Record<string, string | undefined>>): string | undefined
  boundOf(worker: WorkerRecord, registration: object, replaced: number | undefined): string | undefined
  objectionTo(binding: NewBinding, owner: WorkerRecord | undefined): string | undefined
}

/** Built-ins on which more depends than their callers: of a backup, files of whoever asked for it. No worker answers them. */
const OWN_PREFIX = 'engine::storage::'

/** Why nobody but the engine may have such an id, or not in this namespace. */
export function reservedBecause(
  { builtIn }: WorkerRecord,
  { id, namespace }: FunctionDefinition,
): string | undefined {
  if (id.startsWith('engine::') && namespace !== DEFAULT_NAMESPACE) {
    return `ids that start with engine:: exist only in namespace '${DEFAULT_NAMESPACE}'`
  }
  if (builtIn || !id.startsWith(OWN_PREFIX)) return undefined
  return `ids that start with ${OWN_PREFIX} are the engine's own`
}

/** Each function says why something is refused; `undefined`: it is in order. */
export function createBounds(triggers: TriggerTable, limits: Limits): Bounds {
  /** What is wrong with the names of a registration, if something is. An absent name is in order. */
  function faultIn(names: Readonly<Record<string, string | undefined>>): string | undefined {
    for (const [name, value] of Object.entries(names)) {
      if (value?.trim() === '') return `its ${name} is blank`
      if (value !== undefined && value.length > limits.nameLength) {
        return `its ${name} is longer than ${limits.nameLength} characters`
      }
    }
    return undefined
  }

  function isFull(worker: WorkerRecord): boolean {
    const held = worker.functions.size + worker.triggerTypes.size + worker.bindings.size
    return !worker.builtIn && held >= limits.registrationsPerConnection
  }

  const FULL = `the connection has ${limits.registrationsPerConnection} registrations already`
  const TOO_MANY_BYTES = `its connection would have more than ${limits.registrationBytes} characters of registrations`

  /** Why a connection can hold no further registration, if it cannot. `replaced`: size of what it takes the place of. */
  function boundOf(
    worker: WorkerRecord,
    registration: object,
    replaced: number | undefined,
  ): string | undefined {
    if (replaced === undefined && isFull(worker)) return FULL
    const size = worker.registeredBytes - (replaced ?? 0) + textSize(registration)
    return !worker.builtIn && size > limits.registrationBytes ? TOO_MANY_BYTES : undefined
  }

  /** Why a binding cannot be kept. Ownerless bindings have one bound together. */
  function objectionTo(binding: NewBinding, owner: WorkerRecord | undefined): string | undefined {
    const { id, triggerType, functionId, namespace, triggerNamespace } = binding
    const fault = faultIn({
      id,
      'trigger type': triggerType,
      'function id': functionId,
      namespace,
      'trigger namespace': triggerNamespace,
    })
    const known = triggers.bindings.get(id)
    if (fault !== undefined) return fault
    if (owner === undefined) {
      const isReplaced = known !== undefined && triggers.ownerless.has(known)
      const isFullOfThem = triggers.ownerless.size >= limits.registrationsPerConnection
      if (isFullOfThem && !isReplaced)
        return `there are ${limits.registrationsPerConnection} ownerless triggers already`
      const bytes = triggers.ownerlessBytes - (isReplaced ? known.size : 0) + textSize(binding)
      return bytes > limits.registrationBytes
        ? `there would be more than ${limits.registrationBytes} characters of ownerless triggers`
        : undefined
    }
    return boundOf(owner, binding, known !== undefined && owner.bindings.has(known) ? known.size : undefined)
  }

  return { faultIn, boundOf, objectionTo }
}
