/**
 * The way of calls and answers between links that speak msgpack: the bytes of a frame are copied from the message that
 * came to the out-buffer of the link it leaves on, with the call id rewritten. Nothing is decoded but the name of the
 * function. Everything out of the ordinary (extras, another framing, a refusal) becomes a frame and goes the way of
 * all frames (`router.ts`), which decides the same.
 */

import { readName } from '../protocol/bytes.ts'
import type { Batch } from '../protocol/link.ts'
import { decodeMsgpack } from '../protocol/msgpack/decode.ts'
import { readCredit } from '../protocol/msgpack/hello.ts'
import { CALL, CODEC_CHECKED, CODEC_JSON, CREDIT, RESULT, SPEAKER } from '../protocol/msgpack/layout.ts'
import { type FrameReader, NO_CALL_ID, nextFrame } from '../protocol/msgpack/reader.ts'
import { findText, found } from '../protocol/msgpack/walk.ts'
import { copyFrame } from '../protocol/msgpack/writeCall.ts'
import { calleeOf } from './calls.ts'
import type { Connection } from './connection.ts'
import { enter, remove } from './invocations.ts'
import { receive, receiveProblem } from './router.ts'
import { stallIfFull } from './stall.ts'
import type { EngineState } from './state.ts'

/**
 * Takes the frames of one message, all unless the connection ends or is held back; then the rest is the link's, from
 * `reader.end` on. A fault in the message itself is left in the reader.
 */
export function receiveBatch(engine: EngineState, connection: Connection, reader: FrameReader): void {
  engine.catchUp?.()
  const now = engine.clock.now()
  connection.speaker = undefined
  while (connection.phase !== 'gone' && connection.stalledBy === 0 && nextFrame(reader)) {
    if (!passOn(engine, connection, reader, now)) receiveOne(engine, connection, reader)
  }
}

function receiveOne(engine: EngineState, connection: Connection, reader: FrameReader): void {
  if (reader.kind === CREDIT) {
    connection.credit += readCredit(reader)
    return
  }
  if (reader.kind === SPEAKER && connection.trunk) {
    connection.speaker = speakerOf(reader)
    return
  }
  const frame = decodeMsgpack(reader, 'kept')
  if (reader.fault !== undefined) return
  if (connection.trunk && frame.type === 'invokefunction') frame.caller = connection.speaker
  if (frame.type === 'problem') receiveProblem(engine, connection, frame)
  else receive(engine, connection, frame)
}

function speakerOf({ bytes, elements, count }: FrameReader): string | undefined {
  return count > 1 && findText(bytes, elements[1]!) ? readName(bytes, found.start, found.end) : undefined
}

/** Passes the current frame on by its bytes. False if that cannot be done, and then nothing has happened. */
function passOn(engine: EngineState, connection: Connection, reader: FrameReader, now: number): boolean {
  if (reader.hasExtras || reader.misfit !== undefined) return false
  if (reader.kind === CALL) return passCall(engine, connection, reader, now)
  if (reader.kind === RESULT) return passResult(engine, connection, reader)
  return false
}

function passCall(engine: EngineState, caller: Connection, reader: FrameReader, now: number): boolean {
  if (
    reader.codec === 0 ||
    caller.phase !== 'resolved' ||
    caller.unanswered > 0 ||
    caller.parked.length > 0
  ) {
    return false
  }
  const functionId = readName(reader.bytes, reader.nameStart, reader.nameEnd)
  const route = functionId === undefined ? undefined : engine.routes.inDefault.get(functionId)
  if (route === undefined || route.httpInvoked) return false
  const callee = calleeOf(engine, route)
  const batch = callee?.link.batch
  if (callee === undefined || batch === undefined || !mayPass(engine, caller, callee)) return false
  caller.counters.received++
  caller.counters.callsMade++
  callee.counters.callsExecuted++
  callee.credit--
  let callId = NO_CALL_ID
  if (reader.callId === NO_CALL_ID) {
    engine.counters.voidCalls++
  } else {
    engine.counters.calls++
    const invocation = enter({
      caller,
      callee,
      callerInvocationId: reader.callId,
      functionId: route.functionId,
      traceparent: undefined,
      baggage: undefined,
      receiptId: undefined,
      startedAtMs: now,
    })
    engine.deadlines.set(invocation, engine.limits.callAgeMs, now)
    callId = invocation.calleeInvocationId as number
  }
  batch.speakFor?.(caller.id)
  copyInto(batch, callee, reader, callId)
  if (callee !== caller) stallIfFull(engine, callee, caller)
  return true
}

/** Whether the general way would hand the call over without a word. */
function mayPass({ limits }: EngineState, caller: Connection, callee: Connection): boolean {
  if (callee.credit <= 0 || callee.link.backlog() >= limits.outboundBytes / 2) return false
  if (caller.trunk) return !callee.takesCaller
  return (callee.trunk || !callee.takesCaller) && caller.callsInFlight < limits.callsInFlight
}

function passResult(engine: EngineState, callee: Connection, reader: FrameReader): boolean {
  const invocation = callee.executing.get(reader.callId)
  if (invocation === undefined || invocation.receiptId !== undefined) return false
  const { caller } = invocation
  const { batch } = caller.link
  if (batch === undefined) return false
  callee.counters.received++
  engine.deadlines.clear(invocation)
  engine.counters.answers++
  remove(invocation)
  copyInto(batch, caller, reader, invocation.callerInvocationId as number)
  stallIfFull(engine, caller, caller)
  return true
}

/** Copies the current frame. What is known to be checked is so only inside this process. */
function copyInto(batch: Batch, to: Connection, reader: FrameReader, callId: number): void {
  const { out } = batch
  copyFrame(reader, out, callId)
  if (reader.codec === CODEC_CHECKED && !to.trunk) {
    out.bytes[out.length - (reader.end - reader.payloadStart) - 1] = CODEC_JSON
  }
  batch.appended()
}
