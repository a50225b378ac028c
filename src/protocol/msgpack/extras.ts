/**
 * The extras of a call: what few calls have, as a map in front of the payload. Names are those of the JSON framing.
 *
 *     { namespace, queue, timeout_ms, traceparent, baggage, metadata, caller }
 *
 * Members that are not known are ignored.
 */
import { readName, readText } from '../bytes.ts'
import { FieldProblem } from '../fieldProblem.ts'
import type { JsonText } from '../jsonText.ts'
import { CODEC_JSON, isCodec } from './layout.ts'
import { createOutBuffer, type OutBuffer } from './outBuffer.ts'
import { payloadToJson } from './payload.ts'
import type { FrameReader } from './reader.ts'
import { anyNumber, findExt, findMap, findText, found, NIL, skipValue } from './walk.ts'
import { writeExtText, writeFloat, writeInteger, writeNil, writeText } from './writeValue.ts'

export interface CallExtras {
  namespace: string | undefined
  /** The call goes through this queue. */
  queue: string | undefined
  /** Milliseconds the caller waits. */
  timeoutMs: number | undefined
  traceparent: string | undefined
  baggage: string | undefined
  metadata: JsonText | undefined
  /** Worker id of the caller; only from the engine. */
  caller: string | undefined
}

export const NO_EXTRAS: Readonly<CallExtras> = {
  namespace: undefined,
  queue: undefined,
  timeoutMs: undefined,
  traceparent: undefined,
  baggage: undefined,
  metadata: undefined,
  caller: undefined,
}

const TEXTS = ['namespace', 'queue', 'traceparent', 'baggage', 'caller'] as const

/** Appends the map, or nil when there is nothing to say. */
export function writeExtras(out: OutBuffer, extras: Readonly<CallExtras>): void {
  const head = out.length
  writeNil(out)
  let count = 0
  for (const name of TEXTS) {
    const text = extras[name]
    if (text === undefined) continue
    writeText(out, name)
    writeText(out, text)
    count++
  }
  if (extras.timeoutMs !== undefined) {
    writeText(out, 'timeout_ms')
    if (Number.isSafeInteger(extras.timeoutMs)) writeInteger(out, extras.timeoutMs)
    else writeFloat(out, extras.timeoutMs)
    count++
  }
  if (extras.metadata !== undefined) {
    writeText(out, 'metadata')
    writeExtText(out, CODEC_JSON, extras.metadata)
    count++
  }
  if (count > 0) out.bytes[head] = 0x80 | count
}

/** The same as bytes of their own, for extras that many calls share. */
export function encodeExtras(extras: Readonly<CallExtras>): Uint8Array {
  const out = createOutBuffer()
  writeExtras(out, extras)
  return out.bytes.slice(0, out.length)
}

/** Reads the extras of the reader's current call. Throws a `FieldProblem`. */
export function readExtras(reader: FrameReader): CallExtras {
  const extras: CallExtras = { ...NO_EXTRAS }
  if (!reader.hasExtras) return extras
  const { bytes, end } = reader
  findMap(bytes, reader.elements[3]!)
  let at = found.start
  for (let { count } = found; count > 0; count--) {
    const key = findText(bytes, at) ? readName(bytes, found.start, found.end) : undefined
    if (key === undefined) throw new FieldProblem('wrong_type', 'a key of the extras is not a text')
    const valueAt = skipValue(bytes, at, end)
    if (bytes[valueAt] !== NIL) readExtra(extras, key, bytes, valueAt)
    at = skipValue(bytes, valueAt, end)
  }
  return extras
}

function readExtra(extras: CallExtras, key: string, bytes: Uint8Array, at: number): void {
  switch (key) {
    case 'namespace':
    case 'queue':
    case 'traceparent':
    case 'baggage':
    case 'caller':
      checkOnce(key, extras[key])
      extras[key] = textAt(key, bytes, at)
      return
    case 'timeout_ms':
      checkOnce(key, extras.timeoutMs)
      extras.timeoutMs = millisecondsAt(bytes, at)
      return
    case 'metadata':
      checkOnce(key, extras.metadata)
      if (!findExt(bytes, at) || !isCodec(found.type)) throw wrongType(key, 'an ext that is a payload')
      extras.metadata = payloadToJson(found.type, bytes, found.start, found.end)
  }
}

function checkOnce(key: string, value: unknown): void {
  if (value !== undefined) throw new FieldProblem('duplicate_field', `field "${key}" occurs twice`)
}

function wrongType(key: string, expected: string): FieldProblem {
  return new FieldProblem('wrong_type', `field "${key}" must be ${expected}`)
}

function textAt(key: string, bytes: Uint8Array, at: number): string {
  if (!findText(bytes, at)) throw wrongType(key, 'a text')
  const text = readText(bytes, found.start, found.end)
  if (text === undefined) throw new FieldProblem('not_utf8', `field "${key}" is not UTF-8`)
  return text
}

/** As in the JSON framing, a number that makes no sense as a time counts as none. */
function millisecondsAt(bytes: Uint8Array, at: number): number | undefined {
  const milliseconds = anyNumber(bytes, at)
  return Number.isFinite(milliseconds) && milliseconds > 0 ? milliseconds : undefined
}
