/** The vectors that other implementations are tested with hold for ours, and for msgpackr. */
import { describe, expect, test } from 'bun:test'
import type { Frame } from '../../../src/protocol/frames.ts'
import { encodeMsgpack } from '../../../src/protocol/msgpack/encode.ts'
import { jsonToMsgpack } from '../../../src/protocol/msgpack/fromJson.ts'
import { type Hello, readHello, writeHello } from '../../../src/protocol/msgpack/hello.ts'
import { msgpackToJson } from '../../../src/protocol/msgpack/toJson.ts'
import faults from '../../vectors/msgpack/faults.json'
import frames from '../../vectors/msgpack/frames.json'
import hellos from '../../vectors/msgpack/hello.json'
import lenient from '../../vectors/msgpack/lenient.json'
import payloads from '../../vectors/msgpack/payloads.json'
import problems from '../../vectors/msgpack/problems.json'
import { exactPackr, fromHex, packable, packr, readerOn, toHex, walk, written } from './support.ts'

interface FrameVector {
  name: string
  hex: string
  value: unknown[]
  callId?: number
  frame: object
}

const frameVectors = frames as FrameVector[]
const lenientVectors = lenient as FrameVector[]

/** The frame of a vector, with its invocation id. */
function frameOf({ frame, callId }: FrameVector): Frame {
  return { ...frame, ...(callId === undefined ? {} : { invocationId: callId }) } as Frame
}

const named = <Vector extends { name: string }>(vectors: Vector[]): [string, Vector][] =>
  vectors.map(vector => [vector.name, vector])

describe('a frame', () => {
  test.each(named(frameVectors))('is written and read: %s', (_, vector) => {
    const bytes = written(out => encodeMsgpack(out, frameOf(vector)))
    expect(toHex(bytes)).toBe(vector.hex)
    expect(walk(fromHex(vector.hex))).toEqual({ frames: [frameOf(vector)], fault: undefined })
  })

  test.each(named([...frameVectors, ...hellos]))('is the same to msgpackr: %s', (_, { hex, value }) => {
    expect(toHex(packr.pack(packable(value)))).toBe(hex)
    expect(packr.unpack(fromHex(hex))).toEqual(packable(value))
  })

  test.each(named(lenientVectors))('is read in forms we do not write: %s', (_, vector) => {
    expect(walk(fromHex(vector.hex))).toEqual({ frames: [frameOf(vector)], fault: undefined })
    expect(packr.unpack(fromHex(vector.hex))).toEqual(packable(vector.value))
  })

  test('is one of several in a message', () => {
    const hex = [...frameVectors, ...lenientVectors].map(vector => vector.hex).join('')
    expect(walk(fromHex(hex))).toEqual({
      frames: [...frameVectors, ...lenientVectors].map(frameOf),
      fault: undefined,
    })
  })

  test.each(named(problems))('that does not fit is dropped, and the next one is read: %s', (_, vector) => {
    const { hex, reason, about, callId } = vector
    const { frames: read, fault } = walk(fromHex(`${hex}9106`))
    expect(fault).toBeUndefined()
    expect(read).toEqual([
      expect.objectContaining({
        type: 'problem',
        reason,
        about: about ?? undefined,
        invocationId: callId === null ? undefined : callId,
        detail: expect.stringMatching(/\w{3}/),
      }),
      { type: 'ping' },
    ])
  })

  test.each(named(faults))('that breaks its message ends it: %s', (_, vector) => {
    const { frames: read, fault } = walk(fromHex(vector.hex))
    expect(fault?.reason).toBe(vector.reason as never)
    expect(read).toHaveLength(vector.frames)
  })
})

describe('hello', () => {
  test.each(named(hellos))('is written and read: %s', (_, { hex, hello }) => {
    expect(toHex(written(out => writeHello(out, hello as Hello)))).toBe(hex)
    expect(readHello(readerOn(fromHex(hex)))).toEqual(hello as Hello)
  })
})

const toJson = (hex: string): string => msgpackToJson(fromHex(hex), 0, hex.length / 2)
const toMsgpack = (json: string): string => toHex(written(out => jsonToMsgpack(json, out)))

describe('a payload', () => {
  test.each(named(payloads.both))('is the same in JSON and in msgpack: %s', (_, { json, msgpack }) => {
    expect(toJson(msgpack)).toBe(json)
    expect(toMsgpack(json)).toBe(msgpack)
  })

  test.each(named(payloads.both))('means the same to msgpackr: %s', (_, { json, msgpack }) => {
    const value = exactPackr.unpack(fromHex(msgpack))
    if (typeof value === 'bigint') expect(String(value)).toBe(json)
    else if (!json.includes('__proto__')) expect(value).toEqual(JSON.parse(json))
  })

  test.each(named(payloads.toJson))('is translated to JSON: %s', (_, { json, msgpack }) => {
    expect(toJson(msgpack)).toBe(json)
  })

  test.each(named(payloads.fromJson))('is translated to msgpack: %s', (_, { json, msgpack }) => {
    expect(toMsgpack(json)).toBe(msgpack)
  })

  test.each(named(payloads.untranslatableMsgpack))('has no form in JSON: %s', (_, { msgpack, reason }) => {
    expect(() => toJson(msgpack)).toThrow(expect.objectContaining({ reason }))
  })

  test.each(named(payloads.untranslatableJson))('has no form in msgpack: %s', (_, { json, reason }) => {
    expect(() => toMsgpack(json)).toThrow(expect.objectContaining({ reason }))
  })
})
