/** The parts of a socket link that depend on a socket's mood and on time; the rest is in the conformance suite. */
import { describe, expect, test } from 'bun:test'
import type { ServerWebSocket } from 'bun'
import type { Frame } from '../../src/protocol/frames.ts'
import { limits as usualLimits } from '../../src/protocol/limits.ts'
import { createJsonLink } from '../../src/server/jsonLink.ts'
import { createVirtualClock } from '../support/fakes.ts'

const limits = {
  ...usualLimits,
  outboundHighWaterBytes: 1000,
  drainedBytes: 500,
  outboundBytes: 4000,
  writeDeadlineMs: 10_000,
}

const ping: Frame = { type: 'ping' }
const sized = (size: number): Frame => ({ type: 'unregisterfunction', id: 'x'.repeat(size) })

/** A link on a socket that takes as much as `room` says, and a turn that ends when the test says so. */
function createFixture() {
  const sent: string[] = []
  const events: string[] = []
  let buffered = 0
  let flushes: (() => void)[] = []
  const mood = { room: Number.POSITIVE_INFINITY }
  const socket = {
    readyState: WebSocket.OPEN as number,
    send(message: string) {
      if (socket.readyState !== WebSocket.OPEN) return 0
      sent.push(message)
      if (mood.room >= message.length) {
        mood.room -= message.length
        return message.length
      }
      buffered += message.length - mood.room
      mood.room = 0
      return -1
    },
    cork: (run: () => void) => run(),
    getBufferedAmount: () => buffered,
    pause: () => void events.push('pause'),
    resume: () => void events.push('resume'),
    close(code: number) {
      events.push(`close ${code}`)
      socket.readyState = WebSocket.CLOSED
      link.closed()
    },
    terminate() {
      events.push('terminate')
      socket.readyState = WebSocket.CLOSED
      link.closed()
    },
  }
  const clock = createVirtualClock()
  const link = createJsonLink(socket as unknown as ServerWebSocket<unknown>, {
    turn: { end: () => {}, atEnd: flush => void flushes.push(flush) },
    clock,
    limits,
    cutSlowReader: backlog => void events.push(`slow ${backlog}`),
    guard: run => run(),
  })
  link.receiver = {
    receive: frame => void events.push(frame.type),
    problem: () => void events.push('problem'),
    drained: () => void events.push('drained'),
    ended: () => void events.push('ended'),
  }
  return {
    link,
    clock,
    sent,
    events,
    mood,
    endTurn() {
      const now = flushes
      flushes = []
      for (const flush of now) flush()
    },
    /** So many bytes are in the socket's own buffer. */
    holds(bytes: number) {
      buffered = bytes
    },
    /** The far side reads so many bytes. */
    read(bytes: number) {
      buffered = Math.max(0, buffered - bytes)
      if (buffered === 0) mood.room = Number.POSITIVE_INFINITY
      link.drained()
    },
  }
}

describe('what is sent', () => {
  test('leaves at the end of the turn, together', () => {
    const { link, sent, endTurn } = createFixture()
    link.send(ping)
    link.send({ type: 'pong' })
    expect(sent).toEqual([])
    expect(link.backlog()).toBeGreaterThan(0)
    endTurn()
    expect(sent).toEqual(['{"type":"ping"}', '{"type":"pong"}'])
    expect(link.backlog()).toBe(0)
  })

  test('waits while the socket is blocked, and follows in order when it has drained', () => {
    const { link, sent, mood, endTurn, read } = createFixture()
    mood.room = 20
    for (const id of ['a', 'b', 'c']) link.send({ type: 'unregisterfunction', id })
    endTurn()
    expect(sent).toHaveLength(1)
    link.send({ type: 'unregisterfunction', id: 'd' })
    endTurn()
    expect(sent).toHaveLength(1)
    read(1)
    expect(sent).toHaveLength(1)
    read(1000)
    expect(sent.map(text => (JSON.parse(text) as { id: string }).id)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('is dropped once the link has ended', () => {
    const { link, sent, endTurn } = createFixture()
    link.end('cut')
    link.send(ping)
    endTurn()
    expect(sent).toEqual([])
    expect(link.backlog()).toBe(0)
  })
})

describe('a reader', () => {
  test('that reads nothing for the write deadline is cut', () => {
    const { link, clock, events, mood, endTurn } = createFixture()
    mood.room = 0
    link.send(sized(500))
    endTurn()
    clock.advance(limits.writeDeadlineMs - 1)
    expect(events).toEqual([])
    clock.advance(1)
    expect(events).toEqual([expect.stringMatching(/^slow 5\d\d$/), 'terminate'])
    endTurn()
    expect(events.at(-1)).toBe('ended')
    expect(clock.pending()).toBe(0)
  })

  test('that is slow but reads is not cut', () => {
    const { link, clock, events, mood, endTurn, read } = createFixture()
    mood.room = 0
    link.send(sized(500))
    endTurn()
    for (let count = 0; count < 10; count++) {
      clock.advance(limits.writeDeadlineMs - 1)
      read(10)
    }
    expect(events).toEqual([])
    read(1000)
    clock.advance(10 * limits.writeDeadlineMs)
    expect(events).toEqual([])
  })

  test('that lets more than the bound gather is cut at once, and its memory is freed', () => {
    const { link, events, mood, endTurn } = createFixture()
    mood.room = 0
    for (let count = 0; count < 7; count++) {
      link.send(sized(500))
      endTurn()
    }
    expect(events).toEqual([])
    link.send(sized(500))
    expect(events).toEqual([expect.stringMatching(/^slow 4\d\d\d$/), 'terminate'])
    expect(link.backlog()).toBe(0)
  })

  test('that does not read is cut also when the engine has ended the link already', () => {
    const { link, clock, events, mood, endTurn } = createFixture()
    mood.room = 0
    link.send(sized(500))
    endTurn()
    link.end('orderly')
    link.end('cut')
    expect(events).toEqual([])
    clock.advance(limits.writeDeadlineMs)
    expect(events).toEqual([expect.stringContaining('slow'), 'terminate'])
  })

  test('that reads everything is cut never, however much it gets', () => {
    const { link, clock, events, sent, endTurn } = createFixture()
    for (let count = 0; count < 1000; count++) {
      link.send(sized(500))
      endTurn()
    }
    clock.advance(100 * limits.writeDeadlineMs)
    expect(events).toEqual([])
    expect(sent).toHaveLength(1000)
  })
})

describe('the backlog', () => {
  test('counts what the socket holds itself', () => {
    const { link, mood, endTurn, read } = createFixture()
    mood.room = 100
    link.send(sized(500))
    endTurn()
    expect(link.backlog()).toBeWithin(400, 500)
    read(200)
    expect(link.backlog()).toBeWithin(200, 300)
    read(1000)
    expect(link.backlog()).toBe(0)
  })

  test('counts what a socket says late that it holds, and waits for it', () => {
    const { link, clock, events, mood, sent, endTurn, read, holds } = createFixture()
    link.send(sized(10))
    endTurn()
    holds(700)
    link.blocked()
    expect(link.backlog()).toBe(700)
    mood.room = 0
    link.send(ping)
    endTurn()
    expect(sent).toHaveLength(1)
    // Said again: it is no progress.
    clock.advance(limits.writeDeadlineMs - 1)
    holds(800)
    link.blocked()
    expect(link.backlog()).toBeWithin(800, 850)
    read(800)
    expect([sent.length, link.backlog(), events]).toEqual([2, 0, []])
    holds(100)
    link.blocked()
    clock.advance(limits.writeDeadlineMs)
    expect(events).toEqual(['slow 100', 'terminate'])
  })

  test.each([
    ['in the socket', [1200]],
    ['partly in the socket, partly in the queue', [600, 600]],
    ['in the queue', [1, 1200]],
  ])('that was above the high-water mark is reported once when it is small again: %s', (_, sizes) => {
    const { link, events, mood, endTurn, read } = createFixture()
    mood.room = 0
    for (const size of sizes) link.send(sized(size))
    endTurn()
    expect(link.backlog()).toBeGreaterThanOrEqual(limits.outboundHighWaterBytes)
    read(10)
    expect(events).toEqual([])
    read(10_000)
    expect(events).toEqual(['drained'])
    read(10_000)
    expect(events).toEqual(['drained'])
  })

  test('that stays below the mark is not reported', () => {
    const { link, events, mood, endTurn, read } = createFixture()
    mood.room = 0
    link.send(sized(500))
    endTurn()
    read(10_000)
    expect(events).toEqual([])
  })
})

describe('the end', () => {
  test('in order comes after what waits, without a status', () => {
    const { link, sent, events, mood, endTurn, read } = createFixture()
    mood.room = 0
    link.send(ping)
    link.send(ping)
    link.end('orderly')
    endTurn()
    expect(events).toEqual([])
    read(1000)
    endTurn()
    expect(sent).toHaveLength(2)
    expect(events).toEqual(['close 0', 'ended'])
  })

  test('is told in a turn of its own', () => {
    const { link, events, endTurn } = createFixture()
    link.end('cut')
    expect(events).toEqual(['terminate'])
    endTurn()
    expect(events).toEqual(['terminate', 'ended'])
    link.closed()
    endTurn()
    expect(events).toEqual(['terminate', 'ended'])
  })

  test('of a paused link lets its socket go on, or the far side could not close', () => {
    const { link, events, endTurn } = createFixture()
    link.pause()
    link.end('orderly')
    endTurn()
    expect(events).toEqual(['pause', 'resume', 'close 0', 'ended'])
  })

  test('by the far side of a paused link is told after the pause, after what had come', () => {
    const { link, events, endTurn } = createFixture()
    link.pause()
    link.received(ping)
    link.closed()
    endTurn()
    expect(events).toEqual(['pause'])
    link.resume()
    endTurn()
    expect(events).toEqual(['pause', 'ping', 'ended'])
  })

  test('by the engine of a link that is paused and lost already is told, and nothing else', () => {
    const { link, events, endTurn } = createFixture()
    link.pause()
    link.received(ping)
    link.closed()
    link.end('cut')
    endTurn()
    expect(events).toEqual(['pause', 'ended'])
  })
})

describe('a pause', () => {
  test('may come again while what was held is delivered', () => {
    const { link, events, endTurn } = createFixture()
    link.pause()
    for (const type of ['ping', 'pong', 'ping'] as const) link.received({ type })
    link.receiver!.receive = frame => {
      events.push(frame.type)
      if (frame.type === 'pong') link.pause()
    }
    link.resume()
    endTurn()
    expect(events).toEqual(['pause', 'ping', 'pong', 'pause'])
    link.resume()
    endTurn()
    expect(events).toEqual(['pause', 'ping', 'pong', 'pause', 'ping', 'resume'])
  })

  test('keeps the order of what was held and what comes after', () => {
    const { link, events, endTurn } = createFixture()
    link.pause()
    link.received({ type: 'ping' })
    link.resume()
    link.received({ type: 'pong' })
    endTurn()
    expect(events).toEqual(['pause', 'ping', 'pong', 'resume'])
  })
})

describe('a socket of another thread', () => {
  test('that says late that too much waits in it is cut as one that does not read', () => {
    const { link, events, endTurn, holds } = createFixture()
    link.send(ping)
    endTurn()
    holds(limits.outboundBytes)
    link.blocked()
    expect(events).toEqual([])
    holds(limits.outboundBytes + 1)
    link.blocked()
    expect(events).toEqual([`slow ${limits.outboundBytes + 1}`, 'terminate'])
    link.blocked()
    expect(events).toHaveLength(2)
  })
})
