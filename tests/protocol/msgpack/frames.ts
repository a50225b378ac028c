/** Frames of every type with arbitrary content, as fast-check makes them. */
import fc from 'fast-check'
import type { Frame } from '../../../src/protocol/frames.ts'
import { asJsonText, type JsonText } from '../../../src/protocol/jsonText.ts'
import { FIRST_CALL_ID } from '../../../src/protocol/msgpack/writeCall.ts'
import { type Message, messages } from '../messages.ts'

/** Texts of all lengths at which the head changes. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }).map(string => string.toWellFormed()),
  fc.constantFrom(31, 32, 64, 65, 255, 256, 65_535, 65_536).map(length => 'x'.repeat(length)),
)

export const json: fc.Arbitrary<JsonText> = fc
  .oneof(
    fc.json({ maxDepth: 4 }).filter(json => json.isWellFormed()),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }).map(String),
    fc.constantFrom(1, 13, 14, 250, 254, 300, 65_533, 65_534).map(length => `"${'y'.repeat(length)}"`),
  )
  .map(asJsonText)

const errorBody = fc.record({ code: text, message: text })

/** Canonical: the shortest form of the id is the one we write. */
export const callId = fc.integer({ min: FIRST_CALL_ID, max: 0xffffffff })

/** What fits in the place of a field's example. */
function contentOf(
  { type }: Message,
  field: { frame: string; value: unknown; need: string },
): fc.Arbitrary<unknown> {
  if (field.frame === 'error')
    return type === 'invocationresult' ? errorBody.map(body => JSON.stringify(body)) : errorBody
  if (field.frame === 'invocation') return text.map(url => JSON.stringify({ url }))
  if (field.frame === 'timeoutMs')
    return fc.oneof(fc.integer({ min: 1 }), fc.double({ min: 0.5, noNaN: true, max: 1e9 }))
  if (field.frame === 'code')
    return fc.constantFrom('WORKER_NAMESPACE_CONFLICT', 'FUNCTION_NAMESPACE_CONFLICT')
  return String(field.value).startsWith('{') ? json : text
}

/** Fields that msgpack frames leave out: the caller knows them by its call id. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  invocationresult: ['functionId', 'traceparent', 'baggage'],
}

function frameOf(message: Message): fc.Arbitrary<Frame> {
  const fields: Record<string, fc.Arbitrary<unknown>> = {}
  for (const field of message.fields) {
    if (['invocationId', 'action'].includes(field.frame)) continue
    if (LEFT_OUT[message.type]?.includes(field.frame)) fields[field.frame] = fc.constant(field.empty)
    else if (field.need === 'required') fields[field.frame] = contentOf(message, field)
    else fields[field.frame] = fc.oneof(fc.constant(field.empty), contentOf(message, field))
  }
  return fc.record(fields).map(frame => ({ ...frame, type: message.type }) as unknown as Frame)
}

export interface NumberedFrame {
  frame: Frame
  callId: number
}

/** A frame of a call, as its links see it: what contradicts itself does not occur. */
function numbered(frame: Frame, id: number, way: number): NumberedFrame {
  if (frame.type === 'invokefunction') {
    frame.action = (['plain', 'void', 'enqueue'] as const)[way]!
    frame.queue = way === 2 ? 'q' : undefined
    frame.invocationId = way === 1 ? undefined : id
  } else if (frame.type === 'invocationresult') {
    frame.invocationId = id
    if (frame.error !== undefined) frame.result = undefined
  } else if (frame.type === 'cancelinvocation') {
    frame.invocationId = id
  } else if (frame.type === 'error') {
    frame.error ??= { code: 'UNKNOWN', message: '' }
  }
  return { frame, callId: id }
}

export const anyFrame: fc.Arbitrary<NumberedFrame> = fc
  .tuple(fc.oneof(...messages.map(frameOf)), callId, fc.nat(2))
  .map(([frame, id, way]) => numbered({ ...frame }, id, way))
