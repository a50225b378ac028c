/**
 * Registrations of a connection: held until its namespace is known, then given to the directory in the order they
 * came (`protocol.md` 3.2, 4.2).
 */
import { blankNamespace } from '../protocol/errors.ts'
import type { InvokeFrame, RegisterTriggerFrame } from '../protocol/frames.ts'
import { invoke } from './calls.ts'
import type { Connection, RegistrationFrame } from './connection.ts'
import type { Change } from './directory/changes.ts'
import { DEFAULT_NAMESPACE } from './directory/records.ts'
import type { EngineState } from './state.ts'

/** Approximate size of a held frame, so that what is held stays bounded. */
function sizeOf(frame: RegistrationFrame | InvokeFrame): number {
  let size = 200
  for (const value of Object.values(frame)) if (typeof value === 'string') size += value.length
  return size
}

/** Keeps a frame until the namespace is fixed. Beyond the bound the connection is cut: it floods without announcing. */
export function hold(
  engine: EngineState,
  connection: Connection,
  frame: RegistrationFrame | InvokeFrame,
): void {
  connection.heldBytes += sizeOf(frame)
  if (connection.held.length >= engine.limits.heldFrames || connection.heldBytes > engine.limits.heldBytes) {
    engine.log.warn('a connection was cut: it registers too much without announcing itself', {
      worker_id: connection.id,
      held: connection.held.length,
      held_bytes: connection.heldBytes,
    })
    engine.teardown(connection, 'too many registrations before the announce')
    return
  }
  if (connection.held.length === 0) cutGraceShortWhenQuiet(engine, connection)
  connection.held.push(frame)
  if (frame.type === 'registerfunction') connection.heldFunctions.add(frame.id)
}

/** The grace: without an announce the namespace becomes `default` (3.2). */
export function startGrace(engine: EngineState, connection: Connection): void {
  connection.cancelGrace = engine.clock.after(engine.namespaceGraceMs, () => graceOver(engine, connection))
}

function graceOver(engine: EngineState, connection: Connection): void {
  if (connection.phase !== 'pending') return
  const fields = { worker_id: connection.id, held: connection.held.length }
  if (connection.held.length > 0) {
    engine.log.warn(
      `a connection did not announce itself; it is in namespace '${DEFAULT_NAMESPACE}' now`,
      fields,
    )
  }
  fixNamespace(engine, connection, DEFAULT_NAMESPACE)
}

/** A client that never announces is not left waiting: after a moment of silence its registrations count (3.9.4). */
function cutGraceShortWhenQuiet(engine: EngineState, connection: Connection): void {
  const cancelGrace = connection.cancelGrace
  const check = (waitMs: number): (() => void) =>
    engine.clock.after(waitMs, () => {
      const quietFor = engine.clock.now() - connection.lastFrameAtMs
      if (quietFor >= engine.limits.quietGraceMs) graceOver(engine, connection)
      else cancelQuiet = check(engine.limits.quietGraceMs - quietFor)
    })
  let cancelQuiet = check(engine.limits.quietGraceMs)
  connection.cancelGrace = () => {
    cancelGrace()
    cancelQuiet()
  }
}

/** Fixes the namespace of a connection and applies what was held, in order. The first one to fix it wins. */
export function fixNamespace(engine: EngineState, connection: Connection, namespace: string): void {
  if (connection.phase !== 'pending') return
  connection.phase = 'resolved'
  connection.namespace = namespace
  connection.cancelGrace()
  const held = connection.held
  connection.held = []
  connection.heldBytes = 0
  connection.heldFunctions.clear()
  for (const frame of held) {
    if (isGone(connection)) return
    if (frame.type === 'invokefunction') invoke(engine, connection, frame)
    else register(engine, connection, frame)
  }
}

function isGone(connection: Connection): boolean {
  return connection.phase === 'gone'
}

/** Turns one registration into a command of the directory and carries out what follows. */
export function register(engine: EngineState, connection: Connection, frame: RegistrationFrame): void {
  engine.carryOut(changesOf(engine, connection, frame))
}

function changesOf(engine: EngineState, connection: Connection, frame: RegistrationFrame): Change[] {
  const { directory } = engine
  const { id: workerId, namespace } = connection
  switch (frame.type) {
    case 'registerfunction': {
      const { id, description, requestFormat, responseFormat, metadata, invocation } = frame
      const definition = { id, namespace, description, requestFormat, responseFormat, metadata, invocation }
      return directory.registerFunction(workerId, definition)
    }
    case 'unregisterfunction':
      return directory.unregisterFunction(workerId, namespace, frame.id)
    case 'registertriggertype': {
      const { id, description, triggerRequestFormat, callRequestFormat } = frame
      const home = frame.namespace ?? namespace
      const definition = { id, namespace: home, description, triggerRequestFormat, callRequestFormat }
      return directory.registerTriggerType(workerId, definition)
    }
    case 'unregistertriggertype':
      return directory.unregisterTriggerType(workerId, frame.namespace ?? namespace, frame.id)
    case 'registertrigger':
      return registerTrigger(engine, connection, frame)
    case 'unregistertrigger':
      return directory.unregisterTrigger(frame.id)
    case 'registerservice':
      engine.log.debug('legacy service registration taken note of', { id: frame.id })
      return []
  }
}

function registerTrigger(engine: EngineState, connection: Connection, frame: RegisterTriggerFrame): Change[] {
  const { id, triggerType, functionId, config, metadata, namespace, triggerNamespace } = frame
  const blank =
    namespace?.trim() === '' ? 'namespace' : triggerNamespace?.trim() === '' ? 'trigger_namespace' : undefined
  if (blank !== undefined) {
    const error = blankNamespace(blank)
    return [
      ...engine.directory.refuse(connection.id, 'trigger', id, `its ${blank} is blank`),
      { change: 'triggerRefused', workerId: connection.id, id, triggerType, functionId, error },
    ]
  }
  return engine.directory.registerTrigger({
    id,
    triggerType,
    functionId,
    config,
    metadata,
    namespace: namespace ?? DEFAULT_NAMESPACE,
    triggerNamespace,
    homeNamespace: connection.namespace,
    ownerId: connection.id,
  })
}
