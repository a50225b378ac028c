/** Bytes that nobody should send: the reader says what is wrong, looks at nothing else and never fails. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { limits } from '../../../src/protocol/limits.ts'
import { closeCodes, closeReason } from '../../../src/protocol/msgpack/faults.ts'
import {
  createFrameReader,
  type FrameReader,
  nextFrame,
  openMessage,
} from '../../../src/protocol/msgpack/reader.ts'
import { skipValue } from '../../../src/protocol/msgpack/walk.ts'
import { holds, repeatedly } from '../../support/fuzz.ts'
import type { Random } from '../../support/random.ts'
import frames from '../../vectors/msgpack/frames.json'
import lenient from '../../vectors/msgpack/lenient.json'
import problems from '../../vectors/msgpack/problems.json'
import { fromHex, packr, walk } from './support.ts'

const samples = [...frames, ...lenient, ...problems].map(({ hex }) => fromHex(hex))

test('a message cut off at any byte is truncated, and what came before is read', () => {
  const message = fromHex([...frames, ...lenient].map(({ hex }) => hex).join(''))
  const ends: number[] = []
  for (const { hex } of [...frames, ...lenient]) ends.push((ends.at(-1) ?? 0) + hex.length / 2)
  for (let length = 0; length < message.length; length++) {
    const { frames: read, fault } = walk(message, 0, length)
    // The same when there is nothing behind the message.
    expect(walk(message.slice(0, length))).toEqual({ frames: read, fault })
    const whole = ends.filter(end => end <= length).length
    expect(read).toHaveLength(whole)
    expect(fault?.reason).toBe(length === 0 || length === ends[whole - 1] ? undefined : 'truncated')
  }
})

test('what a frame said is forgotten with the next one', () => {
  const alone = samples.map(sample => walk(sample).frames)
  samples.forEach((first, i) => {
    samples.forEach((second, j) => {
      const joined = Uint8Array.of(...first, ...second)
      expect(walk(joined)).toEqual({ frames: [...alone[i]!, ...alone[j]!], fault: undefined })
    })
  })
})

/** Everything the reader says lies within the message, and frames follow each other without gaps. */
function checkPositions(reader: FrameReader, from: number, to: number): void {
  const { start, end, count, elements, nameStart, nameEnd, codec, payloadStart, payloadEnd } = reader
  expect(start).toBe(from)
  expect(end).toBeGreaterThan(start)
  expect(end).toBeLessThanOrEqual(to)
  for (let i = 0; i < count; i++) {
    expect(elements[i]).toBeGreaterThan(i === 0 ? start : elements[i - 1]!)
    expect(elements[i]).toBeLessThan(end)
  }
  if (reader.kind < 1 || reader.kind > 3) return
  expect(nameStart).toBeLessThanOrEqual(nameEnd)
  expect(nameEnd).toBeLessThanOrEqual(end)
  if (codec === 0) return
  expect(payloadStart).toBeGreaterThan(start)
  expect(payloadStart).toBeLessThanOrEqual(payloadEnd)
  expect(payloadEnd).toBeLessThanOrEqual(end)
}

/** Reads a message that lies among other bytes. */
function examine(message: Uint8Array, surroundings: number): unknown {
  const before = 7
  const bytes = new Uint8Array(before + message.length + 32).fill(surroundings)
  bytes.set(message, before)
  const to = before + message.length
  const reader = createFrameReader()
  openMessage(reader, bytes, before, to)
  for (let from = before; nextFrame(reader); from = reader.end) checkPositions(reader, from, to)
  const { frames: read, fault } = walk(bytes, before, to)
  // The same when there is nothing round it.
  expect(walk(Uint8Array.from(message)).frames).toEqual(read)
  return JSON.parse(JSON.stringify({ read, fault: fault?.reason }))
}

function examineAnywhere(message: Uint8Array): void {
  expect(examine(message, 0xc0)).toEqual(examine(message, 0x00))
  expect(examine(message, 0xff)).toEqual(examine(message, 0x00))
}

function mutated(sample: Uint8Array, random: Random): Uint8Array {
  const bytes = Uint8Array.from(sample)
  for (let changes = random.between(1, 4); changes > 0; changes--) {
    const at = random.between(0, bytes.length)
    if (random.between(0, 2) === 0) bytes[at] = bytes[at]! ^ (1 << random.between(0, 8))
    else bytes[at] = random.between(0, 256)
  }
  return bytes
}

describe('whatever the bytes, the reader stays within the message and comes to an end', () => {
  test('every sample with every bit flipped', () => {
    for (const sample of samples.filter(({ length }) => length < 64)) {
      for (let bit = 0; bit < sample.length * 8; bit++) {
        const bytes = Uint8Array.from(sample)
        bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7))
        walk(bytes)
      }
    }
  })

  test('samples with a few bytes changed, cut and joined', () => {
    repeatedly(random => {
      const parts = Array.from({ length: random.between(1, 4) }, () =>
        mutated(samples[random.between(0, samples.length)]!, random),
      )
      const bytes = Uint8Array.from(parts.flatMap(part => [...part]))
      examineAnywhere(bytes.subarray(0, random.between(0, bytes.length + 1)))
    }, 4)
  })

  test('any bytes', () => {
    holds([fc.uint8Array({ maxLength: 80 })], bytes => examineAnywhere(Uint8Array.from(bytes)), 2)
  })
})

test('the usual form of a call and any other form of it are read alike', () => {
  /** `95 …` → `dd 00000005 …`: the general way reads it. */
  const long = (bytes: Uint8Array): Uint8Array =>
    Uint8Array.of(0xdd, 0, 0, 0, (bytes[0] ?? 0) & 15, ...bytes.subarray(1))
  const samples = frames.map(({ hex }) => fromHex(hex)).filter(([head]) => head === 0x94 || head === 0x95)
  repeatedly(random => {
    const bytes = mutated(samples[random.between(0, samples.length)]!, random)
    bytes[0] = random.between(0x94, 0x96)
    const { frames: usual, fault } = walk(bytes)
    const other = walk(long(bytes))
    expect([usual, fault?.reason]).toEqual([other.frames, other.fault?.reason])
  }, 4)
})

test('what msgpackr writes is passed over to its last byte', () => {
  holds([fc.anything({ withBigInt: false, withDate: false, maxDepth: 4 })], value => {
    const plain = JSON.parse(JSON.stringify(value ?? null) ?? 'null')
    const bytes = packr.pack(plain)
    expect(skipValue(bytes, 0, bytes.length)).toBe(bytes.length)
    for (let length = 0; length < bytes.length; length++) expect(skipValue(bytes, 0, length)).toBe(-1)
  })
})

test('nesting costs no stack', () => {
  const deep = new Uint8Array(5_000_000).fill(0x91)
  expect(walk(deep).fault?.reason).toBe('truncated')
  deep[deep.length - 1] = 0x90
  expect(walk(deep).fault?.reason).toBe('not_a_frame')
})

test('a message of too many tiny frames ends at the limit', () => {
  const pings = new Uint8Array(2 * (limits.framesPerMessage + 1))
  for (let at = 0; at < pings.length; at += 2) pings.set([0x91, 0x06], at)
  const reader = createFrameReader()
  openMessage(reader, pings, 0, pings.length)
  let read = 0
  while (nextFrame(reader)) read++
  expect(read).toBe(limits.framesPerMessage)
  expect(reader.fault?.reason).toBe('too_many_frames')
  openMessage(reader, pings, 0, pings.length - 2)
  while (nextFrame(reader)) read--
  expect([read, reader.fault]).toEqual([0, undefined])
})

test('a fault becomes a close code that no client takes for a normal end, and a reason that fits', () => {
  for (const [reason, code] of Object.entries(closeCodes)) {
    expect(code).toBeGreaterThanOrEqual(1002)
    const text = closeReason({ reason: reason as keyof typeof closeCodes, detail: 'x'.repeat(200) })
    expect(text).toStartWith(`${reason}: x`)
    expect(new TextEncoder().encode(text).length).toBeLessThanOrEqual(123)
  }
})
