/** One frame of one connection: what it is decides who handles it. */

import { isMilestone, shortened } from '../log/notices.ts'
import type { FanOutFrame, Frame, FrameProblem, ReattachFrame } from '../protocol/frames.ts'
import { ANNOUNCE_FUNCTION, announce } from './announce.ts'
import { answer, answerProblem, cancel, findRoute } from './calls.ts'
import type { Connection } from './connection.ts'
import { DEFAULT_NAMESPACE } from './directory/records.ts'
import { submit } from './order.ts'
import { hold, proceed } from './registrations.ts'
import { type EngineState, warnAbout } from './state.ts'

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
      } else if (waitsForOwnRegistration(connection, frame.functionId) && !findRoute(engine, frame)) {
        hold(engine, connection, frame)
      } else {
        proceed(engine, connection, frame)
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
      else proceed(engine, connection, frame)
      return
    case 'triggerregistrationresult':
      submit(engine, connection, {
        command: 'providerAnswered',
        workerId: connection.id,
        bindingId: frame.id,
        error: frame.error,
        remarks: frame.warnings,
      })
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

/** From a worker of the engine's own, or from another thread. */
export function receiveFanOut(engine: EngineState, connection: Connection, frame: FanOutFrame): void {
  if (connection.phase === 'gone') return
  connection.counters.received++
  proceed(engine, connection, frame)
}

/**
 * Clients that announce last send queued calls before it. A call to a function whose registration is still held
 * waits with it, instead of being told that the function does not exist
 * (`docs/protocol/json.md#the-namespace-of-a-connection`).
 */
function waitsForOwnRegistration(connection: Connection, functionId: string): boolean {
  return connection.phase === 'pending' && connection.heldFunctions.has(functionId)
}

/**
 * The worker proves that it is the one of an earlier connection; that one ends before the next frame is read
 * (`docs/protocol/json.md#reattach`).
 */
function reattach(engine: EngineState, connection: Connection, frame: ReattachFrame): void {
  const { previousWorkerId: previousId, reattachToken: token } = frame
  const { id: workerId } = connection
  if (previousId === workerId || token === undefined) {
    const fields = { previous_worker_id: shortened(previousId) }
    warnAbout(engine, connection, 'reattach', 'reattach ignored: it names no earlier connection', fields)
    return
  }
  submit(engine, connection, { command: 'reattach', workerId, previousId, token })
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
      worker_name: connection.name,
      count,
    })
  }
  answerProblem(engine, connection, problem)
}
