/** The two sides of a relay, with a ring and sockets that are as slow as the test says. */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../src/protocol/limits.ts'
import type { Socket } from '../../src/server/socket.ts'
import type { SocketData, SocketHandlers } from '../../src/server/sockets.ts'
import { createRelay } from '../../src/threads/relay.ts'
import type { RelayLink } from '../../src/threads/relayRecords.ts'
import { createStandins } from '../../src/threads/standins.ts'

const HIGH = limits.outboundHighWaterBytes

/** A socket of the acceptor: takes what it is sent until it is told to be slow. */
interface TestSocket extends Socket<SocketData> {
  readonly sent: (string | Uint8Array)[]
  readonly events: string[]
  buffered: number
  /** What `send` says next; 0: it drops. */
  takes: 'all' | 'late' | 'nothing'
}

function createSocket(framing: 'json' | 'msgpack' = 'json'): TestSocket {
  const events: string[] = []
  const sent: (string | Uint8Array)[] = []
  const socket = {
    data: { kind: 'worker' as const, ipAddress: '10.0.0.1', framing, link: undefined },
    readyState: WebSocket.OPEN as number,
    sent,
    events,
    buffered: 0,
    takes: 'all' as TestSocket['takes'],
    send(message: string | Uint8Array) {
      if (socket.takes === 'nothing') return 0
      sent.push(message)
      if (socket.takes === 'all') return message.length
      socket.buffered += message.length
      return -1
    },
    cork: <Result>(run: () => Result) => run(),
    getBufferedAmount: () => socket.buffered,
    ping: () => void events.push('ping'),
    pause: () => void events.push('pause'),
    resume: () => void events.push('resume'),
    close: (code?: number, reason?: string) => void events.push(`close ${code} ${reason}`),
    terminate: () => void events.push('terminate'),
  }
  return socket
}

/** What a shard hears of its sockets. */
interface Heard extends SocketHandlers {
  readonly sockets: Socket<SocketData>[]
  readonly events: string[]
}

function createHeard(): Heard {
  const sockets: Socket<SocketData>[] = []
  const events: string[] = []
  return {
    sockets,
    events,
    opened: socket => void sockets.push(socket),
    received: (_, message) => void events.push(String(message)),
    blocked: socket => void events.push(`blocked ${socket.getBufferedAmount()}`),
    drained: socket => void events.push(`drained ${socket.getBufferedAmount()}`),
    ponged: () => void events.push('ponged'),
    closed: () => void events.push('closed'),
  }
}

/** An acceptor and one shard; records pass at once, and what waits in the rings is what the test says. */
function createPair() {
  const toShard: RelayLink & { waiting: number } = {
    waiting: 0,
    record: (tag, content) => standins.happened(tag, Buffer.from(content), 0, Buffer.byteLength(content)),
    backlog: () => toShard.waiting,
  }
  const toAcceptor: RelayLink & { waiting: number } = {
    waiting: 0,
    record(tag, content) {
      relay.ordered(toShard, tag, Buffer.from(content), 0, Buffer.byteLength(content))
      relay.ordersEnd()
    },
    backlog: () => toAcceptor.waiting,
  }
  const heard = createHeard()
  const relay = createRelay()
  const standins = createStandins(() => toAcceptor, heard)
  relay.addShard(toShard)

  function open(framing?: 'json' | 'msgpack'): { socket: TestSocket; standin: Socket<SocketData> } {
    const socket = createSocket(framing)
    relay.opened(socket)
    return { socket, standin: heard.sockets.at(-1)! }
  }

  return { relay, standins, toShard, toAcceptor, heard, open }
}

describe('a relayed socket', () => {
  test('looks on its shard as it does on the acceptor', () => {
    const { open } = createPair()
    expect(open('msgpack').standin.data).toEqual({
      kind: 'worker',
      ipAddress: '10.0.0.1',
      framing: 'msgpack',
      link: undefined,
    })
  })

  test('carries text and bytes both ways, each to its own', () => {
    const { relay, heard, open } = createPair()
    const [one, other] = [open(), open('msgpack')]
    relay.received(one.socket, 'grüße')
    relay.received(other.socket, Buffer.from('bytes'))
    expect(heard.events).toEqual(['grüße', 'bytes'])
    one.standin.send('zurück')
    other.standin.send(new Uint8Array([1, 2]))
    expect([one.socket.sent, other.socket.sent]).toEqual([['zurück'], [new Uint8Array([1, 2])]])
  })

  test('is paused, resumed, closed and ended by its shard', () => {
    const { open } = createPair()
    const { socket, standin } = open()
    standin.pause()
    standin.resume()
    standin.close(1002, 'because')
    standin.terminate()
    expect(socket.events).toEqual(['pause', 'resume', 'close 1002 because', 'terminate'])
    expect(standin.send('late')).toBe(0)
    expect(socket.sent).toEqual([])
  })

  test('is pinged by its shard, which hears of the pong', () => {
    const { relay, heard, open } = createPair()
    const [{ socket, standin }, other] = [open(), open()]
    standin.ping()
    expect([socket.events, other.socket.events, heard.events]).toEqual([['ping'], [], []])
    relay.ponged(socket)
    expect(heard.events).toEqual(['ponged'])
    relay.closed(socket)
    relay.ponged(socket)
    expect(heard.events).toEqual(['ponged', 'closed'])
  })

  test('that closes is closed on its shard, and hears nothing any more', () => {
    const { relay, heard, open } = createPair()
    const { socket, standin } = open()
    relay.closed(socket)
    expect([heard.events, standin.readyState]).toEqual([['closed'], WebSocket.CLOSED])
    relay.received(socket, 'late')
    expect([heard.events, standin.send('late')]).toEqual([['closed'], 0])
  })

  test('ends with its shard, and its stand-in with the acceptor', () => {
    const { relay, standins, toShard, heard, open } = createPair()
    const { socket } = open()
    relay.removeShard(toShard)
    expect(socket.events).toEqual(['terminate'])
    standins.closeAll()
    expect(heard.events).toEqual(['closed'])
    const orphan = createSocket()
    relay.opened(orphan)
    expect(orphan.events).toEqual(['terminate'])
  })

  test('that takes nothing beyond its bound is ended, and its shard hears of what waited', () => {
    const { heard, open } = createPair()
    const { socket, standin } = open()
    socket.takes = 'nothing'
    socket.buffered = 100
    standin.send('xyz')
    expect(socket.events).toEqual(['terminate'])
    expect(heard.events).toEqual(['blocked 103'])
  })
})

describe('what waits in a socket of the acceptor', () => {
  test('is told to its link at once, and that it has left', () => {
    const { relay, heard, open } = createPair()
    const { socket, standin } = open()
    socket.takes = 'late'
    standin.send('x'.repeat(100))
    expect(heard.events).toEqual(['blocked 100'])
    expect([standin.send('y'), standin.getBufferedAmount()]).toEqual([-1, 101])
    expect(relay.unsentBytes()).toBe(101)
    socket.buffered = 40
    relay.drained(socket)
    expect([standin.send('z'), relay.unsentBytes()]).toEqual([-1, 41])
    socket.buffered = 0
    socket.takes = 'all'
    relay.drained(socket)
    expect(heard.events.slice(-2)).toEqual(['blocked 41', 'drained 0'])
    expect([standin.send('z'), relay.unsentBytes()]).toEqual([1, 0])
  })
})

describe('a shard that does not take what comes', () => {
  test('has its sockets paused once each, and all go on when it has', () => {
    const { relay, toShard, open } = createPair()
    const [busy, quiet] = [open(), open()]
    toShard.waiting = HIGH - 1
    relay.received(busy.socket, 'fits')
    expect(busy.socket.events).toEqual([])
    toShard.waiting = HIGH
    relay.received(busy.socket, 'too much')
    relay.received(busy.socket, 'had come already')
    expect([busy.socket.events, quiet.socket.events]).toEqual([['pause'], []])
    toShard.waiting = 0
    relay.shardDrained(toShard)
    expect(busy.socket.events).toEqual(['pause', 'resume'])
    relay.shardDrained(toShard)
    expect(busy.socket.events).toHaveLength(2)
  })

  test('and has paused one of them itself: that one goes on when both reasons are gone', () => {
    const { relay, toShard, open } = createPair()
    const { socket, standin } = open()
    toShard.waiting = HIGH
    relay.received(socket, 'x')
    standin.pause()
    relay.shardDrained(toShard)
    expect(socket.events).toEqual(['pause'])
    relay.received(socket, 'x')
    standin.resume()
    expect(socket.events).toEqual(['pause'])
    relay.shardDrained(toShard)
    expect(socket.events).toEqual(['pause', 'resume'])
  })

  test('nothing is asked of a socket that has closed meanwhile', () => {
    const { relay, toShard, open } = createPair()
    const { socket } = open()
    toShard.waiting = HIGH
    relay.received(socket, 'x')
    relay.closed(socket)
    relay.shardDrained(toShard)
    expect(socket.events).toEqual(['pause'])
  })
})

describe('an acceptor that does not take what comes', () => {
  test('is a blocked socket to those that send, until it has', () => {
    const { standins, toAcceptor, heard, open } = createPair()
    const [one, quiet] = [open(), open()]
    toAcceptor.waiting = HIGH
    expect(one.standin.send('x')).toBe(-1)
    toAcceptor.waiting = 0
    standins.acceptorDrained()
    expect(heard.events).toEqual(['drained 0'])
    expect([one.standin.send('x'), quiet.standin.send('x')]).toEqual([1, 1])
    standins.acceptorDrained()
    expect(heard.events).toEqual(['drained 0'])
  })

  test('a socket that drains meanwhile does not go on before', () => {
    const { relay, standins, toAcceptor, heard, open } = createPair()
    const { socket, standin } = open()
    socket.takes = 'late'
    toAcceptor.waiting = HIGH
    standin.send('xx')
    socket.buffered = 0
    relay.drained(socket)
    expect(heard.events).toEqual(['blocked 2'])
    toAcceptor.waiting = 0
    standins.acceptorDrained()
    expect(heard.events).toEqual(['blocked 2', 'drained 0'])
  })
})
