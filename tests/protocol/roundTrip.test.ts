import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Frame } from '../../src/protocol/frames.ts'
import { decodeJson } from '../../src/protocol/json/decode.ts'
import { encodeJson } from '../../src/protocol/json/encode.ts'
import { fromJsonText, quote, toJsonText } from '../../src/protocol/jsonText.ts'
import { holds } from '../support/fuzz.ts'
import { type Field, frameOf, type Message, messages } from './messages.ts'

const anyText = fc.string({ unit: 'binary' }).map(text => text.toWellFormed())
const anyJson = fc.json({ maxDepth: 4 }).map(text => text.toWellFormed())
const anyError = fc.record({ code: anyText, message: anyText }).map(error => JSON.stringify(error))

/** Any value the field may have in a frame. */
function anyValue({ wire, frame, value }: Field, type: string): fc.Arbitrary<unknown> {
  if (frame === 'invocationId') return fc.uuid()
  if (frame === 'timeoutMs') return fc.integer({ min: 1 })
  if (frame === 'code') return fc.constantFrom('WORKER_NAMESPACE_CONFLICT', 'FUNCTION_NAMESPACE_CONFLICT')
  if (frame === 'action') return fc.constantFrom('plain', 'void')
  if (frame === 'error')
    return type === 'invocationresult' ? anyError : anyError.map(text => JSON.parse(text))
  if (frame === 'invocation') return anyText.map(url => JSON.stringify({ url }))
  // A payload that is absent and one that is `null` are the same for optional fields.
  if (typeof value === 'string' && value.startsWith('{'))
    return anyJson.filter(text => text.trim() !== 'null').map(text => text.trim())
  return wire === '' ? fc.constant(undefined) : anyText
}

function anyFrame(message: Message): fc.Arbitrary<Frame> {
  const fields = message.fields.map(field => {
    const value = anyValue(field, message.type)
    const isNeeded = field.need === 'required' || message.type === 'error'
    return [field.frame, isNeeded ? value : fc.oneof(fc.constant(field.empty), value)] as const
  })
  return fc.record(Object.fromEntries(fields)).map(values => {
    const frame: Record<string, unknown> = { type: message.type, ...message.fixed, ...values }
    // An error wins: a result beside it is not sent.
    if (message.type === 'invocationresult' && frame.error !== undefined) frame.result = undefined
    return frame as unknown as Frame
  })
}

describe.each(messages.map(message => [message.type, message] as const))('%s', (type, message) => {
  test('that is written and read again is the same', () => {
    holds([anyFrame(message)], frame => {
      const text = encodeJson(frame)
      expect(decodeJson(text), text).toEqual(frame)
    })
  })

  test('is written with its type first, with every required field, and without what is not set', () => {
    const frame = frameOf(message, field => field.need === 'required' || type === 'error') as unknown as Frame
    const text = encodeJson(frame)
    expect(text).toStartWith(`{"type":"${type}"`)
    const needed = message.fields
      .filter(({ need }) => need === 'required' || need === 'lenient')
      .map(({ wire }) => wire)
    const written = Object.keys(JSON.parse(text) as object)
    expect(written).toEqual(expect.arrayContaining(needed))
    const optional = message.fields.filter(({ need }) => need === 'optional').map(({ wire }) => wire)
    if (type !== 'error') expect(written.filter(name => optional.includes(name))).toEqual([])
  })
})

test('an enqueue call keeps the name of its queue', () => {
  holds([anyText], queue => {
    const frame = { ...frameOf(messages[0]!), action: 'enqueue', queue } as unknown as Frame
    expect(decodeJson(encodeJson(frame))).toEqual(frame)
  })
})

describe('JSON text', () => {
  test('of a string is what JSON.stringify writes', () => {
    holds([fc.string({ unit: 'binary' })], text => expect(quote(text)).toBe(toJsonText(text)))
    for (let code = 0; code < 0x10000; code++) {
      const text = `a${String.fromCharCode(code)}b`
      if (quote(text) !== JSON.stringify(text)) throw new Error(`U+${code.toString(16)} is written wrongly`)
    }
  })

  test('of what JSON cannot say is null', () => {
    for (const value of [undefined, () => 1, Symbol('x'), Number.NaN, null])
      expect(toJsonText(value)).toBe(toJsonText(null))
  })

  test('reads as the value it was made from', () => {
    holds([fc.jsonValue()], value =>
      expect(fromJsonText(toJsonText(value))).toEqual(JSON.parse(JSON.stringify(value))),
    )
  })
})
