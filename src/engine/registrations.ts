/**
 * Registrations of a connection: held until its namespace is known, then given to the directory in the order they
 * came (`docs/protocol/json.md#the-namespace-of-a-connection`).
 */
import { blankNamespace } from '../protocol/errors.ts'
import type { InvokeFrame, RegisterTriggerFrame } from '../protocol/frames.ts'
import { invoke } from './calls.ts'
import { type Connection, nothing, type ParkedFrame, type RegistrationFrame } from './connection.ts'
import type { Command } from './directory/command.ts'
import { DEFAULT_NAMESPACE } from './directory/records.ts'
import { fanOut } from './fanOut.ts'
import { mustWait, park, submit } from './order.ts'
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
  // An announce under way decides; the main thread may be busy with it.
  if (connection.held.length === 0 && !connection.announcing) cutGraceShortWhenQuiet(engine, connection)
  connection.held.push(frame)
  if (frame.type === 'registerfunction') connection.heldFunctions.add(frame.id)
}

/**
 * The grace: without an announce the namespace becomes `default`
 * (`docs/protocol/json.md#the-namespace-of-a-connection`).
 */
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

/**
 * A client that never announces is not left waiting: after a moment of silence its registrations count
 * (`docs/protocol/json.md#the-namespace-of-a-connection`).
 */
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
  connection.cancelGrace = nothing
  const held = connection.held
  connection.held = []
  connection.heldBytes = 0
  connection.heldFunctions.clear()
  if (connection.parked.length > 0) {
    // They came before what is parked.
    connection.parked = [...held, ...connection.parked]
    return
  }
  for (const frame of held) {
    if (isGone(connection)) return
    proceed(engine, connection, frame)
  }
}

/** What goes on in the order of its arrival: calls after the registrations before them. */
export function proceed(engine: EngineState, connection: Connection, frame: ParkedFrame): void {
  if (mustWait(connection, frame)) park(connection, frame)
  else if (frame.type === 'invokefunction') invoke(engine, connection, frame)
  else if (frame.type === 'fanout') fanOut(engine, connection, frame)
  else register(engine, connection, frame)
}

function isGone(connection: Connection): boolean {
  return connection.phase === 'gone'
}

/** Turns one registration into a command of the directory and carries out what follows. */
export function register(engine: EngineState, connection: Connection, frame: RegistrationFrame): void {
  const command = commandOf(engine, connection, frame)
  if (command !== undefined) submit(engine, connection, command)
}

function commandOf(
  engine: EngineState,
  connection: Connection,
  frame: RegistrationFrame,
): Command | undefined {
  const { id: workerId, namespace } = connection
  switch (frame.type) {
    case 'registerfunction': {
      const { id, description, requestFormat, responseFormat, metadata, invocation } = frame
      const definition = { id, namespace, description, requestFormat, responseFormat, metadata, invocation }
      return { command: 'registerFunction', workerId, definition }
    }
    case 'unregisterfunction':
      return { command: 'unregisterFunction', workerId, namespace, id: frame.id }
    case 'registertriggertype': {
      const { id, description, triggerRequestFormat, callRequestFormat } = frame
      const home = frame.namespace ?? namespace
      const definition = { id, namespace: home, description, triggerRequestFormat, callRequestFormat }
      return { command: 'registerTriggerType', workerId, definition }
    }
    case 'unregistertriggertype':
      return {
        command: 'unregisterTriggerType',
        workerId,
        namespace: frame.namespace ?? namespace,
        id: frame.id,
      }
    case 'registertrigger':
      return triggerCommand(connection, frame)
    case 'unregistertrigger':
      return { command: 'unregisterTrigger', workerId, id: frame.id }
    case 'registerservice':
      engine.log.debug('legacy service registration taken note of', { id: frame.id })
      return undefined
  }
}

function triggerCommand(connection: Connection, frame: RegisterTriggerFrame): Command {
  const { id, triggerType, functionId, config, metadata, namespace, triggerNamespace } = frame
  const blank =
    namespace?.trim() === '' ? 'namespace' : triggerNamespace?.trim() === '' ? 'trigger_namespace' : undefined
  if (blank !== undefined) {
    const error = blankNamespace(blank)
    const reason = `its ${blank} is blank`
    return { command: 'refuseTrigger', workerId: connection.id, id, triggerType, functionId, reason, error }
  }
  const binding = {
    id,
    triggerType,
    functionId,
    config,
    metadata,
    namespace: namespace ?? DEFAULT_NAMESPACE,
    triggerNamespace,
    homeNamespace: connection.namespace,
    ownerId: connection.id,
  }
  return { command: 'registerTrigger', binding }
}
