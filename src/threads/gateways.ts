/**
 * Gateways are workers that stand on every shard, like the HTTP worker: one worker to the outside, so the directory
 * knows it once. Its instances all say the same; what the first one says counts, and a later one is given what the
 * earlier ones have already.
 */
import type { Command } from '../engine/directory/command.ts'
import type { Directory } from '../engine/directory/directory.ts'
import { claimOf, findFunction } from '../engine/directory/functions.ts'
import { findType, layerOf } from '../engine/directory/triggers.ts'
import { bindFrame, type Effect } from '../engine/effects.ts'
import type { Place } from '../engine/routes.ts'

export interface Gateways {
  /**
   * What becomes of a command that may be one of a gateway's instance on a thread: `'pass'`, or it is carried out
   * already and these effects follow for that instance.
   */
  admit(command: Command, place: Place, primary: Place | undefined): 'pass' | readonly Effect[]
}

const NOTHING: readonly Effect[] = []

/** `ids`: the worker ids of all gateways. `primary`: the thread whose instance answers for all. */
export function createGateways(directory: Directory, ids: ReadonlySet<string>): Gateways {
  const announced = new Set<string>()

  function workerOf(command: Command): string | undefined {
    if (command.command === 'join' || command.command === 'unregisterTrigger') return undefined
    return command.command === 'registerTrigger' ? command.binding.ownerId : command.workerId
  }

  /** Triggers that are bound to a type of a gateway already. */
  function bound(workerId: string, typeId: string): Effect[] {
    const effects: Effect[] = []
    for (const binding of directory.triggers.bindings.values()) {
      if (binding.providerId !== workerId || binding.triggerType !== typeId) continue
      effects.push({ effect: 'send', workerId, frame: bindFrame(binding) })
    }
    return effects
  }

  return {
    admit(command, place, primary) {
      const workerId = workerOf(command)
      if (workerId === undefined || !ids.has(workerId)) return 'pass'
      switch (command.command) {
        case 'announce':
        case 'announced': {
          const key = `${command.command} ${workerId}`
          if (announced.has(key)) return NOTHING
          announced.add(key)
          return 'pass'
        }
        case 'registerTriggerType': {
          const { id, namespace } = command.definition
          const known = findType(directory.triggers, namespace, id)
          if (known === undefined || layerOf(known, workerId) === undefined) return 'pass'
          return bound(workerId, id)
        }
        case 'registerFunction': {
          const { id, namespace } = command.definition
          const known = findFunction(directory.functions, namespace, id)
          return known === undefined || claimOf(known, workerId) === undefined ? 'pass' : NOTHING
        }
        case 'registerTrigger':
          return directory.triggers.bindings.has(command.binding.id) ? NOTHING : 'pass'
        case 'providerAnswered':
          return place === primary ? 'pass' : NOTHING
        default:
          // One instance that goes is not the worker; it goes with the process.
          return NOTHING
      }
    },
  }
}
