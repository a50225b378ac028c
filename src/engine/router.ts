/** One frame of one connection: what it is decides who handles it. */

import { isMilestone, shortened } from '../log/notices.ts'
import type { Frame, FrameProblem, ReattachFrame } from '../protocol/frames.ts'
import { ANNOUNCE_FUNCTION, announce } from './announce.ts'
import { answer, answerProblem, cancel, findTarget, invoke } from './calls.ts'
import type { Connection } from './connection.ts'
import { DEFAULT_NAMESPACE } from './directory/records.ts'
import { hold, register } from './registrations.ts'
import { type EngineState, warnAbout, workerName } from './state.ts'

export function receive(engine: EngineState, connection: Connection, frame: Frame): void {
  if (connection.phase === 'gone') return
  connection.counters.received++
  if (connection.phase === 'pending') connection.lastFrameAtMs = engine.clock.now()
  switch (frame.type) {
    case 'invokefunction':
      if (
        frame.functionId === ANNOUNCE_FUNCTION &&
        (frame.namespace ?? DEFAULT_NAMESPACE) === DEFAULT_NAMESPACE
      ) {
        announce(engine, connection, frame)
      } else if (waitsForOwnRegistration(connection, frame.functionId) && !findTarget(engine, frame)) {
        hold(engine, connection, frame)
      } else {
        invoke(engine, connection, frame)
      }
      return
    case 'invocationresult':
      answer(engine, connection, frame)
      return
    case 'cancelinvocation':
      cancel(engine, connection, frame.invocationId)
      return
    case 'registerfunction':
    case 'unregisterfunction':
    case 'registertriggertype':
    case 'unregistertriggertype':
    case 'registertrigger':
    case 'unregistertrigger':
    case 'registerservice':
      if (connection.phase === 'pending') hold(engine, connection, frame)
      else register(engine, connection, frame)
      return
    case 'triggerregistrationresult':
      engine.carryOut(engine.directory.providerAnswered(connection.id, frame.id, frame.error))
      return
    case 'reattach':
      reattach(engine, connection, frame)
      return
    case 'ping':
      connection.link.send({ type: 'pong' })
      return
    case 'pong':
      return
    case 'workerregistered':
    case 'registrationrejected':
    case 'error':
      receiveProblem(engine, connection, {
        type: 'problem',
        reason: 'unknown_type',
        detail: `type "${frame.type}" is only sent by the engine`,
        about: undefined,
        invocationId: undefined,
        functionId: undefined,
      })
      return
  }
}

/**
 * Clients that announce last send queued calls before it. A call to a function whose registration is still held
 * waits with it, instead of being told that the function does not exist (`protocol.md` 9.20).
 */
function waitsForOwnRegistration(connection: Connection, functionId: string): boolean {
  return connection.phase === 'pending' && connection.heldFunctions.has(functionId)
}

/** The worker proves that it is the one of an earlier connection; that one ends before the next frame is read (3.6). */
function reattach(engine: EngineState, connection: Connection, frame: ReattachFrame): void {
  const { previousWorkerId, reattachToken } = frame
  const previous = engine.connections.get(previousWorkerId)
  const fields = { previous_worker_id: shortened(previousWorkerId) }
  if (previousWorkerId === connection.id || reattachToken === undefined) {
    warnAbout(engine, connection, 'reattach', 'reattach ignored: it names no earlier connection', fields)
    return
  }
  if (previous !== undefined) {
    if (previous.builtIn || previous.reattachToken !== reattachToken) {
      warnAbout(engine, connection, 'reattach', 'reattach ignored: the token is wrong', fields)
      return
    }
    engine.teardown(previous, 'replaced by a new connection of the same worker')
  }
  const isKnown = engine.directory.reclaim(connection.id, previousWorkerId, reattachToken)
  if (!isKnown) {
    const about = { worker_id: connection.id, ...fields }
    engine.log.debug('reattach ignored: the earlier connection is not known (any more)', about)
  }
}

/** A message that is no frame: counted, logged, and answered if someone waits for it. The connection stays. */
export function receiveProblem(engine: EngineState, connection: Connection, problem: FrameProblem): void {
  if (connection.phase === 'gone') return
  const { problems } = connection.counters
  const count = (problems[problem.reason] ?? 0) + 1
  problems[problem.reason] = count
  engine.counters.problems++
  if (isMilestone(count)) {
    engine.log.warn(`message dropped: ${problem.detail}`, {
      reason: problem.reason,
      worker_id: connection.id,
      worker_name: workerName(engine, connection),
      count,
    })
  }
  answerProblem(engine, connection, problem)
}
