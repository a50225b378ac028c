/** The transport over a WebSocket, against servers that behave in every way. Time is virtual: no test waits for a retry. */
import { afterEach, describe, expect, test } from 'bun:test'
import { createServer, type Server as TcpServer } from 'node:net'
import type { ServerWebSocket } from 'bun'
import { EngineUnreachableError } from '../../sdk/typescript/src/errors.ts'
import type { Transport, TransportReceiver } from '../../sdk/typescript/src/transport.ts'
import {
  createWebSocketTransport,
  defaultReconnect,
  type ReconnectOptions,
} from '../../sdk/typescript/src/websocket.ts'
import type { Frame } from '../../src/protocol/frames.ts'
import { createVirtualClock, type VirtualClock } from '../support/fakes.ts'
import { until } from '../support/waiting.ts'

interface Peer {
  readonly url: string
  readonly sockets: ServerWebSocket<undefined>[]
  readonly received: string[]
}

let cleanUp: (() => void)[] = []
afterEach(() => {
  for (const undo of cleanUp) undo()
  cleanUp = []
})

/** A server that greets every connection. */
function startPeer(greet: (socket: ServerWebSocket<undefined>) => void = () => {}): Peer {
  const sockets: ServerWebSocket<undefined>[] = []
  const received: string[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request, self) => (self.upgrade(request) ? undefined : new Response('no', { status: 400 })),
    websocket: {
      open(socket: ServerWebSocket<undefined>) {
        sockets.push(socket)
        greet(socket)
      },
      message: (_, message) => void received.push(String(message)),
    },
  })
  cleanUp.push(() => void server.stop(true))
  return { url: `ws://127.0.0.1:${server.port}`, sockets, received }
}

interface Dialled {
  readonly transport: Transport
  readonly clock: VirtualClock
  readonly events: string[]
  readonly frames: Frame[]
  readonly errors: (Error | undefined)[]
  /** Called with each event, before it is written down. */
  onEvent: (event: string) => void
  /** Lets the time of the next retry pass and gives it in milliseconds. */
  retry(): number
}

function dial(url: string, reconnect: Partial<ReconnectOptions> = {}, random = (): number => 0.5): Dialled {
  const virtual = createVirtualClock()
  const delays: number[] = []
  const clock: VirtualClock = {
    ...virtual,
    after(ms, task) {
      if (ms !== HANDSHAKE_MS) delays.push(ms)
      return virtual.after(ms, task)
    },
    pending: () => virtual.pending(),
  }
  const transport = createWebSocketTransport(
    url,
    clock,
    random,
    { ...defaultReconnect, ...reconnect },
    HANDSHAKE_MS,
  )
  const dialled: Dialled = {
    transport,
    clock,
    events: [],
    frames: [],
    errors: [],
    onEvent: () => {},
    retry() {
      const ms = delays.at(-1)!
      virtual.advance(ms)
      return ms
    },
  }
  const note = (event: string): void => {
    dialled.onEvent(event)
    dialled.events.push(event)
  }
  const receiver: TransportReceiver = {
    opened: () => note('opened'),
    received(frame) {
      dialled.frames.push(frame)
      note(frame.type)
    },
    problem: ({ reason }) => note(`problem: ${reason}`),
    closed(final, error) {
      dialled.errors.push(error)
      note(final ? 'closed for good' : 'closed')
    },
  }
  transport.open(receiver)
  expect(dialled.events).toEqual([])
  cleanUp.push(() => transport.close())
  virtual.advance(0)
  return dialled
}

/** A time that no retry has. */
const HANDSHAKE_MS = 7777

const opened = ({ events }: Dialled, times = 1): Promise<boolean> =>
  until(`${times} times opened`, () => events.filter(event => event === 'opened').length === times)
const closed = ({ events }: Dialled): Promise<boolean> =>
  until('closed', () => events.at(-1)?.startsWith('closed'))

describe('after a close the transport connects again', () => {
  const codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 4000, 4999]
  test.each(codes)('with code %d', async code => {
    const peer = startPeer()
    const dialled = dial(peer.url)
    await opened(dialled)
    peer.sockets[0]!.close(code, 'bye')
    await closed(dialled)
    dialled.retry()
    await opened(dialled, 2)
    expect(dialled.events).toEqual(['opened', 'closed', 'opened'])
  })

  test.each([
    ['without a code', (socket: ServerWebSocket<undefined>) => socket.close(0)],
    ['that is no close but a lost connection', (socket: ServerWebSocket<undefined>) => socket.terminate()],
  ])('%s', async (_, end) => {
    const peer = startPeer()
    const dialled = dial(peer.url)
    await opened(dialled)
    end(peer.sockets[0]!)
    await closed(dialled)
    dialled.retry()
    await opened(dialled, 2)
    expect(dialled.events).toEqual(['opened', 'closed', 'opened'])
  })

  test('as often as it takes', async () => {
    const peer = startPeer(socket => socket.close(1000))
    const dialled = dial(peer.url)
    for (let count = 1; count <= 5; count++) {
      await until('closed again', () => dialled.events.length === 2 * count)
      expect(dialled.retry()).toBe(1000)
    }
  })
})

describe('while nobody answers', () => {
  /** A port on which nobody listens. */
  async function freePort(): Promise<string> {
    const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
    const url = `ws://127.0.0.1:${server.port}`
    await server.stop(true)
    return url
  }

  async function delays(dialled: Dialled, count: number): Promise<number[]> {
    const result: number[] = []
    for (let number = 1; number <= count; number++) {
      await until('another failure', () => dialled.events.length === number)
      result.push(dialled.retry())
    }
    return result
  }

  test('the delays double up to their largest', async () => {
    const dialled = dial(await freePort())
    expect(await delays(dialled, 7)).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
    expect(new Set(dialled.events)).toEqual(new Set(['closed']))
  })

  test.each([
    [0, [700, 1400]],
    [1, [1300, 2600]],
  ])('chance %d moves them by its share', async (chance, expected) => {
    const measured = await delays(
      dial(await freePort(), {}, () => chance),
      2,
    )
    expect(measured.map(Math.round)).toEqual(expected)
  })

  test('a connection that stood makes them start over', async () => {
    const peer = startPeer()
    const dialled = dial(peer.url, { initialDelayMs: 100 })
    await opened(dialled)
    peer.sockets[0]!.terminate()
    await closed(dialled)
    expect(dialled.retry()).toBe(100)
    await opened(dialled, 2)
    peer.sockets[1]!.terminate()
    await closed(dialled)
    expect(dialled.retry()).toBe(100)
  })

  test('it gives up after as many retries as it was told, with an error that names the address', async () => {
    const url = await freePort()
    const dialled = dial(url, { maxRetries: 2 })
    await delays(dialled, 2)
    await until('the end', () => dialled.events.length === 3)
    expect(dialled.events).toEqual(['closed', 'closed', 'closed for good'])
    expect(dialled.errors[2]).toBeInstanceOf(EngineUnreachableError)
    expect(dialled.errors[2]).toMatchObject({ code: 'ENGINE_UNREACHABLE', address: expect.any(String) })
    expect(dialled.errors[2]).toMatchObject({ address: url })
    expect(dialled.clock.pending()).toBe(0)
  })

  test('an answer that is no upgrade counts as none', async () => {
    const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('hi') })
    cleanUp.push(() => void server.stop(true))
    const dialled = dial(`ws://127.0.0.1:${server.port}`)
    await closed(dialled)
    expect(dialled.events).toEqual(['closed'])
  })

  test('a handshake that is never finished is given up', async () => {
    let accepted = 0
    const silent: TcpServer = createServer(socket => {
      accepted++
      socket.on('error', () => {})
    })
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
    cleanUp.push(() => void silent.close())
    const { port } = silent.address() as { port: number }
    const dialled = dial(`ws://127.0.0.1:${port}`)
    await until('a connection', () => accepted === 1)
    dialled.clock.advance(HANDSHAKE_MS)
    expect(dialled.events).toEqual(['closed'])
    dialled.retry()
    await until('a second connection', () => accepted === 2)
  })

  test.each(['not a url', 'ws://', 'ftp://x'])(
    '%j is no address, and the receiver hears why',
    async address => {
      const dialled = dial(address)
      await closed(dialled)
      expect(dialled.events).toEqual(['closed for good'])
      expect(dialled.errors[0]?.message).toMatch(/./)
      expect(dialled.clock.pending()).toBe(0)
    },
  )
})

describe('closed for good', () => {
  test('it says goodbye and does not come back', async () => {
    const peer = startPeer()
    const dialled = dial(peer.url)
    await opened(dialled)
    dialled.transport.close()
    await until('the goodbye', () => peer.sockets[0]!.readyState === WebSocket.CLOSED)
    expect(dialled.events).toEqual(['opened'])
    expect(dialled.clock.pending()).toBe(0)
  })

  test('while it waits for a retry, there is none', async () => {
    const peer = startPeer()
    const dialled = dial(peer.url)
    await opened(dialled)
    peer.sockets[0]!.close(1000)
    await closed(dialled)
    dialled.transport.close()
    dialled.clock.advance(1_000_000)
    await Bun.sleep(20)
    expect(peer.sockets).toHaveLength(1)
  })

  test('by the receiver when it hears of a lost connection, there is no retry', async () => {
    const peer = startPeer()
    const dialled = dial(peer.url)
    dialled.onEvent = event => {
      if (event === 'closed') dialled.transport.close()
    }
    await opened(dialled)
    peer.sockets[0]!.close(1000)
    await closed(dialled)
    dialled.clock.advance(1_000_000)
    await Bun.sleep(20)
    expect(peer.sockets).toHaveLength(1)
  })

  test('before it was open, it never opens', async () => {
    const peer = startPeer()
    const dialled = dial(peer.url)
    dialled.transport.close()
    await Bun.sleep(20)
    expect(dialled.events).toEqual([])
  })

  test('by the receiver in a frame, the frames behind it do not come any more', async () => {
    const peer = startPeer(socket => {
      socket.cork(() => {
        for (let count = 0; count < 3; count++) socket.send('{"type":"ping"}')
      })
    })
    const dialled = dial(peer.url)
    dialled.onEvent = event => {
      if (event === 'ping') dialled.transport.close()
    }
    await until('a frame', () => dialled.frames.length > 0)
    await Bun.sleep(20)
    expect(dialled.frames).toEqual([{ type: 'ping' }])
  })
})

describe('frames', () => {
  test('go out as JSON text and come in from text and from bytes; what is none is told as a problem', async () => {
    const peer = startPeer(socket => {
      socket.send('nonsense')
      socket.send('{"type":"something-new"}')
      socket.send('{"type":"ping"}')
      socket.send(Buffer.from('{"type":"pong"}'))
    })
    const dialled = dial(peer.url)
    await until('both', () => dialled.frames.length === 2)
    expect(dialled.events).toEqual([
      'opened',
      'problem: invalid_json',
      'problem: unknown_type',
      'ping',
      'pong',
    ])
    dialled.transport.send({ type: 'unregisterfunction', id: 'ü' })
    await until('it', () => peer.received.length === 1)
    expect(peer.received).toEqual(['{"type":"unregisterfunction","id":"ü"}'])
  })

  test('sent without a connection are dropped and do not break anything', async () => {
    const peer = startPeer()
    const dialled = dial(peer.url)
    await opened(dialled)
    dialled.transport.close()
    dialled.transport.send({ type: 'ping' })
    expect(peer.received).toEqual([])
  })
})
