/**
 * The way of a call: caller's frame → executing worker → answer → caller. This is the hot path; the payload is
 * passed on as text and the frame object that came in is the one that goes out.
 */

import { isMilestone, shortened } from '../log/notices.ts'
import { blankNamespace } from '../protocol/errors.ts'
import type { ErrorBody, FrameProblem, InvokeFrame, ResultFrame } from '../protocol/frames.ts'
import { type JsonText, toJsonText } from '../protocol/jsonText.ts'
import { withCaller } from '../protocol/payload.ts'
import { forwardedBaggage, forwardedTraceparent } from '../protocol/traceContext.ts'
import type { Connection } from './connection.ts'
import { findFunction, namespacesOf } from './directory/functions.ts'
import { answering, DEFAULT_NAMESPACE, type FunctionLayer, type FunctionRecord } from './directory/records.ts'
import { enqueueFailure, enqueueRequest, noQueueProvider } from './enqueue.ts'
import { enter, findMade, type Invocation, remove } from './invocations.ts'
import * as refusals from './refusals.ts'
import { stallIfFull } from './stall.ts'
import { type EngineState, warnAbout, workerName } from './state.ts'

/** Sends an answer to whoever made a call. */
export function reply(
  to: Connection,
  call: {
    invocationId: string
    functionId: string
    traceparent: string | undefined
    baggage: string | undefined
  },
  error: JsonText | undefined,
  result: JsonText | undefined,
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
  engine.log.warn('a call that wants no answer was dropped', {
    function_id: shortened(asked.functionId),
    worker_id: caller.id,
    worker_name: workerName(engine, caller),
    reason: (JSON.parse(error) as ErrorBody).code,
    count,
  })
}

/** What a call names; `undefined`: nobody has registered it. */
export function findTarget(engine: EngineState, frame: InvokeFrame): FunctionRecord | undefined {
  return findFunction(engine.directory.functions, frame.namespace, frame.functionId)
}

export function invoke(engine: EngineState, caller: Connection, frame: InvokeFrame): void {
  if (frame.namespace !== undefined && frame.namespace.trim() === '') {
    refuse(engine, caller, frame, toJsonText(blankNamespace('namespace')))
    return
  }
  caller.counters.callsMade++
  if (frame.action === 'enqueue') {
    const receiptId = engine.randomId()
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
  const elsewhere = namespacesOf(engine.directory.functions, frame.functionId)
  const namespace = frame.namespace ?? DEFAULT_NAMESPACE
  return refusals.functionNotFound(frame.functionId, namespace, elsewhere, engineMade || caller.builtIn)
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
  const target = findTarget(engine, frame)
  const layer = target && answering(target)
  const callee = layer && engine.connections.get(layer.workerId)
  if (layer === undefined || callee === undefined) {
    const error = notFound(engine, caller, frame, receiptId !== undefined)
    refuse(engine, caller, asked, receiptId === undefined ? error : noQueueProvider(error))
    return
  }
  const obstacle = obstacleTo(engine, caller, callee, layer, asked)
  if (obstacle !== undefined) {
    refuse(engine, caller, asked, receiptId === undefined ? obstacle : enqueueFailure(obstacle))
    return
  }
  callee.counters.callsExecuted++
  if (wantsAnswer(asked)) {
    expectAnswer(engine, caller, callee, asked, frame, receiptId)
  } else {
    engine.counters.voidCalls++
    frame.invocationId = engine.voidInvocationId()
  }
  handOver(caller, callee, frame, receiptId !== undefined)
  if (callee !== caller) stallIfFull(engine, callee, caller)
}

/** Why a call that has a target cannot be handed over now. */
function obstacleTo(
  engine: EngineState,
  caller: Connection,
  callee: Connection,
  layer: FunctionLayer,
  asked: InvokeFrame,
): JsonText | undefined {
  if (engine.draining && isNewWork(caller, asked)) return refusals.ENGINE_STOPPING
  if (layer.definition.invocation !== undefined) return refusals.httpInvokedUnsupported(asked.functionId)
  if (callee.link.backlog() >= engine.limits.overloadedBytes) {
    return refusals.workerOverloaded(asked.functionId)
  }
  if (caller.builtIn && isTooLarge(engine, asked.data)) {
    return refusals.payloadTooLarge(`The input of function ${asked.functionId}`, engine.limits.messageBytes)
  }
  const atLimit = caller.callsInFlight >= engine.limits.callsInFlight && !caller.builtIn
  return atLimit && wantsAnswer(asked) ? refusals.tooManyCalls(engine.limits.callsInFlight) : undefined
}

/**
 * Whether a call begins something of its own, while the engine only finishes what has begun. A worker that executes a call
 * may need others for it; built-ins take nothing new in by themselves; void calls hold nothing up.
 */
function isNewWork(caller: Connection, asked: InvokeFrame): boolean {
  return !caller.builtIn && caller.executing.size === 0 && wantsAnswer(asked)
}

/** Characters of a message that are not its payload: names of fields, ids, trace context. */
const ENVELOPE = 64 * 1024

/**
 * Whether a payload does not fit into a message. Asked about what built-in workers write: what comes over a socket has
 * fitted into a message already. Whoever got a larger one would drop its connection.
 */
function isTooLarge({ limits }: EngineState, payload: JsonText): boolean {
  const most = limits.messageBytes - ENVELOPE
  // A character takes three bytes at most: the bytes of a small text need not be counted.
  return payload.length * 3 > most && Buffer.byteLength(payload) > most
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
  engine.counters.calls++
  const callerInvocationId = asked.invocationId!
  // Two callers may choose the same id; the second call then travels under one of ours.
  let calleeInvocationId = callerInvocationId
  while (callee.executing.has(calleeInvocationId)) calleeInvocationId = engine.invocationId()
  const invocation = enter({
    caller,
    callee,
    callerInvocationId,
    calleeInvocationId,
    functionId: asked.functionId,
    traceparent: asked.traceparent,
    baggage: asked.baggage,
    receiptId,
    startedAtMs: engine.clock.now(),
  })
  frame.invocationId = calleeInvocationId
  const fallback = caller.builtIn ? engine.limits.callTimeoutMs : engine.limits.callAgeMs
  engine.deadlines.set(
    invocation,
    Math.min(asked.timeoutMs ?? fallback, engine.limits.callAgeMs),
    invocation.startedAtMs,
  )
}

/** Turns the caller's frame into the one the executing worker gets (`protocol.md` 2.10, 5.5). */
function handOver(caller: Connection, callee: Connection, frame: InvokeFrame, engineMade: boolean): void {
  if (!caller.builtIn && !engineMade) frame.data = withCaller(frame.data, caller.callerSuffix)
  if (frame.traceparent !== undefined || frame.baggage !== undefined) {
    frame.baggage = forwardedBaggage(frame.functionId, frame.traceparent, frame.baggage)
    if (frame.traceparent !== undefined) frame.traceparent = forwardedTraceparent(frame.traceparent)
  }
  frame.namespace = undefined
  frame.action = 'plain'
  frame.queue = undefined
  frame.timeoutMs = undefined
  callee.link.send(frame)
}

/** The answer as its caller gets it; an `enqueue` call gets its receipt instead of the provider's own result. */
function finish(invocation: Invocation, error: JsonText | undefined, result: JsonText | undefined): void {
  remove(invocation)
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
  engine.counters.answers++
  const { caller } = invocation
  if (invocation.receiptId !== undefined) {
    finish(invocation, frame.error, frame.result)
    return
  }
  if (callee.builtIn && frame.result !== undefined && isTooLarge(engine, frame.result)) {
    const error = refusals.resultTooLarge(invocation.functionId, engine.limits.messageBytes)
    finish(invocation, error, undefined)
    return
  }
  remove(invocation)
  frame.invocationId = invocation.callerInvocationId
  frame.functionId = invocation.functionId
  frame.traceparent = invocation.traceparent
  frame.baggage = invocation.baggage
  if (caller.takesSmallMessagesOnly) warnOfSize(engine, caller, frame)
  caller.link.send(frame)
  stallIfFull(engine, caller, caller)
}

function warnOfSize(engine: EngineState, caller: Connection, frame: ResultFrame): void {
  const { result = '' } = frame
  const limit = engine.limits.smallClientMessageBytes
  // A character takes three bytes at most: the bytes of a small text need not be counted.
  const bytes = result.length * 3 <= limit ? 0 : Buffer.byteLength(result)
  if (bytes <= limit) return
  const said = 'a result is larger than its Python client accepts; that client will drop its connection'
  const fix = 'update iii-sdk of that worker to 0.24.5 or later'
  warnAbout(engine, caller, 'large result', said, { function_id: frame.functionId, bytes, fix })
}

function countLateResult(engine: EngineState, callee: Connection, invocationId: string): void {
  if (engine.isVoidInvocationId(invocationId)) {
    engine.counters.voidResults++
    return
  }
  engine.counters.lateResults++
  const count = ++callee.counters.lateResults
  if (!isMilestone(count)) return
  engine.log.warn('an answer was dropped: this connection has no such call to answer, or not any more', {
    worker_id: callee.id,
    worker_name: workerName(engine, callee),
    invocation_id: invocationId,
    count,
  })
}

/** The deadline of a call has passed: the caller is told, a later answer is only counted. */
export function expire(engine: EngineState, invocation: Invocation): void {
  engine.counters.timeouts++
  const waitedMs = Math.round(engine.clock.now() - invocation.startedAtMs)
  finish(invocation, refusals.timedOut(waitedMs), undefined)
}

/** The caller has given up. */
export function cancel(engine: EngineState, caller: Connection, invocationId: string): void {
  const invocation = findMade(caller, invocationId, engine.limits.cancelSearch)
  if (invocation === undefined) return
  engine.deadlines.clear(invocation)
  remove(invocation)
}

/** A message that could not be read. If it was a call or an answer, its caller hears of it (`protocol.md` 2.17). */
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
    remove(made)
  }
}
