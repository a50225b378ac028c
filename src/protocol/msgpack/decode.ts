/** The reader's current frame → `Frame`: for everything that is not just passed on. */
import { readName, readText } from '../bytes.ts'
import { asObject, readableError } from '../errorBody.ts'
import { FieldProblem } from '../fieldProblem.ts'
import type { CallAction, Frame, FrameProblem, Payload } from '../frames.ts'
import { fromJsonText, JSON_NULL, type JsonText } from '../jsonText.ts'
import { readExtras } from './extras.ts'
import {
  CALL,
  CANCEL,
  CODEC_CHECKED,
  FAILURE,
  type FieldForm,
  type ListedType,
  layouts,
  RESULT,
  wireName,
} from './layout.ts'
import { payloadToJson } from './payload.ts'
import { type FrameReader, NO_CALL_ID, takesCodec } from './reader.ts'
import { findExt, findText, found, NIL } from './walk.ts'

const typesByKind = new Map<number, ListedType>(
  Object.entries(layouts).map(([type, { kind }]) => [kind, type as ListedType]),
)

/** What becomes of the payloads of calls and answers: JSON text, or kept as they are for whoever receives them. */
export type Payloads = 'json' | 'kept'

function functionIdOf(reader: FrameReader): string {
  const id = readName(reader.bytes, reader.nameStart, reader.nameEnd)
  if (id === undefined) throw new FieldProblem('not_utf8', 'field "function_id" is not UTF-8')
  return id
}

function payloadOf({ codec, bytes, payloadStart, payloadEnd }: FrameReader): JsonText | undefined {
  return codec === 0 ? undefined : payloadToJson(codec, bytes, payloadStart, payloadEnd)
}

/** Payloads of calls as they came, unless they are JSON already; of their own memory. */
function keptPayloadOf(reader: FrameReader): Payload | undefined {
  const { codec, bytes, payloadStart, payloadEnd } = reader
  if (codec === 0 || codec === CODEC_CHECKED) return payloadOf(reader)
  return { codec, bytes: bytes.slice(payloadStart, payloadEnd), start: 0, end: payloadEnd - payloadStart }
}

function readCall(reader: FrameReader, payloads: Payloads): Frame {
  const { namespace, queue, timeoutMs, traceparent, baggage, metadata, caller } = readExtras(reader)
  const wantsAnswer = reader.callId !== NO_CALL_ID
  const action: CallAction = queue !== undefined ? 'enqueue' : wantsAnswer ? 'plain' : 'void'
  return {
    type: 'invokefunction',
    invocationId: wantsAnswer ? reader.callId : undefined,
    functionId: functionIdOf(reader),
    data: (payloads === 'kept' ? keptPayloadOf(reader) : payloadOf(reader)) ?? JSON_NULL,
    namespace,
    action,
    queue,
    metadata,
    traceparent,
    baggage,
    timeoutMs,
    caller,
  }
}

function readAnswer(reader: FrameReader, payloads: Payloads): Frame {
  const isFailure = reader.kind === FAILURE
  return {
    type: 'invocationresult',
    invocationId: reader.callId,
    functionId: '',
    result: isFailure ? undefined : payloads === 'kept' ? keptPayloadOf(reader) : payloadOf(reader),
    error: isFailure ? readableError(payloadOf(reader) ?? JSON_NULL) : undefined,
    traceparent: undefined,
    baggage: undefined,
  }
}

function readField(reader: FrameReader, index: number, name: string, form: FieldForm): unknown {
  const { bytes, elements, count } = reader
  const at = elements[index]!
  if (index >= count || bytes[at] === NIL) {
    if (form === 'text') throw new FieldProblem('missing_field', `field "${wireName(name)}" is missing`)
    return form === 'text=' ? '' : form === 'payload' ? JSON_NULL : undefined
  }
  if (form.startsWith('text')) {
    if (!findText(bytes, at)) throw wrongType(name, 'a text')
    const text = readText(bytes, found.start, found.end)
    if (text === undefined) throw new FieldProblem('not_utf8', `field "${wireName(name)}" is not UTF-8`)
    return text
  }
  if (!findExt(bytes, at)) throw wrongType(name, 'an ext that is a payload')
  if (!takesCodec(reader, found.type)) {
    const detail = `ext type ${found.type} is no payload codec`
    reader.fault = { reason: 'unknown_codec', detail }
    throw new FieldProblem('wrong_type', detail)
  }
  const payload = payloadToJson(found.type, bytes, found.start, found.end)
  return form === 'error?' ? fromJsonText(readableError(payload)) : payload
}

function wrongType(name: string, expected: string): FieldProblem {
  return new FieldProblem('wrong_type', `field "${wireName(name)}" must be ${expected}`)
}

function readListed(reader: FrameReader, type: ListedType): Frame {
  const frame: Record<string, unknown> = { type }
  layouts[type].fields.forEach(([name, form], index) => {
    frame[name] = readField(reader, index + 1, name, form)
  })
  return completed(frame as unknown as Frame)
}

/** What the layout does not say of single fields; the rules of the JSON framing. */
function completed(frame: Frame): Frame {
  switch (frame.type) {
    case 'registerfunction': {
      const { invocation } = frame
      if (invocation !== undefined && typeof asObject(fromJsonText(invocation))?.url !== 'string') {
        throw wrongType('invocation', 'an object with a string "url"')
      }
      return frame
    }
    case 'registrationrejected':
      if (frame.code !== 'WORKER_NAMESPACE_CONFLICT') frame.code = 'FUNCTION_NAMESPACE_CONFLICT'
      return frame
    case 'error':
      frame.error ??= { code: 'UNKNOWN', message: '' }
      return frame
    default:
      return frame
  }
}

/**
 * Decodes the current frame. A frame that is well-formed and says something impossible, or whose payload has no form
 * in JSON, comes back as a problem. It may turn out that the message is broken: then `reader.fault` is set as well.
 */
export function decodeMsgpack(reader: FrameReader, payloads: Payloads): Frame | FrameProblem {
  try {
    if (reader.kind >= CALL && reader.kind <= CANCEL) return readOfCall(reader, payloads)
    const type = typesByKind.get(reader.kind)
    if (type === undefined) throw new FieldProblem('unknown_type', `kind ${reader.kind} is unknown`)
    return readListed(reader, type)
  } catch (problem) {
    if (problem instanceof FieldProblem) return problemWith(problem, reader)
    throw problem
  }
}

function readOfCall(reader: FrameReader, payloads: Payloads): Frame {
  const { misfit, kind } = reader
  if (misfit !== undefined) {
    throw new FieldProblem('wrong_type', `field "${misfit.field}" must be ${misfit.expected}`)
  }
  if (kind === CALL) return readCall(reader, payloads)
  if (kind === CANCEL) return { type: 'cancelinvocation', invocationId: reader.callId }
  return readAnswer(reader, payloads)
}

/** Finds out which call or answer a frame that does not fit belongs to. */
function problemWith(problem: FieldProblem, reader: FrameReader): FrameProblem {
  const { kind, callId, nameStart, nameEnd } = reader
  const isCall = kind === CALL
  const isAnswer = kind === RESULT || kind === FAILURE
  return {
    type: 'problem',
    reason: problem.reason,
    detail: problem.detail,
    about: isCall ? 'invokefunction' : isAnswer ? 'invocationresult' : undefined,
    invocationId: (isCall || isAnswer) && callId >= 0 ? callId : undefined,
    functionId: isCall && nameEnd > nameStart ? readName(reader.bytes, nameStart, nameEnd) : undefined,
  }
}
