/** The two ends of a ring as their threads use them. Both live on this thread: waiting never blocks. */
import { afterEach, describe, expect, test } from 'bun:test'
import { limits } from '../../src/protocol/limits.ts'
import { createRingReader } from '../../src/threads/ring.ts'
import { listenToRing, type RingListener } from '../../src/threads/ringListener.ts'
import {
  createRingBuffer,
  openRingMemory,
  READER_BELL,
  type RingMemory,
} from '../../src/threads/ringMemory.ts'
import { createRingSender, type RingSender } from '../../src/threads/ringSender.ts'
import { createVirtualClock } from '../support/fakes.ts'
import { until } from '../support/waiting.ts'

const clock = createVirtualClock()
const later = (task: () => void): void => void setImmediate(task)
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

interface Listening {
  listener: RingListener
  records: string[]
  /** How many records had come at the end of each batch. */
  batches: number[]
}

function listen(memory: RingMemory): Listening {
  const records: string[] = []
  const batches: number[] = []
  const listener = listenToRing(memory, {
    onRecord: (tag, bytes, start, end) =>
      records.push(`${tag}:${new TextDecoder().decode(bytes.slice(start, end))}`),
    afterBatch: () => batches.push(records.length),
    clock,
    later,
  })
  stops.push(listener.stop)
  return { listener, records, batches }
}

function sendTo(memory: RingMemory, onProgress = (): void => {}): RingSender {
  const sender = createRingSender(memory, clock, onProgress)
  stops.push(sender.stop)
  return sender
}

const sendText = (sender: RingSender, tag: number, text: string): void =>
  sender.send(tag, bytesOf(text), 0, bytesOf(text).length)

describe('a listener', () => {
  test('delivers what was there before it, and what comes while it sleeps', async () => {
    const memory = openRingMemory(createRingBuffer(1024))
    const sender = sendTo(memory)
    sendText(sender, 1, 'before')
    const { records } = listen(memory)
    expect(records).toEqual([])
    await until('the first record', () => records.length === 1)
    for (let tag = 2; tag < 6; tag++) {
      sendText(sender, tag, 'while asleep')
      await until(`record ${tag}`, () => records.length === tag)
    }
    expect(records).toEqual(['1:before', ...[2, 3, 4, 5].map(tag => `${tag}:while asleep`)])
  })

  test('tells of the end of a batch once for all of its records', async () => {
    const memory = openRingMemory(createRingBuffer(1024))
    const sender = sendTo(memory)
    const { batches } = listen(memory)
    for (let tag = 0; tag < 10; tag++) sendText(sender, tag, 'x')
    await until('a batch', () => batches.length > 0)
    expect(batches).toEqual([10])
  })

  test('gives the rest of its thread a turn when records never end', async () => {
    const memory = openRingMemory(createRingBuffer(1024))
    const sender = sendTo(memory)
    let answered = 0
    let goOn = true
    const listener = listenToRing(memory, {
      onRecord: () => answered++,
      afterBatch: () => {
        if (goOn) sendText(sender, 0, 'again')
      },
      clock,
      later,
    })
    stops.push(listener.stop)
    sendText(sender, 0, 'first')
    await until('it has gone on', () => answered > limits.ringBatchesInARow)
    goOn = false
  })

  test('delivers nothing after it was stopped, awake or asleep', async () => {
    const memory = openRingMemory(createRingBuffer(1024))
    const sender = sendTo(memory)
    const { listener, records } = listen(memory)
    sendText(sender, 1, 'x')
    await until('the record', () => records.length === 1)
    listener.stop()
    sendText(sender, 2, 'x')
    await new Promise<void>(resolve => setImmediate(() => setImmediate(resolve)))
    expect(records).toHaveLength(1)
  })

  test('that is about to read counts nothing as missed', () => {
    const memory = openRingMemory(createRingBuffer(1024))
    sendText(sendTo(memory), 1, 'x')
    const { listener, records } = listen(memory)
    clock.advance(limits.ringCheckMs)
    expect([records.length, listener.missedWakeUps()]).toEqual([0, 0])
  })

  test('finds by itself what no bell announced, and counts it', async () => {
    const memory = openRingMemory(createRingBuffer(1024))
    const { listener, records } = listen(memory)
    await until('it sleeps', () => memory.load(READER_BELL) === 1)
    sendText(sendTo({ ...memory, notify() {} }), 1, 'unheard')
    await new Promise<void>(resolve => setImmediate(() => setImmediate(resolve)))
    expect(records).toEqual([])
    clock.advance(limits.ringCheckMs)
    // Perhaps it is only slow.
    expect(records).toEqual([])
    clock.advance(limits.ringSecondLookMs)
    expect(records).toEqual(['1:unheard'])
    expect(listener.missedWakeUps()).toBe(1)
    sendText(sendTo(memory), 2, 'heard')
    await until('the next record', () => records.length === 2)
    expect(listener.missedWakeUps()).toBe(1)
  })
})

describe('a sender', () => {
  const text = 'x'.repeat(24)

  test('parks what finds no room, in order, and says how much', () => {
    const memory = openRingMemory(createRingBuffer(64))
    const sender = sendTo(memory)
    for (let tag = 0; tag < 5; tag++) sendText(sender, tag, text)
    expect(sender.backlog()).toBe(3 * text.length)
  })

  test('parks copies: what was handed over may change', async () => {
    const memory = openRingMemory(createRingBuffer(64))
    const sender = sendTo(memory)
    const bytes = bytesOf(text)
    for (let tag = 0; tag < 5; tag++) sender.send(tag, bytes, 0, bytes.length)
    bytes.fill(0)
    const { records } = listen(memory)
    await until('all records', () => records.length === 5)
    expect(records).toEqual([0, 1, 2, 3, 4].map(tag => `${tag}:${text}`))
    expect(sender.backlog()).toBe(0)
  })

  test('keeps nothing of what has left, while others wait behind it', async () => {
    const memory = openRingMemory(createRingBuffer(1024))
    const sender = sendTo(memory)
    const copies: WeakRef<Uint8Array>[] = []
    const bytes = new Uint8Array(400)
    // The sender parks copies.
    bytes.slice = (from, to) => {
      const copy = Uint8Array.prototype.slice.call(bytes, from, to)
      copies.push(new WeakRef(copy))
      return copy as Uint8Array<ArrayBuffer>
    }
    const count = 102
    for (let tag = 0; tag < count; tag++) sender.send(tag, bytes, 0, bytes.length)
    const reader = createRingReader(memory)
    let read = 0
    await until('half of them', () => {
      if (read < count / 2) read += reader.drain(() => {})
      return read >= count / 2
    })
    expect(sender.backlog()).toBeGreaterThan(0)
    await until('their memory is free', () => {
      Bun.gc(true)
      return copies.filter(copy => copy.deref() === undefined).length >= count / 4
    })
  })

  test('sends nothing past what is parked, though it would fit', async () => {
    const memory = openRingMemory(createRingBuffer(64))
    const sender = sendTo(memory)
    for (const [tag, content] of [text, 'y'.repeat(16), text, ''].entries()) sendText(sender, tag, content)
    const { records } = listen(memory)
    await until('all records', () => records.length === 4)
    expect(records.map(record => Number.parseInt(record, 10))).toEqual([0, 1, 2, 3])
  })

  test('tells of progress, never from within send, until nothing is parked', async () => {
    const memory = openRingMemory(createRingBuffer(64))
    let sending = false
    const backlogs: number[] = []
    const sender = sendTo(memory, () => {
      expect(sending).toBe(false)
      backlogs.push(sender.backlog())
    })
    sending = true
    for (let tag = 0; tag < 6; tag++) sendText(sender, tag, text)
    sending = false
    listen(memory)
    await until('all has left', () => sender.backlog() === 0)
    expect(backlogs.at(-1)).toBe(0)
    expect(backlogs).toEqual(backlogs.toSorted((a, b) => b - a))
  })

  test('tells when a record is in the ring, at once or later, and of the records in their order', async () => {
    const memory = openRingMemory(createRingBuffer(64))
    const sender = sendTo(memory)
    const entered: string[] = []
    for (const [tag, content] of ['a', 'b', 'c'.repeat(500), 'd'].entries()) {
      sender.send(tag, bytesOf(content.padEnd(24)), 0, Math.max(24, content.length), () => {
        entered.push(content[0]!)
        // Whoever is told may send again.
        if (content === 'b') sendText(sender, 9, text)
      })
    }
    expect(entered).toEqual(['a', 'b'])
    const { records } = listen(memory)
    await until('all records', () => records.length === 5)
    expect(entered).toEqual(['a', 'b', 'c', 'd'])
  })

  test('sends records larger than the ring among others', async () => {
    const memory = openRingMemory(createRingBuffer(256))
    const sender = sendTo(memory)
    const { records } = listen(memory)
    const contents = ['a', 'b'.repeat(5000), 'c', 'd'.repeat(70_000), 'e']
    for (const [tag, content] of contents.entries()) sendText(sender, tag, content)
    await until('all records', () => records.length === contents.length)
    expect(records).toEqual(contents.map((content, tag) => `${tag}:${content}`))
  })

  test('finds by itself the room that no bell announced, and counts it', async () => {
    const memory = openRingMemory(createRingBuffer(64))
    const sender = sendTo(memory)
    for (let tag = 0; tag < 4; tag++) sendText(sender, tag, text)
    createRingReader({ ...memory, notify() {} }).drain(() => {})
    await new Promise<void>(resolve => setImmediate(() => setImmediate(resolve)))
    expect(sender.backlog()).toBe(2 * text.length)
    clock.advance(limits.ringCheckMs)
    clock.advance(limits.ringSecondLookMs)
    expect([sender.backlog(), sender.missedWakeUps()]).toEqual([0, 1])
  })
})

test('ends that were stopped leave no timer behind', () => {
  const own = createVirtualClock()
  const memory = openRingMemory(createRingBuffer(64))
  const sender = createRingSender(memory, own, () => {})
  const listener = listenToRing(memory, { onRecord() {}, afterBatch() {}, clock: own, later })
  expect(own.pending()).toBe(2)
  sender.stop()
  listener.stop()
  expect(own.pending()).toBe(0)
})
