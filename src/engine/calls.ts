/**
 * The way of a call: caller's frame → executing worker → answer → caller. This is the hot path; the payload is
 * passed on as text and the frame object that came in is the one that goes out.
 */

import { isMilestone, shortened } from '../log/notices.ts'
import { blankNamespace } from '../protocol/errors.ts'
import type {
  CallId,
  ErrorBody,
  FrameProblem,
  InvokeFrame,
  Payload,
  ResultFrame,
} from '../protocol/frames.ts'
import { type JsonText, toJsonText } from '../protocol/jsonText.ts'
import { callerSuffix, withCaller } from '../protocol/payload.ts'
import { forwardedBaggage, forwardedTraceparent } from '../protocol/traceContext.ts'
import { adaptInput, adaptResult, inputToJson } from './adapt.ts'
import type { Connection } from './connection.ts'
import { DEFAULT_NAMESPACE } from './directory/records.ts'
import { enqueueFailure, enqueueRequest, noQueueProvider } from './enqueue.ts'
import { enter, findMade, type Invocation, remove } from './invocations.ts'
import * as refusals from './refusals.ts'
import { EVERYWHERE, type Route } from './routes.ts'
import { stallIfFull, stallIfUntaken } from './stall.ts'
import { type EngineState, warnAbout } from './state.ts'

/** Sends an answer to whoever made a call. */
export function reply(
  to: Connection,
  call: {
    invocationId: CallId
    functionId: string
    traceparent: string | undefined
    baggage: string | undefined
  },
  error: JsonText | undefined,
  result: Payload | undefined,
): void {
  to.link.send({
    type: 'invocationresult',
    invocationId: call.invocationId,
    functionId: call.functionId,
    result: error === undefined ? result : undefined,
    error,
    traceparent: call.traceparent,
    baggage: call.baggage,
  })
}

function wantsAnswer(asked: InvokeFrame): boolean {
  return asked.invocationId !== undefined && asked.action !== 'void'
}

/** Refuses a call; a caller that wants no answer gets none, so there the loss is counted and logged. */
function refuse(engine: EngineState, caller: Connection, asked: InvokeFrame, error: JsonText): void {
  if (wantsAnswer(asked)) {
    reply(caller, { ...asked, invocationId: asked.invocationId! }, error, undefined)
    return
  }
  engine.counters.lostVoids++
  const count = ++caller.counters.lostVoids
  if (!isMilestone(count)) return
  const { code } = JSON.parse(error) as ErrorBody
  // Functions of an engine that stops have left, and the last events are about that.
  if (engine.draining && caller.builtIn && code === 'function_not_found') return
  engine.log.warn('a call that wants no answer was dropped', {
    function_id: shortened(asked.functionId),
    // Of another thread: whose call it was, and the way it came, to which the count belongs.
    ...(caller.trunk
      ? { worker_id: asked.caller, over: caller.id }
      : { worker_id: caller.id, worker_name: caller.name }),
    reason: code,
    count,
  })
}

/** Who answers what a call names; `undefined`: nobody. */
export function findRoute(engine: EngineState, frame: InvokeFrame): Route | undefined {
  return engine.routes.find(frame.namespace, frame.functionId)
}

/** The connection on which a call leaves: the worker's own, or the trunk to its thread. */
export function calleeOf(engine: EngineState, route: Route): Connection | undefined {
  const known = route.callee
  if (known !== undefined && known.phase !== 'gone') return known
  const { place, workerId } = route
  const isHere = place === engine.place || place === EVERYWHERE
  route.callee = isHere ? engine.connections.get(workerId) : engine.trunks.get(place)
  return route.callee?.phase === 'gone' ? undefined : route.callee
}

export function invoke(engine: EngineState, caller: Connection, frame: InvokeFrame): void {
  if (frame.namespace !== undefined && frame.namespace.trim() === '') {
    refuse(engine, caller, frame, toJsonText(blankNamespace('namespace')))
    return
  }
  caller.counters.callsMade++
  if (frame.action === 'enqueue') {
    // The request to the provider is JSON, with the input inside.
    const fault = inputToJson(frame)
    if (fault !== undefined) {
      refuse(engine, caller, frame, fault)
      return
    }
    const receiptId = engine.receiptId()
    deliver(engine, caller, frame, enqueueRequest(frame, receiptId), receiptId)
  } else {
    deliver(engine, caller, frame, frame, undefined)
  }
}

function notFound(
  engine: EngineState,
  caller: Connection,
  frame: InvokeFrame,
  engineMade: boolean,
): JsonText {
  const route = findRoute(engine, frame)
  if (route !== undefined && route.place === engine.lasting) return refusals.beingReplaced(frame.functionId)
  const elsewhere = engine.routes.namespacesOf(frame.functionId)
  const namespace = frame.namespace ?? DEFAULT_NAMESPACE
  const nearest = caller.builtIn ? engine.nearestFunction(namespace, frame.functionId) : undefined
  const short = engineMade || caller.builtIn
  return refusals.functionNotFound(frame.functionId, namespace, elsewhere, short, nearest)
}

/**
 * Finds who executes a call and hands it over. `asked` is what the caller wrote and is answered for; `frame` is what
 * is sent: the same, or for an `enqueue` call the request to the queue's provider, with the receipt its caller gets.
 */
function deliver(
  engine: EngineState,
  caller: Connection,
  asked: InvokeFrame,
  frame: InvokeFrame,
  receiptId: string | undefined,
): void {
  engine.catchUp?.()
  // What was caught up with may have been its end.
  if (caller.phase === 'gone') return
  const route = findRoute(engine, frame)
  const callee = route && calleeOf(engine, route)
  if (route === undefined || callee === undefined) {
    const error = notFound(engine, caller, frame, receiptId !== undefined)
    refuse(engine, caller, asked, receiptId === undefined ? error : noQueueProvider(error))
    return
  }
  const obstacle =
    obstacleTo(engine, caller, callee, route, asked) ?? adaptInput(engine, caller, callee, frame)
  if (obstacle !== undefined) {
    refuse(engine, caller, asked, receiptId === undefined ? obstacle : enqueueFailure(obstacle))
    return
  }
  callee.counters.callsExecuted++
  callee.credit--
  if (wantsAnswer(asked)) {
    expectAnswer(engine, caller, callee, asked, frame, receiptId)
  } else {
    if (!caller.trunk) engine.counters.voidCalls++
    frame.invocationId = callee.link.framing === 'json' ? engine.voidInvocationId() : undefined
  }
  handOver(caller, callee, frame, receiptId !== undefined)
  if (callee !== caller) stallIfFull(engine, callee, caller)
}

/** Whether a worker executes as many calls as it takes. */
export const isBusy = ({ executing, mostCalls }: Connection): boolean => executing.size() >= mostCalls

/** Why a call that has a target cannot be handed over now. */
export function obstacleTo(
  engine: EngineState,
  caller: Connection,
  callee: Connection,
  route: Route,
  asked: InvokeFrame,
): JsonText | undefined {
  const { limits } = engine
  if (engine.draining && isNewWork(caller, asked)) return refusals.ENGINE_STOPPING
  if (route.httpInvoked) return refusals.httpInvokedUnsupported(asked.functionId)
  if (callee.link.backlog() >= limits.overloadedBytes) return refusals.workerOverloaded(asked.functionId)
  if (callee.credit <= 0 || isBusy(callee)) return refusals.workerBusy(asked.functionId)
  const atLimit = caller.callsInFlight >= limits.callsInFlight && !caller.builtIn && !caller.trunk
  return atLimit && wantsAnswer(asked) ? refusals.tooManyCalls(limits.callsInFlight) : undefined
}

/**
 * Whether a call begins something of its own, while the engine only finishes what has begun. A worker that executes a call
 * may need others for it; built-ins take nothing new in by themselves; void calls hold nothing up. What comes from
 * another thread has been asked there.
 */
function isNewWork(caller: Connection, asked: InvokeFrame): boolean {
  return !caller.builtIn && !caller.trunk && caller.executing.size() === 0 && wantsAnswer(asked)
}

/** Enters the call in the table and gives the frame the id its callee will answer with. */
function expectAnswer(
  engine: EngineState,
  caller: Connection,
  callee: Connection,
  asked: InvokeFrame,
  frame: InvokeFrame,
  receiptId: string | undefined,
): void {
  if (!caller.trunk) engine.counters.calls++
  const invocation = enter({
    caller,
    callee,
    callerInvocationId: asked.invocationId!,
    functionId: asked.functionId,
    traceparent: asked.traceparent,
    baggage: asked.baggage,
    receiptId,
    startedAtMs: engine.clock.now(),
  })
  frame.invocationId = invocation.calleeInvocationId
  const fallback = caller.builtIn ? engine.limits.callTimeoutMs : engine.limits.callAgeMs
  // The thread of the caller ends its calls, and says so to this one.
  const margin = caller.trunk ? engine.limits.deadlineMarginMs : 0
  engine.deadlines.set(
    invocation,
    Math.min(asked.timeoutMs ?? fallback, engine.limits.callAgeMs) + margin,
    invocation.startedAtMs,
  )
}

/** Turns the caller's frame into the one the executing worker gets (`docs/protocol/json.md#calls`). */
function handOver(caller: Connection, callee: Connection, frame: InvokeFrame, engineMade: boolean): void {
  nameCaller(caller, callee, frame, engineMade)
  // On the last part of its way from another thread this has been done.
  if (!caller.trunk && (frame.traceparent !== undefined || frame.baggage !== undefined)) {
    frame.baggage = forwardedBaggage(frame.functionId, frame.traceparent, frame.baggage)
    if (frame.traceparent !== undefined) frame.traceparent = forwardedTraceparent(frame.traceparent)
  }
  if (!callee.trunk) frame.namespace = undefined
  frame.action = frame.invocationId === undefined ? 'void' : 'plain'
  frame.queue = undefined
  if (!callee.takesDeadline) frame.timeoutMs = undefined
  callee.link.send(frame)
}

/** Says who calls: in a field where the callee takes it there, inside the input otherwise. */
function nameCaller(caller: Connection, callee: Connection, frame: InvokeFrame, engineMade: boolean): void {
  const callerId = caller.trunk ? frame.caller : caller.builtIn || engineMade ? undefined : caller.id
  frame.caller = callee.takesCaller ? callerId : undefined
  if (callee.link.framing === 'msgpack' || callee.link.passesFrames || callerId === undefined) return
  const suffix = caller.trunk ? callerSuffix(callerId) : caller.callerSuffix
  frame.data = withCaller(frame.data as JsonText, suffix)
}

/** The answer as its caller gets it; an `enqueue` call gets its receipt instead of the provider's own result. */
function finish(
  invocation: Invocation,
  error: JsonText | undefined,
  result: Payload | undefined,
  unanswered = false,
): void {
  remove(invocation, unanswered)
  const { caller, callerInvocationId: invocationId, functionId, traceparent, baggage, receiptId } = invocation
  const call = { invocationId, functionId, traceparent, baggage }
  if (receiptId === undefined) {
    reply(caller, call, error, result)
  } else if (error === undefined) {
    reply(caller, call, undefined, toJsonText({ messageReceiptId: receiptId }))
  } else {
    reply(caller, call, enqueueFailure(error), undefined)
  }
}

export function answer(engine: EngineState, callee: Connection, frame: ResultFrame): void {
  const invocation = callee.executing.get(frame.invocationId)
  if (invocation === undefined) {
    countLateResult(engine, callee, frame.invocationId)
    return
  }
  engine.deadlines.clear(invocation)
  const { caller } = invocation
  if (!caller.trunk) engine.counters.answers++
  if (invocation.receiptId !== undefined) {
    finish(invocation, frame.error, frame.result)
    return
  }
  const fault =
    untaken(engine, callee, invocation) ?? adaptResult(engine, callee, caller, invocation.functionId, frame)
  if (fault !== undefined) {
    finish(invocation, fault, undefined)
    return
  }
  remove(invocation)
  frame.invocationId = invocation.callerInvocationId
  frame.functionId = invocation.functionId
  frame.traceparent = invocation.traceparent
  frame.baggage = invocation.baggage
  if (caller.takesSmallMessagesOnly) warnOfSize(engine, caller, frame)
  caller.link.send(frame)
  stallIfUntaken(engine, caller, callee)
}

/**
 * An answer of a built-in, which is never held back, to a thread that has not taken what it was sent: a connection with as
 * much would be cut.
 */
function untaken(engine: EngineState, { builtIn }: Connection, invocation: Invocation): JsonText | undefined {
  const { trunk, link } = invocation.caller
  if (!builtIn || !trunk || link.backlog() < engine.limits.outboundBytes) return undefined
  return refusals.answersUntaken(invocation.functionId)
}

function warnOfSize(engine: EngineState, caller: Connection, frame: ResultFrame): void {
  const { result = '' } = frame
  const limit = engine.limits.smallClientMessageBytes
  // A client that speaks JSON. A character takes three bytes at most: the bytes of a small text need not be counted.
  if (typeof result !== 'string' || result.length * 3 <= limit) return
  const bytes = Buffer.byteLength(result)
  if (bytes <= limit) return
  const said = 'a result is larger than its Python client accepts; that client will drop its connection'
  const fix = 'update iii-sdk of that worker to 0.24.5 or later'
  warnAbout(engine, caller, 'large result', said, { function_id: frame.functionId, bytes, fix })
}

function countLateResult(engine: EngineState, callee: Connection, invocationId: CallId): void {
  if (engine.isVoidInvocationId(invocationId)) {
    engine.counters.voidResults++
    return
  }
  engine.counters.lateResults++
  const count = ++callee.counters.lateResults
  if (!isMilestone(count)) return
  engine.log.warn('an answer was dropped: this connection has no such call to answer, or not any more', {
    worker_id: callee.id,
    worker_name: callee.name,
    invocation_id: invocationId,
    count,
  })
}

/** The deadline of a call has passed: the caller is told, a later answer is only counted. */
export function expire(engine: EngineState, invocation: Invocation): void {
  const waitedMs = Math.round(engine.clock.now() - invocation.startedAtMs)
  if (invocation.caller.trunk) {
    // Its own thread has told the caller already.
    remove(invocation, true)
  } else {
    engine.counters.timeouts++
    finish(invocation, refusals.timedOut(waitedMs), undefined, true)
  }
  tellCallee(invocation)
}

/** Nobody waits for the answer any more; a worker that wants to know hears of it. */
function tellCallee({ callee, calleeInvocationId: invocationId }: Invocation): void {
  if (callee.takesCancel && callee.phase !== 'gone') {
    callee.link.send({ type: 'cancelinvocation', invocationId })
  }
}

/** The caller has given up. */
export function cancel(engine: EngineState, caller: Connection, invocationId: CallId): void {
  const invocation = findMade(caller, invocationId, engine.limits.cancelSearch)
  if (invocation === undefined) return
  engine.deadlines.clear(invocation)
  remove(invocation, true)
  tellCallee(invocation)
}

/**
 * A message that could not be read. If it was a call or an answer, its caller hears of it
 * (`docs/protocol/json.md#messages-that-cannot-be-read`).
 */
export function answerProblem(engine: EngineState, from: Connection, problem: FrameProblem): void {
  if (problem.invocationId === undefined) return
  if (problem.about === 'invokefunction') {
    const call = { invocationId: problem.invocationId, functionId: problem.functionId ?? '' }
    const error = refusals.undecodable(problem.functionId, problem.detail)
    reply(from, { ...call, traceparent: undefined, baggage: undefined }, error, undefined)
  } else {
    const invocation = from.executing.get(problem.invocationId)
    if (invocation === undefined) return
    engine.deadlines.clear(invocation)
    finish(invocation, refusals.undecodableResult(invocation.functionId, problem.detail), undefined)
  }
}

/** A connection is over: callers of what it executed are told, what it had called is forgotten. */
export function haltCalls(engine: EngineState, connection: Connection): void {
  for (const invocation of connection.executing.values()) {
    engine.deadlines.clear(invocation)
    if (invocation.caller === connection) remove(invocation)
    else finish(invocation, refusals.INVOCATION_STOPPED, undefined)
  }
  for (let made = connection.firstMade; made !== undefined; made = connection.firstMade) {
    engine.deadlines.clear(made)
    remove(made, true)
    tellCallee(made)
  }
}
