/**
 * The calls in flight.
 *
 * An invocation stands in two places: in the table of the connection that executes it, by the id it was sent with
 * (so only that connection can answer it), and in the list of the connection that made it (so that it can be freed
 * when the caller goes). Both are left by pointer writes; nothing is ever searched.
 */
import type { DeadlineNode } from '../clock/deadlines.ts'
import type { CallId } from '../protocol/frames.ts'
import type { Connection } from './connection.ts'

export interface Invocation extends DeadlineNode {
  readonly caller: Connection
  readonly callee: Connection
  /** The id as the caller gave it. */
  readonly callerInvocationId: CallId
  /** The id the callee knows; its table gives it. */
  calleeInvocationId: CallId
  /** As the caller wrote it; goes into the answer. */
  readonly functionId: string
  /** The caller's own headers, echoed in the answer. */
  traceparent: string | undefined
  baggage: string | undefined
  /** Set for an `enqueue` call: the answer is this receipt. */
  receiptId: string | undefined
  readonly startedAtMs: number
  previousOfCaller: Invocation | undefined
  nextOfCaller: Invocation | undefined
}

export type NewInvocation = Omit<
  Invocation,
  'calleeInvocationId' | 'previousOfCaller' | 'nextOfCaller' | keyof DeadlineNode
>

/** Enters a call; before the frame is written, or a very fast answer is lost. */
export function enter(call: NewInvocation): Invocation {
  const { caller, callee, callerInvocationId, functionId, startedAtMs } = call
  const invocation = create(caller, callee, callerInvocationId, functionId, startedAtMs)
  invocation.traceparent = call.traceparent
  invocation.baggage = call.baggage
  invocation.receiptId = call.receiptId
  link(invocation)
  return invocation
}

function create(
  caller: Connection,
  callee: Connection,
  callerInvocationId: CallId,
  functionId: string,
  startedAtMs: number,
): Invocation {
  return {
    caller,
    callee,
    callerInvocationId,
    calleeInvocationId: callerInvocationId,
    functionId,
    traceparent: undefined,
    baggage: undefined,
    receiptId: undefined,
    startedAtMs,
    previousOfCaller: undefined,
    nextOfCaller: undefined,
    deadline: 0,
    earlier: undefined,
    later: undefined,
  }
}

/** Enters a call without headers and receipt. */
export function enterPlain(
  caller: Connection,
  callee: Connection,
  callerInvocationId: number,
  functionId: string,
  startedAtMs: number,
): Invocation {
  const invocation = create(caller, callee, callerInvocationId, functionId, startedAtMs)
  link(invocation)
  return invocation
}

function link(invocation: Invocation): void {
  const { caller, callee, callerInvocationId } = invocation
  // First, for a table that is full throws.
  callee.executing.enter(invocation)
  caller.madeBySlot?.set(callerInvocationId, invocation)
  const next = caller.firstMade
  invocation.nextOfCaller = next
  if (next !== undefined) next.previousOfCaller = invocation
  caller.firstMade = invocation
  caller.callsInFlight++
}

/** Takes a call out of both places; `unanswered`: its answer may still come. */
export function remove(invocation: Invocation, unanswered = false): void {
  const { caller, callee, previousOfCaller, nextOfCaller } = invocation
  callee.executing.remove(invocation, unanswered)
  caller.madeBySlot?.remove(invocation.callerInvocationId, invocation)
  if (previousOfCaller === undefined) caller.firstMade = nextOfCaller
  else previousOfCaller.nextOfCaller = nextOfCaller
  if (nextOfCaller !== undefined) nextOfCaller.previousOfCaller = previousOfCaller
  caller.callsInFlight--
}

/** The call a connection made under an id. Where it has to be searched, newest first, `most` calls are looked at. */
export function findMade(
  caller: Connection,
  callerInvocationId: CallId,
  most: number,
): Invocation | undefined {
  if (caller.madeBySlot !== undefined) return caller.madeBySlot.get(callerInvocationId)
  let made = caller.firstMade
  for (let looked = 0; made !== undefined && looked < most; looked++) {
    if (made.callerInvocationId === callerInvocationId) return made
    made = made.nextOfCaller
  }
  return undefined
}
