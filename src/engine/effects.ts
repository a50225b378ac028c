/**
 * What follows for connections and routes from the changes of the directory: data again, because the connection may
 * be on another thread than the directory.
 */
import type { ErrorBody, Frame, RegisterTriggerFrame } from '../protocol/frames.ts'
import type { Connection } from './connection.ts'
import type { Change } from './directory/changes.ts'
import type { Directory } from './directory/directory.ts'
import { findFunction } from './directory/functions.ts'
import { answering, type BindingRecord, DEFAULT_NAMESPACE } from './directory/records.ts'
import { look } from './look.ts'
import { EVERYWHERE, type Place } from './routes.ts'
import type { EngineState } from './state.ts'

export type Effect =
  /** A worker is sent a frame. */
  | { readonly effect: 'send'; readonly workerId: string; readonly frame: Frame }
  /** The announce of a worker is not answered yet: it is to be made again. */
  | { readonly effect: 'doubt'; readonly workerId: string }
  /** Its thread looks whether a worker still lives, for another one that wants its name. */
  | { readonly effect: 'look'; readonly workerId: string; readonly asker: string }
  | { readonly effect: 'announceAgain'; readonly workerId: string }
  /** A connection ends, after it has been told why. */
  | {
      readonly effect: 'expel'
      readonly workerId: string
      readonly frame: Frame | undefined
      readonly reason: string
    }
  /** A function is answered by someone else; by nobody if `workerId` is absent. */
  | {
      readonly effect: 'route'
      readonly namespace: string
      readonly functionId: string
      readonly workerId: string | undefined
      readonly place: Place
      readonly httpInvoked: boolean
    }

/** An effect and the thread it happens on; `EVERYWHERE`: on all. */
export interface PlacedEffect {
  readonly place: Place
  readonly effect: Effect
}

function unlessDefault(namespace: string | undefined): string | undefined {
  return namespace === DEFAULT_NAMESPACE ? undefined : namespace
}

export function bindFrame(binding: BindingRecord): RegisterTriggerFrame {
  return {
    type: 'registertrigger',
    id: binding.id,
    triggerType: binding.triggerType,
    functionId: binding.functionId,
    config: binding.config,
    metadata: binding.metadata,
    namespace: unlessDefault(binding.namespace),
    triggerNamespace: unlessDefault(binding.provider?.namespace),
  }
}

function triggerResult(
  id: string,
  triggerType: string,
  functionId: string,
  error: ErrorBody | undefined,
): Frame {
  return { type: 'triggerregistrationresult', id, triggerType, functionId, error }
}

/** `undefined`: nothing follows for any connection. */
export function effectOf(directory: Directory, change: Change): PlacedEffect | undefined {
  const on = (workerId: string, effect: Effect): PlacedEffect | undefined => {
    const place = directory.workers.get(workerId)?.place
    return place === undefined ? undefined : { place, effect }
  }
  const send = (workerId: string, frame: Frame): PlacedEffect | undefined =>
    on(workerId, { effect: 'send', workerId, frame })
  switch (change.change) {
    case 'bind':
      return send(change.providerId, bindFrame(change.binding))
    case 'unbind': {
      const { id, triggerType } = change.binding
      return send(change.providerId, { type: 'unregistertrigger', id, triggerType })
    }
    case 'functionRejected':
      return send(change.workerId, {
        type: 'registrationrejected',
        code: 'FUNCTION_NAMESPACE_CONFLICT',
        namespace: change.namespace,
        workerName: undefined,
        functionId: change.functionId,
        ownerWorkerId: change.ownerId,
      })
    case 'triggerRefused':
      return send(
        change.workerId,
        triggerResult(change.id, change.triggerType, change.functionId, change.error),
      )
    case 'workerRejected':
      return rejection(directory, change)
    case 'nameDoubted':
      return on(change.workerId, { effect: 'doubt', workerId: change.workerId })
    case 'look':
      return on(change.workerId, { effect: 'look', workerId: change.workerId, asker: change.asker })
    case 'looked':
      return on(change.asker, { effect: 'announceAgain', workerId: change.asker })
    case 'evicted': {
      const { place, workerId } = change
      const reason = 'replaced by a new connection of the same worker'
      return { place, effect: { effect: 'expel', workerId, frame: undefined, reason } }
    }
    case 'functionChanged':
      return { place: EVERYWHERE, effect: routeOf(directory, change.namespace, change.functionId) }
    case 'ownerlessAnswered':
    case 'note':
    case 'workerChanged':
      return undefined
  }
}

/** Who answers a function now. Asked when the change is carried out, so it tells the newest of several changes. */
function routeOf(directory: Directory, namespace: string, functionId: string): Effect {
  const record = findFunction(directory.functions, namespace, functionId)
  const layer = record && answering(record)
  return {
    effect: 'route',
    namespace,
    functionId,
    workerId: layer?.workerId,
    place: (layer && directory.workers.get(layer.workerId)?.place) ?? 0,
    httpInvoked: layer?.definition.invocation !== undefined,
  }
}

/** Every route there is, for a thread that begins. */
export function allRoutes(directory: Directory): Effect[] {
  const effects: Effect[] = []
  for (const [namespace, functions] of directory.functions.byNamespace) {
    for (const functionId of functions.keys()) effects.push(routeOf(directory, namespace, functionId))
  }
  return effects
}

function rejection(
  directory: Directory,
  change: Extract<Change, { change: 'workerRejected' }>,
): PlacedEffect | undefined {
  const { workerId, namespace, name, ownerId } = change
  const place = directory.workers.get(workerId)?.place
  if (place === undefined) return undefined
  const frame: Frame = {
    type: 'registrationrejected',
    code: 'WORKER_NAMESPACE_CONFLICT',
    namespace,
    workerName: name,
    functionId: undefined,
    ownerWorkerId: ownerId,
  }
  return {
    place,
    effect: { effect: 'expel', workerId, frame, reason: 'its worker name is held by another worker' },
  }
}

/** Lets an effect happen on this thread. */
export function perform(engine: EngineState, effect: Effect): void {
  switch (effect.effect) {
    case 'send':
      engine.connections.get(effect.workerId)?.link.send(effect.frame)
      return
    case 'doubt': {
      const connection = engine.connections.get(effect.workerId)
      if (connection !== undefined) connection.nameIsDoubted = true
      return
    }
    case 'look':
      look(engine, effect.workerId, effect.asker)
      return
    case 'announceAgain':
      engine.connections.get(effect.workerId)?.doubted[0]?.()
      return
    case 'expel': {
      const connection = engine.connections.get(effect.workerId)
      if (connection !== undefined) expel(engine, connection, effect.frame, effect.reason)
      return
    }
    case 'route': {
      const { namespace, functionId, workerId, place, httpInvoked } = effect
      if (workerId === undefined) engine.routes.remove(namespace, functionId)
      else engine.routes.set({ namespace, functionId, workerId, place, httpInvoked, callee: undefined })
      return
    }
  }
}

function expel(engine: EngineState, connection: Connection, frame: Frame | undefined, reason: string): void {
  if (frame !== undefined) {
    connection.link.send(frame)
    connection.link.end('orderly')
  }
  engine.teardown(connection, reason)
}
