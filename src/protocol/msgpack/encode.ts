/** Frame → msgpack, appended to the buffer of a link. Payloads stay what they are. */
import type { CallId, ErrorBody, Frame, InvokeFrame, Payload, ResultFrame } from '../frames.ts'
import { type JsonText, toJsonText } from '../jsonText.ts'
import { NO_EXTRAS, writeExtras } from './extras.ts'
import {
  type CODEC_CHECKED,
  CODEC_JSON,
  FAILURE,
  type FieldForm,
  type ListedType,
  layouts,
  RESULT,
} from './layout.ts'
import type { OutBuffer } from './outBuffer.ts'
import { NO_CALL_ID } from './reader.ts'
import { writeAnswerHead, writeCallHead, writeCancel } from './writeCall.ts'
import { writeArrayHead, writeExt, writeExtText, writeInteger, writeNil, writeText } from './writeValue.ts'

type JsonCodec = typeof CODEC_JSON | typeof CODEC_CHECKED

function writePayload(out: OutBuffer, payload: Payload | undefined, jsonCodec: JsonCodec): void {
  if (payload === undefined) writeNil(out)
  else if (typeof payload === 'string') writeExtText(out, jsonCodec, payload)
  else writeExt(out, payload.codec, payload.bytes, payload.start, payload.end)
}

/** Links that speak msgpack number their calls. */
const numberOf = (id: CallId): number => id as number

function encodeCall(out: OutBuffer, frame: InvokeFrame, jsonCodec: JsonCodec): void {
  const { invocationId, namespace, timeoutMs, traceparent, baggage, metadata, caller } = frame
  const wantsAnswer = invocationId !== undefined && frame.action !== 'void'
  writeCallHead(out, wantsAnswer ? numberOf(invocationId) : NO_CALL_ID, frame.functionId)
  const queue = frame.action === 'enqueue' ? (frame.queue ?? '') : undefined
  writeExtras(out, { ...NO_EXTRAS, namespace, queue, timeoutMs, traceparent, baggage, metadata, caller })
  writePayload(out, frame.data, jsonCodec)
}

/** Function id and trace context are the caller's own; it knows them by the call id. */
function encodeAnswer(out: OutBuffer, frame: ResultFrame, jsonCodec: JsonCodec): void {
  writeAnswerHead(out, frame.error === undefined ? RESULT : FAILURE, numberOf(frame.invocationId))
  writePayload(out, frame.error ?? frame.result, jsonCodec)
}

function writeField(out: OutBuffer, form: FieldForm, value: unknown): void {
  switch (form) {
    case 'text':
    case 'text?':
    case 'text=':
      if (value === undefined) writeNil(out)
      else writeText(out, value as string)
      return
    case 'payload':
    case 'payload?':
      writePayload(out, value as JsonText | undefined, CODEC_JSON)
      return
    case 'error?':
      writePayload(out, value === undefined ? undefined : toJsonText(value as ErrorBody), CODEC_JSON)
  }
}

function encodeListed(out: OutBuffer, frame: Extract<Frame, { type: ListedType }>): void {
  const { kind, fields } = layouts[frame.type]
  writeArrayHead(out, fields.length + 1)
  writeInteger(out, kind)
  for (const [name, form] of fields) {
    writeField(out, form, (frame as unknown as Record<string, unknown>)[name])
  }
}

/** Appends one frame. `jsonCodec`: what JSON text in the payload of a call or an answer is marked as. */
export function encodeMsgpack(out: OutBuffer, frame: Frame, jsonCodec: JsonCodec = CODEC_JSON): void {
  switch (frame.type) {
    case 'invokefunction':
      encodeCall(out, frame, jsonCodec)
      return
    case 'invocationresult':
      encodeAnswer(out, frame, jsonCodec)
      return
    case 'cancelinvocation':
      writeCancel(out, numberOf(frame.invocationId))
      return
    default:
      encodeListed(out, frame)
  }
}
