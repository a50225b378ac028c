/**
 * Everything that can be asked of the directory, as data: so that it can come from another thread.
 */
import type { ErrorBody } from '../../protocol/frames.ts'
import type { Place } from '../routes.ts'
import type { Change } from './changes.ts'
import type { Directory } from './directory.ts'
import type { Announcement, FunctionDefinition, NewBinding, TriggerTypeDefinition } from './records.ts'

export type Command =
  | {
      readonly command: 'join'
      readonly id: string
      readonly token: string
      readonly builtIn: boolean
      readonly ipAddress: string | undefined
      readonly place: Place
    }
  | {
      readonly command: 'announce'
      readonly workerId: string
      readonly namespace: string
      readonly announcement: Announcement
      /** The holder of its name has been looked after already. */
      readonly insists: boolean
    }
  /** A thread has looked after a worker whose name `workerId` wants; if that one was gone, its leaving came before. */
  | { readonly command: 'looked'; readonly workerId: string }
  /** What was held back until the announce is registered now: others may be told of the worker. */
  | { readonly command: 'announced'; readonly workerId: string }
  | {
      readonly command: 'reattach'
      readonly workerId: string
      readonly previousId: string
      readonly token: string
    }
  /** `reason`: for the log. */
  | { readonly command: 'leave'; readonly workerId: string; readonly reason: string }
  | {
      readonly command: 'registerFunction'
      readonly workerId: string
      readonly definition: FunctionDefinition
    }
  | {
      readonly command: 'unregisterFunction'
      readonly workerId: string
      readonly namespace: string
      readonly id: string
    }
  | {
      readonly command: 'registerTriggerType'
      readonly workerId: string
      readonly definition: TriggerTypeDefinition
    }
  | {
      readonly command: 'unregisterTriggerType'
      readonly workerId: string
      readonly namespace: string
      readonly id: string
    }
  | { readonly command: 'registerTrigger'; readonly binding: NewBinding }
  /** A trigger that cannot even be asked for. */
  | {
      readonly command: 'refuseTrigger'
      readonly workerId: string
      readonly id: string
      readonly triggerType: string
      readonly functionId: string
      readonly reason: string
      readonly error: ErrorBody
    }
  /** Of anybody's trigger, but not any more when the worker has left: then it may be its own successor's. */
  | { readonly command: 'unregisterTrigger'; readonly workerId: string; readonly id: string }
  | {
      readonly command: 'providerAnswered'
      readonly workerId: string
      readonly bindingId: string
      readonly error: ErrorBody | undefined
      /** What it has accepted and will not do. */
      readonly remarks?: readonly string[] | undefined
    }

/** Applies one command. */
export function decide(directory: Directory, command: Command): Change[] {
  switch (command.command) {
    case 'join':
      return directory.join(command)
    case 'announce': {
      const { workerId, namespace, announcement, insists } = command
      return directory.announce(workerId, namespace, announcement, insists)
    }
    case 'looked':
      return [{ change: 'looked', asker: command.workerId }]
    case 'announced':
      return directory.workers.has(command.workerId)
        ? [{ change: 'workerChanged', event: 'worker_metadata_updated', workerId: command.workerId }]
        : []
    case 'reattach':
      return directory.reattach(command.workerId, command.previousId, command.token)
    case 'leave':
      return directory.leave(command.workerId, command.reason)
    case 'registerFunction':
      return directory.registerFunction(command.workerId, command.definition)
    case 'unregisterFunction':
      return directory.unregisterFunction(command.workerId, command.namespace, command.id)
    case 'registerTriggerType':
      return directory.registerTriggerType(command.workerId, command.definition)
    case 'unregisterTriggerType':
      return directory.unregisterTriggerType(command.workerId, command.namespace, command.id)
    case 'registerTrigger':
      return directory.registerTrigger(command.binding)
    case 'refuseTrigger': {
      const { workerId, id, triggerType, functionId, reason, error } = command
      const refused: Change = { change: 'triggerRefused', workerId, id, triggerType, functionId, error }
      return [...directory.refuse(workerId, 'trigger', id, reason), refused]
    }
    case 'unregisterTrigger':
      return directory.workers.has(command.workerId) ? directory.unregisterTrigger(command.id) : []
    case 'providerAnswered':
      return directory.providerAnswered(command.workerId, command.bindingId, command.error, command.remarks)
  }
}
