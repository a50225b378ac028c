/**
 * Walks a message frame by frame. Nothing is decoded and nothing allocated: the reader says where the elements of
 * the current frame lie, and of calls and answers also what routing needs.
 *
 *     openMessage ──▶ nextFrame: true ──▶ … ──▶ nextFrame: false ──▶ fault? the message is broken : it is over
 */
import { limits } from '../limits.ts'
import type { Fault } from './faults.ts'
import { CALL, CANCEL, CODEC_JSON, CODEC_RAW, type Codec, FAILURE, RESULT } from './layout.ts'
import { readUsual } from './usualForm.ts'
import {
  findExt,
  findMap,
  findText,
  found,
  INVALID,
  NIL,
  skipValue,
  smallUnsigned,
  TRUNCATED,
  unsignedAt,
} from './walk.ts'

/** Elements of one frame that are looked at; further ones are passed over. */
const ELEMENTS = 16

/** Instead of a call id: the caller wants no answer. */
export const NO_CALL_ID = -1

export interface FrameReader {
  bytes: Uint8Array
  /** The current frame. */
  start: number
  end: number
  kind: number
  /** How many elements it has, the kind counted, and where each begins. */
  count: number
  readonly elements: Int32Array
  /** Of calls, answers and cancels: the call id, 0 to 2^32 − 1, or `NO_CALL_ID`. */
  callId: number
  /** Of calls: where the function id lies. */
  nameStart: number
  nameEnd: number
  /** Of calls and answers: there are extras. */
  hasExtras: boolean
  /** Of calls and answers: what the payload is written in and where it lies. 0: there is none. */
  codec: Codec | 0
  payloadStart: number
  payloadEnd: number
  /** What does not fit in a well-formed call, answer or cancel: the name of the field and what it must be. */
  misfit: { readonly field: string; readonly expected: string } | undefined
  /** Highest payload codec the sender may use. */
  readonly codecs: Codec
  /** The message is broken here; no further frame. */
  fault: Fault | undefined
  /** No further frame for now: whoever reads was asked to wait. */
  halted: boolean
  /** End of the message, and frames so far. */
  to: number
  frames: number
}

const NO_BYTES = new Uint8Array(0)

export function createFrameReader(codecs: Codec = CODEC_RAW): FrameReader {
  return {
    bytes: NO_BYTES,
    start: 0,
    end: 0,
    kind: 0,
    count: 0,
    elements: new Int32Array(ELEMENTS),
    callId: NO_CALL_ID,
    nameStart: 0,
    nameEnd: 0,
    hasExtras: false,
    codec: 0,
    payloadStart: 0,
    payloadEnd: 0,
    misfit: undefined,
    codecs,
    fault: undefined,
    halted: false,
    to: 0,
    frames: 0,
  }
}

/** Begins with the message `bytes[from..to)`, which must not change until it is read. */
export function openMessage(reader: FrameReader, bytes: Uint8Array, from: number, to: number): void {
  reader.bytes = bytes
  reader.start = from
  reader.end = from
  reader.to = to
  reader.frames = 0
  reader.fault = undefined
}

function breakOff(reader: FrameReader, reason: Fault['reason'], detail: string): false {
  reader.fault = { reason, detail: `${detail} (byte ${reader.end} of the message)` }
  return false
}

/** Goes to the next frame. False at the end of the message, when it is broken, or when the reader is halted. */
export function nextFrame(reader: FrameReader): boolean {
  const { bytes, to } = reader
  const start = reader.end
  if (start >= to || reader.halted || reader.fault !== undefined) return false
  reader.start = start
  if (++reader.frames > limits.framesPerMessage) {
    return breakOff(reader, 'too_many_frames', `a message holds at most ${limits.framesPerMessage} frames`)
  }
  return readUsual(reader, bytes, start, to) || readGeneral(reader, start)
}

/** The general way: any form of a frame. */
function readGeneral(reader: FrameReader, start: number): boolean {
  const { bytes, to, elements } = reader
  const lead = bytes[start]!
  const width = lead === 0xdc ? 2 : lead === 0xdd ? 4 : 0
  if (width === 0 && (lead & 0xf0) !== 0x90) {
    return lead === 0xc1
      ? broken(reader, INVALID)
      : breakOff(reader, 'not_a_frame', 'a frame must be an array')
  }
  if (start + 1 + width > to) return broken(reader, TRUNCATED)
  const count = width === 0 ? lead & 15 : unsignedAt(bytes, start + 1, width)
  let at = start + 1 + width
  for (let index = 0; index < count; index++) {
    if (index < ELEMENTS) elements[index] = at
    at = skipValue(bytes, at, to)
    if (at < 0) return broken(reader, at)
  }
  if (count === 0) return breakOff(reader, 'not_a_frame', 'a frame must not be empty')
  reader.kind = smallUnsigned(bytes, elements[0]!)
  if (reader.kind < 0) return breakOff(reader, 'not_a_frame', 'the kind of a frame must be an integer')
  reader.count = Math.min(count, ELEMENTS)
  reader.end = at
  reader.misfit = undefined
  return reader.kind < CALL || reader.kind > CANCEL || readHead(reader)
}

function broken(reader: FrameReader, verdict: number): false {
  return verdict === INVALID
    ? breakOff(reader, 'invalid_byte', '0xc1 begins no value')
    : breakOff(reader, 'truncated', 'the message ends within a frame')
}

const MISFITS = {
  callId: { field: 'call_id', expected: 'an integer from 0 to 4294967295' },
  functionId: { field: 'function_id', expected: 'a text' },
  extras: { field: 'extras', expected: 'a map or nil' },
  payload: { field: 'payload', expected: 'an ext' },
} as const

/** Reads what all frames of calls have in front of their payload. False: the message is broken. */
function readHead(reader: FrameReader): boolean {
  const { bytes, elements, kind, count } = reader
  reader.callId = NO_CALL_ID
  reader.nameStart = 0
  reader.nameEnd = 0
  reader.hasExtras = false
  reader.codec = 0
  const idAt = elements[1]!
  if (count > 1 && bytes[idAt] !== NIL) {
    reader.callId = smallUnsigned(bytes, idAt)
    if (reader.callId < 0) reader.misfit = MISFITS.callId
  } else if (kind !== CALL) {
    reader.misfit = MISFITS.callId
  }
  if (kind === CANCEL) return true
  let index = 2
  if (kind === CALL) {
    if (count > 2 && findText(bytes, elements[2]!)) {
      reader.nameStart = found.start
      reader.nameEnd = found.end
    } else {
      reader.misfit = MISFITS.functionId
    }
    index = 3
  }
  if (count > index && bytes[elements[index]!] !== NIL) {
    reader.hasExtras = true
    if (!findMap(bytes, elements[index]!)) reader.misfit = MISFITS.extras
  }
  return readPayload(reader, index + 1)
}

function readPayload(reader: FrameReader, index: number): boolean {
  const { bytes, elements, kind, count } = reader
  if (count <= index || bytes[elements[index]!] === NIL) {
    if (kind === FAILURE) reader.misfit = MISFITS.payload
    return true
  }
  if (!findExt(bytes, elements[index]!)) {
    reader.misfit = MISFITS.payload
    return true
  }
  if (!takesCodec(reader, found.type)) {
    return breakOff(reader, 'unknown_codec', `ext type ${found.type} is no payload codec`)
  }
  reader.codec = found.type
  reader.payloadStart = found.start
  reader.payloadEnd = found.end
  return true
}

/** Whether the sender of the message may use a payload codec. */
export const takesCodec = (reader: FrameReader, type: number): type is Codec =>
  type >= CODEC_JSON && type <= reader.codecs

/** Whether the current frame is an answer to a call. */
export const isAnswer = (reader: FrameReader): boolean => reader.kind === RESULT || reader.kind === FAILURE
