/** Payloads on their way between the msgpack framing, which keeps their codec, and frames, which hold JSON text. */
import { readCheckedText, readText } from '../bytes.ts'
import { FieldProblem } from '../fieldProblem.ts'
import type { Payload } from '../frames.ts'
import { sendableFault } from '../json/scan.ts'
import { asJsonText, type JsonText } from '../jsonText.ts'
import { CODEC_CHECKED, CODEC_JSON, CODEC_MSGPACK, type Codec } from './layout.ts'
import { msgpackToJson, rawToJson } from './toJson.ts'

/** A payload that is passed on as it came: the content of an ext. */
export interface BytesPayload {
  readonly codec: Codec
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

const FAULTS = {
  invalid_json: { reason: 'invalid_json', detail: 'the payload is not valid JSON' },
  too_deep: { reason: 'too_deep', detail: 'the payload is nested too deeply' },
  not_sendable: {
    reason: 'untranslatable',
    detail: 'the payload holds half of a surrogate pair or a number beyond the range of a double',
  },
} as const

/**
 * The payload in `bytes[start..end)` as JSON text that every receiver can read: checked if it is JSON, translated
 * otherwise. Throws a `FieldProblem`.
 */
export function payloadToJson(codec: Codec, bytes: Uint8Array, start: number, end: number): JsonText {
  if (codec === CODEC_MSGPACK) return msgpackToJson(bytes, start, end)
  if (codec !== CODEC_JSON && codec !== CODEC_CHECKED) return rawToJson(bytes, start, end)
  if (codec === CODEC_CHECKED) return asJsonText(readCheckedText(bytes, start, end))
  const text = readText(bytes, start, end)
  if (text === undefined) throw new FieldProblem('not_utf8', 'the payload is not UTF-8')
  const fault = sendableFault(text, 1)
  if (fault !== undefined) throw new FieldProblem(FAULTS[fault].reason, FAULTS[fault].detail)
  return asJsonText(text)
}

/** A payload as JSON text. Throws a `FieldProblem` if it has no such form. */
export function jsonOf(payload: Payload): JsonText {
  return typeof payload === 'string'
    ? payload
    : payloadToJson(payload.codec, payload.bytes, payload.start, payload.end)
}

/** Characters or bytes. */
export function payloadSize(payload: Payload): number {
  return typeof payload === 'string' ? payload.length : payload.end - payload.start
}
