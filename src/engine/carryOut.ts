/** What follows from the directory's changes: frames to workers, ended connections, log lines. */
import type { RegisterTriggerFrame } from '../protocol/frames.ts'
import type { Change } from './directory/changes.ts'
import { type BindingRecord, DEFAULT_NAMESPACE } from './directory/records.ts'
import type { EngineState } from './state.ts'

function unlessDefault(namespace: string | undefined): string | undefined {
  return namespace === DEFAULT_NAMESPACE ? undefined : namespace
}

function bindFrame(binding: BindingRecord): RegisterTriggerFrame {
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

/**
 * Returns the function that carries changes out. What one change causes (a refused worker leaves, a full link is cut
 * while it is sent to) changes the directory again; those changes wait for their turn, so that every worker is told
 * of things in the order in which they happened.
 */
export function createCarryOut(engine: EngineState): (changes: readonly Change[]) => void {
  let waiting: (readonly Change[])[] = []
  let running = false

  function carryOut(changes: readonly Change[]): void {
    for (const change of changes) carryOutOne(engine, change)
    if (engine.watchers.size === 0) return
    for (const change of changes) for (const watcher of engine.watchers) watcher(change)
  }

  return changes => {
    if (changes.length === 0) return
    waiting.push(changes)
    if (running) return
    running = true
    try {
      for (let i = 0; i < waiting.length; i++) carryOut(waiting[i]!)
    } finally {
      waiting = []
      running = false
    }
  }
}

function carryOutOne(engine: EngineState, change: Change): void {
  switch (change.change) {
    case 'bind':
      engine.connections.get(change.providerId)?.link.send(bindFrame(change.binding))
      return
    case 'unbind': {
      const { id, triggerType } = change.binding
      engine.connections.get(change.providerId)?.link.send({ type: 'unregistertrigger', id, triggerType })
      return
    }
    case 'functionRejected':
      engine.connections.get(change.workerId)?.link.send({
        type: 'registrationrejected',
        code: 'FUNCTION_NAMESPACE_CONFLICT',
        namespace: change.namespace,
        workerName: undefined,
        functionId: change.functionId,
        ownerWorkerId: change.ownerId,
      })
      return
    case 'workerRejected':
      rejectWorker(engine, change)
      return
    case 'triggerRefused': {
      const { workerId, id, triggerType, functionId, error } = change
      engine.connections
        .get(workerId)
        ?.link.send({ type: 'triggerregistrationresult', id, triggerType, functionId, error })
      return
    }
    case 'ownerlessAnswered':
      engine.ownerless.get(change.id)?.(change.error)
      return
    case 'note':
      if (!engine.stopping) engine.log[change.level](change.message, change.fields)
      return
    case 'functionChanged':
    case 'workerChanged':
      return
  }
}

function rejectWorker(engine: EngineState, change: Extract<Change, { change: 'workerRejected' }>): void {
  const { workerId, namespace, name, ownerId } = change
  const connection = engine.connections.get(workerId)
  if (connection === undefined) return
  connection.link.send({
    type: 'registrationrejected',
    code: 'WORKER_NAMESPACE_CONFLICT',
    namespace,
    workerName: name,
    functionId: undefined,
    ownerWorkerId: ownerId,
  })
  connection.link.end('orderly')
  engine.teardown(connection, 'its worker name is held by another worker')
}
