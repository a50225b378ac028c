/** Sockets of one thread with their links on another one, over real rings; both ends live on this thread. */
import { afterEach, describe, expect, test } from 'bun:test'
import { systemClock } from '../../src/clock/clock.ts'
import type { Socket } from '../../src/server/socket.ts'
import type { SocketData, SocketHandlers } from '../../src/server/sockets.ts'
import { createTurn } from '../../src/server/turn.ts'
import { createRelay, type Relay } from '../../src/threads/relay.ts'
import { createRingLink, type RingLink } from '../../src/threads/ringLink.ts'
import { createRingBuffer, HEAD, openRingMemory } from '../../src/threads/ringMemory.ts'
import { createStandins } from '../../src/threads/standins.ts'
import { until } from '../support/waiting.ts'

const RING_BYTES = 1024 * 1024
const TOLD_NOBODY = { receive() {}, problem() {}, drained() {}, ended() {} }

const links: RingLink[] = []
afterEach(() => {
  for (const link of links.splice(0)) link.drop()
})

/** What a socket was asked for, in order; `[` and `]` stand round a burst. */
interface FakeSocket extends Socket<SocketData> {
  readonly asked: string[]
}

function fakeSocket(): FakeSocket {
  const asked: string[] = []
  const note = (word: string) => () => void asked.push(word)
  return {
    asked,
    data: { kind: 'worker', ipAddress: '127.0.0.1', framing: 'json', link: undefined },
    readyState: WebSocket.OPEN,
    send(message) {
      asked.push(typeof message === 'string' ? message : `bytes ${[...message]}`)
      return message.length
    },
    cork(run) {
      asked.push('[')
      const result = run()
      asked.push(']')
      return result
    },
    getBufferedAmount: () => 0,
    ping: note('ping'),
    pause: note('pause'),
    resume: note('resume'),
    close: note('close'),
    terminate: note('terminate'),
  }
}

interface Sides {
  readonly relay: Relay
  /** Stand-ins in the order in which they were opened. */
  readonly opened: Socket<SocketData>[]
  readonly heard: string[]
  /** Bytes of ring that events have taken up so far. */
  eventBytes(): number
}

function join(): Sides {
  const [events, orders] = [createRingBuffer(RING_BYTES), createRingBuffer(RING_BYTES)]
  const parts = { clock: systemClock, turn: createTurn() }
  const acceptorSide = createRingLink({ ...parts, incoming: orders, outgoing: events })
  const shardSide = createRingLink({ ...parts, incoming: events, outgoing: orders })
  links.push(acceptorSide, shardSide)
  const relay = createRelay()
  relay.addShard(acceptorSide)
  acceptorSide.listen(TOLD_NOBODY, {
    note() {},
    record: (tag, bytes, start, end) => relay.ordered(acceptorSide, tag, bytes, start, end),
    recordsEnd: relay.ordersEnd,
  })
  const opened: Socket<SocketData>[] = []
  const heard: string[] = []
  const handlers: SocketHandlers = {
    opened: socket => void opened.push(socket),
    received: (_, message) =>
      void heard.push(typeof message === 'string' ? message : `bytes ${[...message]}`),
    drained() {},
    blocked() {},
    ponged() {},
    closed: () => void heard.push('closed'),
  }
  const standins = createStandins(() => shardSide, handlers)
  shardSide.listen(TOLD_NOBODY, { note() {}, record: standins.happened })
  const memory = openRingMemory(events)
  return { relay, opened, heard, eventBytes: () => memory.load(HEAD) }
}

describe('a socket behind an acceptor', () => {
  test('says to its stand-in what it is told, text and bytes, in order', async () => {
    const { relay, opened, heard } = join()
    const socket = fakeSocket()
    relay.opened(socket)
    for (const text of ['one', 'zwölf', '', '🎈'.repeat(100)]) relay.received(socket, text)
    relay.received(socket, Buffer.from([1, 2, 255]))
    relay.received(socket, Buffer.alloc(40_000, 7))
    relay.received(socket, 'after a large one')
    relay.closed(socket)
    await until('it is closed', () => heard.at(-1) === 'closed')
    expect(opened).toHaveLength(1)
    expect(opened[0]!.data).toMatchObject({ kind: 'worker', ipAddress: '127.0.0.1', framing: 'json' })
    expect(heard).toEqual([
      'one',
      'zwölf',
      '',
      '🎈'.repeat(100),
      'bytes 1,2,255',
      `bytes ${Array.from({ length: 40_000 }, () => 7)}`,
      'after a large one',
      'closed',
    ])
  })

  test('sends what its stand-in sent in a turn in one burst, and does the rest between', async () => {
    const { relay, opened } = join()
    const [one, other] = [fakeSocket(), fakeSocket()]
    relay.opened(one)
    relay.opened(other)
    await until('both are there', () => opened.length === 2)
    const [first, second] = opened as [Socket<SocketData>, Socket<SocketData>]
    first.send('a')
    second.send('alone')
    first.send(new Uint8Array([9]))
    first.send('b')
    first.pause()
    first.send('c')
    first.send('d')
    first.terminate()
    await until('all was done', () => one.asked.includes('terminate') && other.asked.length > 0)
    expect(one.asked).toEqual(['[', 'a', 'bytes 9', 'b', ']', 'pause', '[', 'c', 'd', ']', 'terminate'])
    expect(other.asked).toEqual(['alone'])
  })

  test('shares records of the ring with what comes in the same turn', async () => {
    const { relay, heard, eventBytes } = join()
    const socket = fakeSocket()
    relay.opened(socket)
    relay.received(socket, 'first')
    await until('it has come', () => heard.length === 1)
    const before = eventBytes()
    for (let i = 0; i < 100; i++) relay.received(socket, 'x')
    // Nothing has left within the turn.
    expect(eventBytes()).toBe(before)
    await until('all have come', () => heard.length === 101)
    // One header of 8 bytes, and 9 bytes for each: a record each would be 16.
    expect(eventBytes() - before).toBeLessThan(100 * 10)
  })
})
