import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Frame } from '../../../src/protocol/frames.ts'
import { encodeMsgpack } from '../../../src/protocol/msgpack/encode.ts'
import { layouts, wireName } from '../../../src/protocol/msgpack/layout.ts'
import { holds } from '../../support/fuzz.ts'
import { messages } from '../messages.ts'
import { anyFrame, type NumberedFrame } from './frames.ts'
import { packable, packr, toHex, walk, written } from './support.ts'

const encoded = (frames: NumberedFrame[]): Uint8Array =>
  written(out => {
    for (const { frame } of frames) encodeMsgpack(out, frame)
  })

test('every frame comes back as it was, however many share a message', () => {
  holds(
    [fc.array(anyFrame, { minLength: 1, maxLength: 8 })],
    frames => {
      expect(walk(encoded(frames))).toEqual({ frames: frames.map(({ frame }) => frame), fault: undefined })
    },
    4,
  )
})

/** The frame as msgpackr would be given it, made from the tables and not by our writer. */
function asValue({ frame, callId }: NumberedFrame): unknown[] {
  const payload = (json: unknown): unknown => (json === undefined ? null : { json })
  if (frame.type === 'invokefunction') {
    const { namespace, queue, traceparent, baggage, timeoutMs: timeout_ms } = frame
    const metadata = frame.metadata === undefined ? undefined : payload(frame.metadata)
    const extras = Object.entries({ namespace, queue, traceparent, baggage, timeout_ms, metadata })
    const present = Object.fromEntries(extras.filter(([, value]) => value !== undefined))
    const id = frame.invocationId === undefined ? null : callId
    return [1, id, frame.functionId, Object.keys(present).length === 0 ? null : present, payload(frame.data)]
  }
  if (frame.type === 'invocationresult') {
    const failed = frame.error !== undefined
    return [failed ? 3 : 2, callId, null, payload(failed ? frame.error : frame.result)]
  }
  if (frame.type === 'cancelinvocation') return [4, callId]
  return listedValue(frame)
}

function listedValue(
  frame: Exclude<Frame, { type: 'invokefunction' | 'invocationresult' | 'cancelinvocation' }>,
): unknown[] {
  const { kind, fields } = layouts[frame.type]
  const values = fields.map(([name, form]) => {
    const value = (frame as unknown as Record<string, unknown>)[name]
    if (value === undefined) return null
    if (form === 'error?') return { json: JSON.stringify(value) }
    return form.startsWith('payload') ? { json: value } : value
  })
  return [kind, ...values]
}

test('every frame is byte for byte what msgpackr writes', () => {
  holds(
    [anyFrame],
    numbered => {
      // msgpackr keeps no integers beyond 32 bits in a number; the only such field is a time.
      fc.pre(!('timeoutMs' in numbered.frame) || (numbered.frame.timeoutMs ?? 0) < 2 ** 32)
      expect(toHex(encoded([numbered]))).toBe(toHex(packr.pack(packable(asValue(numbered)))))
    },
    4,
  )
})

test('the layouts have the fields of the JSON framing', () => {
  for (const [type, { fields }] of Object.entries(layouts)) {
    const message = messages.find(message => message.type === type)
    expect([type, fields.map(([name]) => wireName(name)).sort()]).toEqual([
      type,
      message!.fields.map(({ wire }) => wire).sort(),
    ])
    for (const [name, form] of fields) {
      const need = message!.fields.find(({ frame }) => frame === name)!.need
      const expected = {
        text: 'required',
        'text?': 'optional',
        'text=': 'lenient',
        payload: 'lenient',
        'payload?': 'optional',
        'error?': 'optional',
      }
      expect(`${type}.${name} is ${expected[form]}`).toBe(`${type}.${name} is ${need}`)
    }
  }
})

test('kinds differ', () => {
  const kinds = Object.values(layouts).map(({ kind }) => kind)
  expect(new Set(kinds).size).toBe(kinds.length)
  expect(Math.min(...kinds)).toBeGreaterThan(5)
})
