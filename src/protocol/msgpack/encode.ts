/** Frame → msgpack, appended to the buffer of a link. Payloads of a frame are JSON text and stay it. */
import type { ErrorBody, Frame, InvokeFrame, ResultFrame } from '../frames.ts'
import { type JsonText, toJsonText } from '../jsonText.ts'
import { NO_EXTRAS, writeExtras } from './extras.ts'
import { CODEC_JSON, FAILURE, type FieldForm, type ListedType, layouts, RESULT } from './layout.ts'
import type { OutBuffer } from './outBuffer.ts'
import { NO_CALL_ID } from './reader.ts'
import { writeAnswerHead, writeCallHead, writeCancel } from './writeCall.ts'
import { writeArrayHead, writeExtText, writeInteger, writeNil, writeText } from './writeValue.ts'

function writePayload(out: OutBuffer, payload: JsonText | undefined): void {
  if (payload === undefined) writeNil(out)
  else writeExtText(out, CODEC_JSON, payload)
}

/** `caller`: worker id of whoever calls, for a worker that asked to be told. */
function encodeCall(out: OutBuffer, frame: InvokeFrame, callId: number, caller: string | undefined): void {
  const wantsAnswer = frame.invocationId !== undefined && frame.action !== 'void'
  writeCallHead(out, wantsAnswer ? callId : NO_CALL_ID, frame.functionId)
  const { namespace, timeoutMs, traceparent, baggage, metadata } = frame
  const queue = frame.action === 'enqueue' ? (frame.queue ?? '') : undefined
  writeExtras(out, { ...NO_EXTRAS, namespace, queue, timeoutMs, traceparent, baggage, metadata, caller })
  writePayload(out, frame.data)
}

/** Function id and trace context are the caller's own; it knows them by the call id. */
function encodeAnswer(out: OutBuffer, frame: ResultFrame, callId: number): void {
  writeAnswerHead(out, frame.error === undefined ? RESULT : FAILURE, callId)
  writePayload(out, frame.error ?? frame.result)
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
      writePayload(out, value as JsonText | undefined)
      return
    case 'error?':
      writePayload(out, value === undefined ? undefined : toJsonText(value as ErrorBody))
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

/**
 * Appends one frame. `callId` is the number that stands for `invocationId` on this connection; for frames without
 * one it is not looked at. `caller`: see above.
 */
export function encodeMsgpack(out: OutBuffer, frame: Frame, callId: number, caller?: string): void {
  switch (frame.type) {
    case 'invokefunction':
      encodeCall(out, frame, callId, caller)
      return
    case 'invocationresult':
      encodeAnswer(out, frame, callId)
      return
    case 'cancelinvocation':
      writeCancel(out, callId)
      return
    default:
      encodeListed(out, frame)
  }
}
