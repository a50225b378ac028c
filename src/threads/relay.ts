/**
 * Sockets on one thread, links on another: the acceptor thread owns the sockets and passes what comes over them to
 * shards, which treat them as their own. Every event of a socket is one record of the link between the two.
 *
 *     acceptor                                        shard
 *     socket opens, says, drains, closes ──events──▶  a stand-in with the same interface
 *     socket sends, pauses, closes       ◀──orders──  what its link asks for
 *
 *     tag = kind (8 bits) │ number of the socket (24 bits)
 */
import { readText } from '../protocol/bytes.ts'
import type { Socket } from '../server/socket.ts'
import type { SocketData, SocketHandlers } from '../server/sockets.ts'
import type { RingLink } from './ringLink.ts'

/** Events of sockets. */
const OPENED = 16
const TEXT = 17
const BINARY = 18
const BLOCKED = 19
const DRAINED = 20
const CLOSED = 21
/** Orders to sockets. */
const SEND_TEXT = 32
const SEND_BINARY = 33
const PAUSE = 34
const RESUME = 35
const CLOSE = 36
const TERMINATE = 37

const KIND_SHIFT = 24
const NUMBER_MASK = 2 ** KIND_SHIFT - 1

const tagOf = (kind: number, number: number): number => (kind << KIND_SHIFT) | number
const kindOf = (tag: number): number => tag >>> KIND_SHIFT
const numberOf = (tag: number): number => tag & NUMBER_MASK

const NOTHING = new Uint8Array(0)

/** What `send` of a socket returns when the message is taken and waits. */
const QUEUED = -1
const LOST = 0

const isOpen = ({ readyState }: { readonly readyState: number }): boolean => readyState === WebSocket.OPEN

/** Sends a record. */
type SendRecord = (tag: number, content: string | Uint8Array) => void

/** The acceptor's side towards all shards. */
export interface Relay extends SocketHandlers {
  /** A shard can take sockets. */
  addShard(link: RingLink): void
  /** A shard is no more, and so are its connections. */
  removeShard(link: RingLink): void
  /** A record of a shard. */
  ordered(link: RingLink, tag: number, bytes: Uint8Array, start: number, end: number): void
  /** The records that came together have been handed over. Messages leave now, those of one socket in one burst. */
  ordersEnd(): void
}

interface Relayed {
  readonly socket: Socket<SocketData>
  readonly number: number
  readonly link: RingLink
  /** Messages to be sent when the records that came together have been read. */
  messages: (string | Uint8Array)[]
}

export function createRelay(): Relay {
  const links: RingLink[] = []
  const byNumber = new Map<number, Relayed>()
  const bySocket = new Map<Socket<SocketData>, Relayed>()
  /** Those with messages to be sent. */
  let ready: Relayed[] = []
  let lastNumber = 0
  let turn = 0

  function newNumber(): number {
    do {
      lastNumber = (lastNumber + 1) & NUMBER_MASK
    } while (byNumber.has(lastNumber))
    return lastNumber
  }

  function tell({ link, number }: Relayed, kind: number, content: string | Uint8Array = NOTHING): void {
    link.record(tagOf(kind, number), content)
  }

  function sendLater(relayed: Relayed, message: string | Uint8Array): void {
    if (relayed.messages.push(message) === 1) ready.push(relayed)
  }

  function sendAll(relayed: Relayed): void {
    const { messages, socket } = relayed
    relayed.messages = []
    if (messages.length === 1) send(relayed, messages[0]!)
    else if (messages.length > 1) socket.cork(() => messages.forEach(message => send(relayed, message)))
  }

  function send(relayed: Relayed, message: string | Uint8Array): void {
    const { socket } = relayed
    const status = socket.send(message)
    if (status === QUEUED) tell(relayed, BLOCKED, amountOf(socket))
    // Beyond the bound of its buffer: its reader does not read.
    else if (status === LOST && isOpen(socket)) socket.terminate()
  }

  return {
    addShard: link => void links.push(link),

    removeShard(link) {
      const at = links.indexOf(link)
      if (at >= 0) links.splice(at, 1)
      for (const { socket, link: own } of [...byNumber.values()]) if (own === link) socket.terminate()
    },

    opened(socket) {
      const link = links[turn++ % Math.max(links.length, 1)]
      if (link === undefined) {
        socket.terminate()
        return
      }
      const relayed: Relayed = { socket, number: newNumber(), link, messages: [] }
      byNumber.set(relayed.number, relayed)
      bySocket.set(socket, relayed)
      const { kind, ipAddress, framing } = socket.data
      tell(relayed, OPENED, JSON.stringify({ kind, ipAddress, framing }))
    },

    received(socket, message) {
      const relayed = bySocket.get(socket)
      if (relayed !== undefined) tell(relayed, typeof message === 'string' ? TEXT : BINARY, message)
    },

    drained(socket) {
      const relayed = bySocket.get(socket)
      if (relayed !== undefined) tell(relayed, DRAINED, amountOf(socket))
    },

    closed(socket) {
      const relayed = bySocket.get(socket)
      if (relayed === undefined) return
      bySocket.delete(socket)
      byNumber.delete(relayed.number)
      tell(relayed, CLOSED)
    },

    ordered(link, tag, bytes, start, end) {
      const relayed = byNumber.get(numberOf(tag))
      if (relayed === undefined || relayed.link !== link) return
      const { socket } = relayed
      const kind = kindOf(tag)
      if (kind === SEND_TEXT) {
        sendLater(relayed, readText(bytes, start, end) ?? '')
        return
      }
      if (kind === SEND_BINARY) {
        // No copy: the bytes stay until the orders end.
        sendLater(relayed, bytes.subarray(start, end))
        return
      }
      sendAll(relayed)
      switch (kind) {
        case PAUSE:
          socket.pause()
          return
        case RESUME:
          socket.resume()
          return
        case CLOSE: {
          const { code, reason } = JSON.parse(readText(bytes, start, end) ?? '{}')
          socket.close(code, reason)
          return
        }
        case TERMINATE:
          socket.terminate()
      }
    },

    ordersEnd() {
      const relayeds = ready
      ready = []
      for (const relayed of relayeds) sendAll(relayed)
    },
  }
}

const amountOf = (socket: Socket): string => String(socket.getBufferedAmount())

/** The shard's side: stand-ins for the acceptor's sockets. */
export interface Standins {
  /** A record of the acceptor. */
  happened(tag: number, bytes: Uint8Array, start: number, end: number): void
  /** The acceptor is no more, and so are its sockets. */
  closeAll(): void
}

interface Standin extends Socket<SocketData> {
  readyState: number
  blocked: boolean
  bufferedAmount: number
}

export function createStandins(record: SendRecord, handlers: SocketHandlers): Standins {
  const standins = new Map<number, Standin>()

  function create(number: number, data: SocketData): Standin {
    const order = (kind: number, content: string | Uint8Array = NOTHING): void =>
      record(tagOf(kind, number), content)
    const standin: Standin = {
      data,
      readyState: WebSocket.OPEN,
      blocked: false,
      bufferedAmount: 0,
      send(message) {
        if (!isOpen(standin)) return LOST
        order(typeof message === 'string' ? SEND_TEXT : SEND_BINARY, message)
        return standin.blocked ? QUEUED : Math.max(1, message.length)
      },
      cork: run => run(),
      getBufferedAmount: () => standin.bufferedAmount,
      pause: () => order(PAUSE),
      resume: () => order(RESUME),
      close(code, reason) {
        standin.readyState = WebSocket.CLOSING
        order(CLOSE, JSON.stringify({ code, reason }))
      },
      terminate() {
        standin.readyState = WebSocket.CLOSING
        order(TERMINATE)
      },
    }
    return standin
  }

  function close(number: number, standin: Standin): void {
    standins.delete(number)
    standin.readyState = WebSocket.CLOSED
    handlers.closed(standin)
  }

  return {
    happened(tag, bytes, start, end) {
      const number = numberOf(tag)
      const kind = kindOf(tag)
      if (kind === OPENED) {
        const data = JSON.parse(readText(bytes, start, end) ?? '{}') as SocketData
        const opened = create(number, { ...data, link: undefined })
        standins.set(number, opened)
        handlers.opened(opened)
        return
      }
      const standin = standins.get(number)
      if (standin === undefined) return
      switch (kind) {
        case TEXT:
          handlers.received(standin, readText(bytes, start, end) ?? '')
          return
        case BINARY:
          // A link may keep it: one copy, of which the Buffer is a view.
          handlers.received(standin, Buffer.from(bytes.slice(start, end).buffer as ArrayBuffer))
          return
        case BLOCKED:
          standin.blocked = true
          standin.bufferedAmount = Number(readText(bytes, start, end))
          return
        case DRAINED:
          standin.bufferedAmount = Number(readText(bytes, start, end))
          standin.blocked = standin.bufferedAmount > 0
          handlers.drained(standin)
          return
        case CLOSED:
          close(number, standin)
      }
    },

    closeAll() {
      for (const [number, standin] of [...standins]) close(number, standin)
    },
  }
}
