/**
 * Frames of calls, written by hand: they are the hot path.
 *
 * A call id is always written in 5 bytes, so that it can be rewritten in place; the smallest id a sender should use is
 * `FIRST_CALL_ID`, from which on 5 bytes are the shortest form. Readers take ids in any form.
 */
import { copyBytes } from '../bytes.ts'
import { CALL, CANCEL, type FAILURE, type RESULT } from './layout.ts'
import { appendBytes, type OutBuffer, reserve } from './outBuffer.ts'
import type { BytesPayload } from './payload.ts'
import { type FrameReader, NO_CALL_ID } from './reader.ts'
import { writeExt, writeNil, writeText } from './writeValue.ts'

/** Ids below this have a shorter form. */
export const FIRST_CALL_ID = 0x10000

const NIL = 0xc0
const UINT32 = 0xce
const ID_BYTES = 5

function putCallId(bytes: Uint8Array, at: number, callId: number): number {
  if (callId === NO_CALL_ID) {
    bytes[at] = NIL
    return at + 1
  }
  bytes[at] = UINT32
  bytes[at + 1] = callId >>> 24
  bytes[at + 2] = callId >>> 16
  bytes[at + 3] = callId >>> 8
  bytes[at + 4] = callId
  return at + ID_BYTES
}

/** Head of a frame with `count` elements, of which the kind and the call id are written. */
function writeHead(out: OutBuffer, count: number, kind: number, callId: number): void {
  reserve(out, 2 + ID_BYTES)
  const { bytes } = out
  const at = out.length
  bytes[at] = 0x90 | count
  bytes[at + 1] = kind
  out.length = putCallId(bytes, at + 2, callId)
}

/** `extras`: an encoded map (`extras.ts`), or `undefined`. */
function appendExtras(out: OutBuffer, extras: Uint8Array | undefined): void {
  if (extras === undefined) writeNil(out)
  else appendBytes(out, extras, 0, extras.length)
}

function writePayload(out: OutBuffer, payload: BytesPayload | undefined): void {
  if (payload === undefined) writeNil(out)
  else writeExt(out, payload.codec, payload.bytes, payload.start, payload.end)
}

/** A call up to its function id; extras and payload must follow. `callId`: `NO_CALL_ID` if no answer is wanted. */
export function writeCallHead(out: OutBuffer, callId: number, functionId: string): void {
  writeHead(out, 5, CALL, callId)
  writeText(out, functionId)
}

export function writeCall(
  out: OutBuffer,
  callId: number,
  functionId: string,
  extras: Uint8Array | undefined,
  payload: BytesPayload | undefined,
): void {
  writeCallHead(out, callId, functionId)
  appendExtras(out, extras)
  writePayload(out, payload)
}

/** An answer up to its payload, which must follow. `kind` is RESULT or FAILURE. */
export function writeAnswerHead(out: OutBuffer, kind: typeof RESULT | typeof FAILURE, callId: number): void {
  writeHead(out, 4, kind, callId)
  writeNil(out)
}

/** Without payload: the function returned nothing. */
export function writeAnswer(
  out: OutBuffer,
  kind: typeof RESULT | typeof FAILURE,
  callId: number,
  payload: BytesPayload | undefined,
): void {
  writeAnswerHead(out, kind, callId)
  writePayload(out, payload)
}

export function writeCancel(out: OutBuffer, callId: number): void {
  writeHead(out, 2, CANCEL, callId)
}

/**
 * Appends the reader's current frame, a call, an answer or a cancel, under another call id: what routing a frame
 * amounts to. One copy of the bytes when the id has its usual form.
 */
export function copyFrame(reader: FrameReader, out: OutBuffer, callId: number): void {
  const { bytes, start, end, elements } = reader
  const idAt = elements[1]!
  reserve(out, end - start + ID_BYTES)
  const { bytes: target, length } = out
  if (bytes[idAt] === UINT32 && callId !== NO_CALL_ID) {
    copyBytes(bytes, start, end, target, length)
    putCallId(target, length + idAt - start, callId)
    out.length = length + end - start
    return
  }
  const idEnd = reader.count > 2 ? elements[2]! : end
  copyBytes(bytes, start, idAt, target, length)
  const at = putCallId(target, length + idAt - start, callId)
  copyBytes(bytes, idEnd, end, target, at)
  out.length = at + end - idEnd
}

/** Rewrites the call id of the reader's current frame where it lies. False if it has not its usual form. */
export function rewriteCallId({ bytes, elements }: FrameReader, callId: number): boolean {
  const at = elements[1]!
  if (bytes[at] !== UINT32 || callId === NO_CALL_ID) return false
  putCallId(bytes, at, callId)
  return true
}

/** Appends the reader's current call under another call id and with other extras. */
export function copyCall(
  reader: FrameReader,
  out: OutBuffer,
  callId: number,
  extras: Uint8Array | undefined,
): void {
  const { bytes, elements, end, count } = reader
  writeHead(out, 5, CALL, callId)
  appendBytes(out, bytes, elements[2]!, count > 3 ? elements[3]! : end)
  appendExtras(out, extras)
  if (count > 4) appendBytes(out, bytes, elements[4]!, count > 5 ? elements[5]! : end)
  else writePayload(out, undefined)
}
