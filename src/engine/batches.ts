/**
 * The way of calls and answers between links that speak msgpack: the bytes of a frame are copied from the message that
 * came to the out-buffer of the link it leaves on, with the call id rewritten. Nothing is decoded but the name of the
 * function. Everything out of the ordinary (extras, another framing, a refusal) becomes a frame and goes the way of
 * all frames (`router.ts`), which decides the same.
 */

import { readName } from '../protocol/bytes.ts'
import type { Batch } from '../protocol/link.ts'
import { decodeMsgpack } from '../protocol/msgpack/decode.ts'
import { encodeExtras, NO_EXTRAS } from '../protocol/msgpack/extras.ts'
import { readFanOut } from '../protocol/msgpack/fanOut.ts'
import { readCredit } from '../protocol/msgpack/hello.ts'
import {
  CALL,
  CODEC_CHECKED,
  CODEC_JSON,
  CREDIT,
  FAN_OUT,
  HOLD_BACK,
  LET_GO,
  RESULT,
  SPEAKER,
} from '../protocol/msgpack/layout.ts'
import { appendBytes } from '../protocol/msgpack/outBuffer.ts'
import { type FrameReader, NO_CALL_ID, nextFrame } from '../protocol/msgpack/reader.ts'
import { findText, found } from '../protocol/msgpack/walk.ts'
import { copyCall, copyFrame, rewriteCallId } from '../protocol/msgpack/writeCall.ts'
import { fitsInto } from './adapt.ts'
import { calleeOf, isBusy } from './calls.ts'
import type { Connection } from './connection.ts'
import { enterPlain, remove } from './invocations.ts'
import { receive, receiveFanOut, receiveProblem } from './router.ts'
import type { Route, Routes } from './routes.ts'
import { holdBack, letGo, stallIfFull, stallIfUntaken } from './stall.ts'
import type { EngineState } from './state.ts'

/**
 * Takes the frames of one message, all unless the connection ends or is held back; then the rest is the link's, from
 * `reader.end` on. A fault in the message itself is left in the reader. A fault of ours costs one frame: it is logged.
 */
export function receiveBatch(engine: EngineState, connection: Connection, reader: FrameReader): void {
  engine.catchUp?.()
  const now = engine.clock.now()
  connection.speaker = undefined
  for (let taken = -1; taken < reader.frames; ) {
    taken = reader.frames
    try {
      receiveFrames(engine, connection, reader, now)
      return
    } catch (error) {
      const stack = error instanceof Error ? error.stack : error
      engine.log.error('internal error while handling a frame', { worker_id: connection.id, error: stack })
    }
  }
}

function receiveFrames(engine: EngineState, connection: Connection, reader: FrameReader, now: number): void {
  while (connection.phase !== 'gone' && connection.stalledBy === 0 && nextFrame(reader)) {
    if (passOn(engine, connection, reader, now)) continue
    endRun()
    receiveOne(engine, connection, reader)
  }
  endRun()
}

/**
 * Frames that follow each other and leave on the same link are copied together: call ids are rewritten where they lie,
 * in the message that came, and then one copy serves all. A run never outlives the message it is from.
 */
const run = {
  batch: undefined as Batch | undefined,
  bytes: new Uint8Array(0) as Uint8Array,
  start: 0,
  end: 0,
  frames: 0,
  mostFrames: 0,
}

/** Bytes that may be on their way without being part of the link's backlog. */
const MOST_RUN_BYTES = 64 * 1024

function endRun(): void {
  const { batch } = run
  if (batch === undefined) return
  run.batch = undefined
  appendBytes(batch.out, run.bytes, run.start, run.end)
  batch.appended(run.frames)
}

function receiveOne(engine: EngineState, connection: Connection, reader: FrameReader): void {
  if (reader.kind === CREDIT) {
    connection.credit += readCredit(reader)
    return
  }
  if (connection.trunk && receiveOfThread(engine, connection, reader)) return
  const frame = decodeMsgpack(reader, 'kept')
  if (reader.fault !== undefined) return
  if (connection.trunk && frame.type === 'invokefunction') frame.caller = connection.speaker
  if (frame.type === 'problem') receiveProblem(engine, connection, frame)
  else receive(engine, connection, frame)
}

/** Frames that only threads send each other. False: it is none of them. */
function receiveOfThread(engine: EngineState, trunk: Connection, reader: FrameReader): boolean {
  switch (reader.kind) {
    case SPEAKER:
      trunk.speaker = workerIdOf(reader)
      return true
    case FAN_OUT: {
      // It is the engine's own; whose calls come goes on to hold behind it.
      const { speaker } = trunk
      trunk.speaker = undefined
      receiveFanOut(engine, trunk, readFanOut(reader))
      trunk.speaker = speaker
      return true
    }
    case HOLD_BACK:
      holdBack(engine, trunk, workerIdOf(reader) ?? '')
      return true
    case LET_GO:
      letGo(trunk, workerIdOf(reader) ?? '')
      return true
  }
  return false
}

function workerIdOf({ bytes, elements, count }: FrameReader): string | undefined {
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
  const route = routeOf(engine.routes, reader)
  if (route === undefined || route.httpInvoked) return false
  const callee = calleeOf(engine, route)
  const batch = callee?.link.batch
  if (callee === undefined || batch === undefined || !mayPass(engine, caller, callee)) return false
  if (!fitsInto(callee, reader.payloadEnd - reader.payloadStart)) return false
  caller.counters.received++
  caller.counters.callsMade++
  callee.counters.callsExecuted++
  callee.credit--
  let callId = NO_CALL_ID
  if (reader.callId === NO_CALL_ID) {
    if (!caller.trunk) engine.counters.voidCalls++
  } else {
    if (!caller.trunk) engine.counters.calls++
    const invocation = enterPlain(caller, callee, reader.callId, route.functionId, now)
    engine.deadlines.set(invocation, engine.limits.callAgeMs, now)
    callId = invocation.calleeInvocationId as number
  }
  if (batch.speakFor !== undefined) {
    // It may append a frame of its own, which belongs behind those of the run.
    if (run.batch !== batch) endRun()
    batch.speakFor(caller.id)
  }
  if (callee.takesCaller && !callee.trunk) copyWithCaller(batch, caller, reader, callId)
  else copyInto(batch, callee, reader, callId)
  if (callee !== caller) stallIfFull(engine, callee, caller)
  return true
}

/** The route found last: most calls of a message are for the same function. */
const lastFound = {
  routes: undefined as Routes | undefined,
  version: 0,
  name: new Uint8Array(128),
  length: 0,
  route: undefined as Route | undefined,
}

function routeOf(routes: Routes, { bytes, nameStart, nameEnd }: FrameReader): Route | undefined {
  const { name } = lastFound
  const length = nameEnd - nameStart
  if (lastFound.routes === routes && lastFound.version === routes.version && lastFound.length === length) {
    let same = 0
    while (same < length && name[same] === bytes[nameStart + same]) same++
    if (same === length) return lastFound.route
  }
  const functionId = readName(bytes, nameStart, nameEnd)
  const route = functionId === undefined ? undefined : routes.inDefault.get(functionId)
  if (length > name.length) return route
  lastFound.routes = routes
  lastFound.version = routes.version
  lastFound.length = length
  for (let at = 0; at < length; at++) name[at] = bytes[nameStart + at]!
  lastFound.route = route
  return route
}

/** Whether the general way would hand the call over without a word. */
function mayPass({ limits, draining }: EngineState, caller: Connection, callee: Connection): boolean {
  if (draining) return false
  if (callee.credit <= 0 || isBusy(callee) || callee.link.backlog() >= limits.overloadedBytes) return false
  return caller.trunk ? !callee.takesCaller : caller.callsInFlight < limits.callsInFlight
}

function passResult(engine: EngineState, callee: Connection, reader: FrameReader): boolean {
  const invocation = callee.executing.get(reader.callId)
  if (invocation === undefined || invocation.receiptId !== undefined) return false
  const { caller } = invocation
  const { batch } = caller.link
  if (batch === undefined || !fitsInto(caller, reader.payloadEnd - reader.payloadStart)) return false
  callee.counters.received++
  engine.deadlines.clear(invocation)
  if (!caller.trunk) engine.counters.answers++
  const callId = invocation.callerInvocationId as number
  remove(invocation)
  copyInto(batch, caller, reader, callId)
  stallIfUntaken(engine, caller, callee)
  return true
}

/** Copies the current call and says who makes it. */
function copyWithCaller(batch: Batch, caller: Connection, reader: FrameReader, callId: number): void {
  endRun()
  caller.callerExtras ??= encodeExtras({ ...NO_EXTRAS, caller: caller.id })
  copyCall(reader, batch.out, callId, caller.callerExtras)
  batch.appended()
}

/** Copies the current frame, or leaves it to the run. What is known to be checked is so only inside this process. */
function copyInto(batch: Batch, to: Connection, reader: FrameReader, callId: number): void {
  if (reader.codec === CODEC_CHECKED && !to.trunk) reader.bytes[reader.payloadStart - 1] = CODEC_JSON
  const { start, end } = reader
  if (rewriteCallId(reader, callId)) {
    if (batch === run.batch && run.end === start && run.frames < run.mostFrames) {
      if (end - run.start <= MOST_RUN_BYTES) {
        run.end = end
        run.frames++
        return
      }
    }
    endRun()
    run.batch = batch
    run.bytes = reader.bytes
    run.start = start
    run.end = end
    run.frames = 1
    run.mostFrames = batch.mostAtOnce ?? 1
  } else {
    endRun()
    copyFrame(reader, batch.out, callId)
    batch.appended()
  }
}
