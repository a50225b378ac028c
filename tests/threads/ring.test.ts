import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { limits } from '../../src/protocol/limits.ts'
import { createRingReader, createRingWriter, FULL, type OnRecord } from '../../src/threads/ring.ts'
import {
  createRingBuffer,
  HEAD,
  openRingMemory,
  type RingMemory,
  TAIL,
} from '../../src/threads/ringMemory.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array, start: number, end: number): string =>
  new TextDecoder().decode(bytes.slice(start, end))

function open(capacity: number, start = 0): RingMemory {
  const memory = openRingMemory(createRingBuffer(capacity))
  memory.store(HEAD, start)
  memory.store(TAIL, start)
  return memory
}

/** Collects what is drained, as `tag:text`. */
function collector(): { records: string[]; onRecord: OnRecord } {
  const records: string[] = []
  return {
    records,
    onRecord: (tag, bytes, start, end) => records.push(`${tag}:${textOf(bytes, start, end)}`),
  }
}

function push(writer: ReturnType<typeof createRingWriter>, tag: number, text: string): number {
  const bytes = bytesOf(text)
  return writer.push(tag, bytes, 0, bytes.length)
}

describe('a ring', () => {
  test('hands records over in order, with their tags, the empty one, too', () => {
    const memory = open(256)
    const writer = createRingWriter(memory)
    expect([push(writer, 1, 'one'), push(writer, -2, ''), push(writer, 0x7fffffff, 'three')]).toEqual([
      3, 0, 5,
    ])
    const { records, onRecord } = collector()
    expect(createRingReader(memory).drain(onRecord)).toBe(3)
    expect(records).toEqual(['1:one', '-2:', '2147483647:three'])
  })

  test('takes a slice of a larger buffer', () => {
    const memory = open(256)
    createRingWriter(memory).push(7, bytesOf('0123456789'), 3, 6)
    const { records, onRecord } = collector()
    createRingReader(memory).drain(onRecord)
    expect(records).toEqual(['7:345'])
  })

  test('says when it is full and loses nothing', () => {
    const memory = open(64)
    const writer = createRingWriter(memory)
    const reader = createRingReader(memory)
    const { records, onRecord } = collector()
    const text = 'x'.repeat(24)
    expect([1, 2, 3].map(tag => push(writer, tag, text))).toEqual([24, 24, FULL])
    reader.drain(onRecord)
    expect(push(writer, 3, text)).toBe(24)
    reader.drain(onRecord)
    expect(records).toEqual([1, 2, 3].map(tag => `${tag}:${text}`))
  })

  test('cuts a record larger than itself into parts; the rest must come next', () => {
    const memory = open(128)
    const writer = createRingWriter(memory)
    const reader = createRingReader(memory)
    const { records, onRecord } = collector()
    const text = Array.from({ length: 100 }, (_, i) => `part ${i}, `).join('')
    const bytes = bytesOf(text)
    let at = 0
    let pushes = 0
    while (at < bytes.length) {
      const reached = writer.push(9, bytes, at, bytes.length)
      pushes++
      if (reached === FULL) reader.drain(onRecord)
      else at = reached
      if (at > 0 && at < bytes.length)
        expect(() => push(writer, 1, 'another')).toThrow('A record is under way')
    }
    expect(pushes).toBeGreaterThan(5)
    reader.drain(onRecord)
    expect(records).toEqual([`9:${text}`])
    expect(push(writer, 1, 'another')).toBe(7)
  })

  test('does not begin a large record while there is no room for its first part', () => {
    const memory = open(128)
    const writer = createRingWriter(memory)
    const reader = createRingReader(memory)
    const { records, onRecord } = collector()
    // Leaves room for a head, and for a part only after a gap.
    for (const length of [56, 40]) expect(push(writer, 1, 'x'.repeat(length))).toBe(length)
    expect(push(writer, 2, 'y'.repeat(1000))).toBe(FULL)
    expect(push(writer, 3, 'z')).toBe(1)
    reader.drain(onRecord)
    expect(records.at(-1)).toBe('3:z')
  })

  test('refuses a record above its limit', () => {
    const writer = createRingWriter(open(64))
    const huge = { length: limits.ringRecordBytes + 1 } as unknown as Uint8Array
    expect(() => writer.push(0, huge, 0, limits.ringRecordBytes + 1)).toThrow('limits.ringRecordBytes')
  })

  test('counts a record as read when its receiver throws, and goes on after it', () => {
    const memory = open(256)
    const writer = createRingWriter(memory)
    const reader = createRingReader(memory)
    for (const text of ['a', 'b', 'c']) push(writer, 0, text)
    expect(() =>
      reader.drain(() => {
        throw new Error('receiver failed')
      }),
    ).toThrow('receiver failed')
    const { records, onRecord } = collector()
    reader.drain(onRecord)
    expect(records).toEqual(['0:b', '0:c'])
  })

  test('is not drained from within its own receiver', () => {
    const memory = open(256)
    const reader = createRingReader(memory)
    push(createRingWriter(memory), 0, 'a')
    expect(() => reader.drain(() => void reader.drain(() => {}))).toThrow('do not call drain from onRecord')
  })

  test('gives room back in the middle of a batch', () => {
    const memory = open(256)
    const writer = createRingWriter(memory)
    const text = 'x'.repeat(24)
    while (push(writer, 1, text) !== FULL) {}
    let pushed = 0
    createRingReader(memory).drain(() => {
      if (push(writer, 2, text) !== FULL) pushed++
    })
    expect(pushed).toBeGreaterThan(0)
  })

  test('is continued by a new writer and a new reader where the old ones stopped', () => {
    const memory = open(256)
    push(createRingWriter(memory), 1, 'first')
    createRingReader(memory).drain(() => {})
    push(createRingWriter(memory), 2, 'second')
    const { records, onRecord } = collector()
    createRingReader(memory).drain(onRecord)
    expect(records).toEqual(['2:second'])
  })

  test.each([0, 63, 100, 32, 2 ** 31])('cannot have %d bytes', capacity => {
    expect(() => createRingBuffer(capacity)).toThrow('power of two')
  })
})

describe('whatever the sizes and however writing and reading take turns', () => {
  const START = fc.constantFrom(0, 2 ** 31 - 64, 2 ** 32 - 64, 2 ** 32 - 8).map(start => start | 0)

  /** Writes records of these lengths; `turns` says how many to try before each drain. */
  function exchange(capacity: number, start: number, lengths: number[], turns: number[]): void {
    const memory = open(capacity, start)
    const writer = createRingWriter(memory)
    const reader = createRingReader(memory)
    let received = 0
    const onRecord: OnRecord = (tag, bytes, first, end) => {
      expect(tag).toBe(received)
      expect(end - first).toBe(lengths[received]!)
      for (let i = first; i < end; i++)
        if (bytes[i] !== ((received * 31 + i - first) & 255)) throw new Error('torn')
      received++
    }
    const patterned = (number: number): Uint8Array =>
      Uint8Array.from({ length: lengths[number] ?? 0 }, (_, i) => (number * 31 + i) & 255)
    let next = 0
    let bytes = patterned(0)
    let at = 0
    for (let turn = 0; received < lengths.length; turn++) {
      for (let tries = turns[turn % turns.length]!; tries > 0 && next < lengths.length; tries--) {
        const reached = writer.push(next, bytes, at, bytes.length)
        if (reached === FULL) break
        at = reached === bytes.length ? 0 : reached
        if (at === 0) bytes = patterned(++next)
      }
      reader.drain(onRecord)
    }
    expect(next).toBe(lengths.length)
  }

  test('every record arrives once, whole and in order', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(64, 128, 1024, 4096),
        START,
        fc.array(fc.oneof(fc.nat(40), fc.nat(600), fc.nat(5000)), { minLength: 1, maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }),
        exchange,
      ),
      { numRuns: 200 },
    )
  })
})
