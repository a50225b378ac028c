/**
 * Values of a program on their way into and out of frames. They leave as JSON text in both framings: `JSON.stringify`
 * is made by the runtime, and workers of either framing read it as it is. Over msgpack, bytes leave as bytes.
 */
import { readText } from '../../../src/protocol/bytes.ts'
import { FieldProblem } from '../../../src/protocol/fieldProblem.ts'
import type { InvokeFrame, Payload } from '../../../src/protocol/frames.ts'
import { fromJsonText, type JsonText, toJsonText } from '../../../src/protocol/jsonText.ts'
import { CODEC_JSON, CODEC_RAW } from '../../../src/protocol/msgpack/layout.ts'
import { jsonOf } from '../../../src/protocol/msgpack/payload.ts'
import {
  CALLER_KEY,
  callerSuffix,
  withCaller,
  withoutCaller,
  withoutForgedCaller,
} from '../../../src/protocol/payload.ts'

export type FramingName = 'json' | 'msgpack'

/** Throws what `JSON.stringify` throws. Bytes are copied: the caller may use its buffer again. */
export function payloadOf(value: unknown, framing: FramingName): Payload {
  return framing === 'msgpack' && value instanceof Uint8Array
    ? { codec: CODEC_RAW, bytes: value.slice(), start: 0, end: value.length }
    : toJsonText(value)
}

/** Bytes as `Uint8Array`; anything else as JSON has it. Throws a `FieldProblem` if there is no such value. */
export function readPayload(payload: Payload): unknown {
  if (typeof payload === 'string') return fromJsonText(payload)
  const { codec, bytes, start, end } = payload
  if (codec === CODEC_RAW) return bytes.slice(start, end)
  if (codec !== CODEC_JSON) return fromJsonText(jsonOf(payload))
  const text = readText(bytes, start, end)
  if (text === undefined) throw new FieldProblem('not_utf8', 'the payload is not UTF-8')
  try {
    return JSON.parse(text)
  } catch {
    throw new FieldProblem('invalid_json', 'the payload is not valid JSON')
  }
}

/** What a handler gets. Over msgpack, and within the engine, the caller is named beside the input, not in it. */
export function inputOf({ data, caller }: InvokeFrame, framing: FramingName): unknown {
  const value = readPayload(data)
  if (framing === 'json' && caller === undefined) return value
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  if (value instanceof Uint8Array) return value
  const input = value as Record<string, unknown>
  // What the caller wrote there itself is a forgery.
  if (caller !== undefined) input[CALLER_KEY] = caller
  else if (Object.hasOwn(input, CALLER_KEY)) delete input[CALLER_KEY]
  return input
}

/**
 * The same as text. Throws a `FieldProblem` if the payload has no such form. Built-in workers get what the caller wrote: who
 * that was is not in it.
 */
export function rawInputOf({ data, caller }: InvokeFrame, framing: FramingName): JsonText {
  const text = jsonOf(data)
  if (framing === 'json') return caller === undefined ? text : withoutForgedCaller(text)
  if (caller !== undefined) return withCaller(text, callerSuffix(caller))
  return text.startsWith('{') ? withoutCaller(text) : text
}
