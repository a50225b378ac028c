/**
 * The way of a call: caller's frame → executing worker → answer → caller. This is the hot path; the payload is
 * passed on as text and the frame object that came in is the one that goes out.
 */
import type { FrameProblem, InvokeFrame, ResultFrame } from '../protocol/frames.ts'
import { asJsonText, type JsonText, quote, toJsonText } from '../protocol/jsonText.ts'
import { withCaller } from '../protocol/payload.ts'
import { forwardedBaggage, forwardedTraceparent } from '../protocol/traceContext.ts'
import type { Connection } from './connection.ts'
import { findFunction, namespacesOf } from './directory/functions.ts'
import { answering, DEFAULT_NAMESPACE, type FunctionRecord } from './directory/records.ts'
import * as errors from './errors.ts'
import { enter, findMade, type Invocation, remove } from './invocations.ts'
import { stallIfFull } from './stall.ts'
import type { EngineState } from './state.ts'

const ENQUEUE_FUNCTION = 'engine::queue::enqueue'

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

/** Refuses a call; a caller that wants no answer gets none. */
function refuse(caller: Connection, frame: InvokeFrame, error: JsonText): void {
  if (frame.invocationId === undefined || frame.action === 'void') return
  reply(caller, { ...frame, invocationId: frame.invocationId }, error, undefined)
}

/** The id a call goes to, or the reason why it goes nowhere. */
export function findTarget(engine: EngineState, frame: InvokeFrame): FunctionRecord | undefined {
  return findFunction(engine.directory.functions, frame.namespace, frame.functionId)
}

export function invoke(engine: EngineState, caller: Connection, frame: InvokeFrame): void {
  if (frame.namespace !== undefined && frame.namespace.trim() === '') {
    refuse(caller, frame, toJsonText(errors.blankNamespace('namespace')))
    return
  }
  caller.counters.callsMade++
  if (frame.action === 'enqueue') enqueue(engine, caller, frame)
  else deliver(engine, caller, frame, findTarget(engine, frame), undefined)
}

function notFound(engine: EngineState, caller: Connection, frame: InvokeFrame): JsonText {
  const elsewhere = namespacesOf(engine.directory.functions, frame.functionId)
  const namespace = frame.namespace ?? DEFAULT_NAMESPACE
  return errors.functionNotFound(frame.functionId, namespace, elsewhere, caller.builtIn)
}

/** Finds who executes the call and hands it over. `receiptId`: the caller is to get this receipt as its result. */
function deliver(
  engine: EngineState,
  caller: Connection,
  frame: InvokeFrame,
  target: FunctionRecord | undefined,
  receiptId: string | undefined,
): void {
  const layer = target && answering(target)
  const callee = layer && engine.connections.get(layer.workerId)
  if (layer === undefined || callee === undefined) {
    const error = notFound(engine, caller, frame)
    if (frame.action === 'void') noteLostVoid(engine, caller, frame)
    refuse(caller, frame, receiptId === undefined ? error : noQueue(error))
    return
  }
  if (layer.definition.invocation !== undefined) {
    refuse(caller, frame, errors.httpInvokedUnsupported(frame.functionId))
    return
  }
  if (callee.link.backlog() >= engine.limits.outboundBytes / 2) {
    refuse(caller, frame, errors.workerOverloaded(frame.functionId))
    return
  }
  const wantsAnswer = frame.invocationId !== undefined && frame.action !== 'void'
  if (wantsAnswer && caller.callsInFlight >= engine.limits.callsInFlight && !caller.builtIn) {
    refuse(caller, frame, errors.tooManyCalls(engine.limits.callsInFlight))
    return
  }
  callee.counters.callsExecuted++
  if (wantsAnswer) expectAnswer(engine, caller, callee, frame, receiptId)
  else {
    engine.counters.voidCalls++
    frame.invocationId = engine.voidInvocationId()
  }
  handOver(caller, callee, frame, receiptId !== undefined)
  stallIfFull(engine, callee, caller)
}

function noteLostVoid(engine: EngineState, caller: Connection, frame: InvokeFrame): void {
  engine.log.debug('void call to a function that does not exist dropped', {
    function_id: frame.functionId,
    worker_id: caller.id,
  })
}

/** Enters the call in the table and gives the frame the id its callee will answer with. */
function expectAnswer(
  engine: EngineState,
  caller: Connection,
  callee: Connection,
  frame: InvokeFrame,
  receiptId: string | undefined,
): void {
  engine.counters.calls++
  const callerInvocationId = frame.invocationId!
  // Two callers may choose the same id; the second call then travels under one of ours.
  const calleeInvocationId = callee.executing.has(callerInvocationId)
    ? engine.invocationId()
    : callerInvocationId
  const invocation = enter({
    caller,
    callee,
    callerInvocationId,
    calleeInvocationId,
    functionId: frame.functionId,
    traceparent: frame.traceparent,
    baggage: frame.baggage,
    receiptId,
    startedAtMs: engine.clock.now(),
  })
  frame.invocationId = calleeInvocationId
  const fallback = caller.builtIn ? engine.limits.engineCallTimeoutMs : engine.limits.callAgeMs
  engine.deadlines.set(
    invocation,
    Math.min(frame.timeoutMs ?? fallback, engine.limits.callAgeMs),
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

/** A call that goes through a queue: the provider's function is called, the caller gets a receipt (5.3). */
function enqueue(engine: EngineState, caller: Connection, frame: InvokeFrame): void {
  const receiptId = engine.randomId()
  const traceparent = frame.traceparent && forwardedTraceparent(frame.traceparent)
  const baggage = forwardedBaggage(frame.functionId, '', frame.baggage) ?? ''
  const optional =
    frame.namespace === undefined || frame.namespace === DEFAULT_NAMESPACE
      ? ''
      : `,"namespace":${quote(frame.namespace)}`
  const data = asJsonText(
    `{"queue":${quote(frame.queue ?? '')},"function_id":${quote(frame.functionId)},"data":${frame.data}` +
      `,"messageReceiptId":"${receiptId}","traceparent":${traceparent === undefined ? 'null' : quote(traceparent)}` +
      `,"baggage":${quote(baggage)}${optional}}`,
  )
  const request: InvokeFrame = {
    ...frame,
    invocationId: frame.invocationId ?? engine.invocationId(),
    functionId: ENQUEUE_FUNCTION,
    data,
    namespace: undefined,
    action: 'plain',
    queue: undefined,
    metadata: undefined,
  }
  deliver(
    engine,
    caller,
    request,
    findFunction(engine.directory.functions, undefined, ENQUEUE_FUNCTION),
    receiptId,
  )
}

function noQueue(underlying: JsonText): JsonText {
  const { message } = JSON.parse(underlying) as { message: string }
  return errors.enqueueFailed(`${errors.NO_QUEUE_PROVIDER} (underlying: ${message})`)
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
    const { code, message } = JSON.parse(error) as { code: string; message: string }
    reply(caller, call, errors.enqueueFailed(`${code}: ${message}`), undefined)
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
  remove(invocation)
  frame.invocationId = invocation.callerInvocationId
  frame.functionId = invocation.functionId
  frame.traceparent = invocation.traceparent
  frame.baggage = invocation.baggage
  if (caller.takesSmallMessagesOnly) warnOfSize(engine, caller, frame)
  caller.link.send(frame)
  stallIfFull(engine, caller, callee)
}

function warnOfSize(engine: EngineState, caller: Connection, frame: ResultFrame): void {
  const size = frame.result?.length ?? 0
  if (size <= engine.limits.smallClientMessageBytes) return
  engine.log.warn('a result is larger than its Python client accepts; that client will drop its connection', {
    function_id: frame.functionId,
    bytes: size,
    worker_id: caller.id,
    fix: 'update iii-sdk of that worker to 0.24.5 or later',
  })
}

function countLateResult(engine: EngineState, callee: Connection, invocationId: string): void {
  if (engine.isVoidInvocationId(invocationId)) {
    engine.counters.voidResults++
    return
  }
  engine.counters.lateResults++
  callee.counters.lateResults++
}

/** The deadline of a call has passed: the caller is told, a later answer is only counted. */
export function expire(engine: EngineState, invocation: Invocation): void {
  engine.counters.timeouts++
  finish(invocation, errors.timedOut(engine.clock.now() - invocation.startedAtMs), undefined)
}

/** Calls looked through for the one to cancel; a caller with more in flight waits for the deadline. */
const CANCEL_SEARCH = 8192

/** The caller has given up. */
export function cancel(engine: EngineState, caller: Connection, invocationId: string): void {
  const invocation = findMade(caller, invocationId, CANCEL_SEARCH)
  if (invocation === undefined) return
  engine.deadlines.clear(invocation)
  remove(invocation)
}

/** A message that could not be read. If it was a call or an answer, its caller hears of it (`protocol.md` 2.17). */
export function answerProblem(engine: EngineState, from: Connection, problem: FrameProblem): void {
  if (problem.invocationId === undefined) return
  if (problem.about === 'invokefunction') {
    const call = { invocationId: problem.invocationId, functionId: problem.functionId ?? '' }
    const error = errors.undecodable(problem.functionId, problem.detail)
    reply(from, { ...call, traceparent: undefined, baggage: undefined }, error, undefined)
  } else {
    const invocation = from.executing.get(problem.invocationId)
    if (invocation === undefined) return
    engine.deadlines.clear(invocation)
    finish(invocation, errors.undecodableResult(invocation.functionId, problem.detail), undefined)
  }
}

/** A connection is over: callers of what it executed are told, what it had called is forgotten. */
export function haltCalls(engine: EngineState, connection: Connection): void {
  for (const invocation of connection.executing.values()) {
    engine.deadlines.clear(invocation)
    if (invocation.caller === connection) remove(invocation)
    else finish(invocation, errors.INVOCATION_STOPPED, undefined)
  }
  for (let made = connection.firstMade; made !== undefined; made = connection.firstMade) {
    engine.deadlines.clear(made)
    remove(made)
  }
}
