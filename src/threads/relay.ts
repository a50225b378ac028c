/**
 * Sockets on one thread, links on another: the acceptor thread owns the sockets and passes what comes over them to
 * shards, which treat them as their own. Every event of a socket is one record of the link between the two.
 *
 *     acceptor                                        shard
 *     socket opens, says, drains, closes ──events──▶  a stand-in with the same interface
 *     socket sends, pauses, closes       ◀──orders──  what its link asks for
 *
 * Nothing waits in a ring without bound: the acceptor stops reading its sockets while their shard does not take what it
 * has; to a shard, a full ring is a blocked socket. What waits in a socket is told to its link, which so waits and cuts
 * as it would with a socket of its own.
 *
 *     tag = kind (8 bits) │ number of the socket (24 bits)
 */
import { readCheckedText } from '../protocol/bytes.ts'
import { limits } from '../protocol/limits.ts'
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

/** As much of a ring link as is needed. */
export type RelayLink = Pick<RingLink, 'record' | 'backlog'>

const isFull = (link: RelayLink): boolean => link.backlog() >= limits.outboundHighWaterBytes

/** The acceptor's side towards all shards. */
export interface Relay extends SocketHandlers {
  /** A shard can take sockets. */
  addShard(link: RelayLink): void
  /** A shard is no more, and so are its connections. */
  removeShard(link: RelayLink): void
  /** A shard has taken most of what waited for it. */
  shardDrained(link: RelayLink): void
  /** A record of a shard. */
  ordered(link: RelayLink, tag: number, bytes: Uint8Array, start: number, end: number): void
  /** The records that came together have been handed over. Messages leave now, those of one socket in one burst. */
  ordersEnd(): void
  /** Bytes that shards have sent and that have not left yet. */
  unsentBytes(): number
}

interface Relayed {
  readonly socket: Socket<SocketData>
  readonly number: number
  readonly link: RelayLink
  /** Messages to be sent when the records that came together have been read. */
  messages: (string | Uint8Array)[]
  /** Its shard does not want to hear of it now. */
  isHeld: boolean
  /** Its shard does not take what there is. */
  waitsForShard: boolean
}

export function createRelay(): Relay {
  const links: RelayLink[] = []
  const byNumber = new Map<number, Relayed>()
  const bySocket = new Map<Socket<SocketData>, Relayed>()
  /** Those with messages to be sent. */
  let ready: Relayed[] = []
  /** Sockets that are not read because of their shard. */
  const waiting = new Map<RelayLink, Set<Relayed>>()
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
    else if (messages.length > 1) {
      socket.cork(() => {
        for (const message of messages) send(relayed, message)
      })
    }
  }

  function waitForShard(relayed: Relayed): void {
    const { link, socket } = relayed
    if (relayed.waitsForShard || !isFull(link)) return
    relayed.waitsForShard = true
    const others = waiting.get(link)
    if (others === undefined) waiting.set(link, new Set([relayed]))
    else others.add(relayed)
    if (!relayed.isHeld) socket.pause()
  }

  function hold(relayed: Relayed, isHeld: boolean): void {
    if (relayed.isHeld === isHeld) return
    relayed.isHeld = isHeld
    if (relayed.waitsForShard) return
    if (isHeld) relayed.socket.pause()
    else relayed.socket.resume()
  }

  function send(relayed: Relayed, message: string | Uint8Array): void {
    const { socket } = relayed
    const status = socket.send(message)
    if (status === QUEUED) tell(relayed, BLOCKED, amountOf(socket))
    else if (status === LOST && isOpen(socket)) {
      // Beyond the bound of its buffer: its reader does not read. Its link counts it, by what waits now.
      tell(relayed, BLOCKED, String(socket.getBufferedAmount() + message.length))
      socket.terminate()
    }
  }

  return {
    addShard: link => void links.push(link),

    removeShard(link) {
      const at = links.indexOf(link)
      if (at >= 0) links.splice(at, 1)
      waiting.delete(link)
      for (const { socket, link: own } of [...byNumber.values()]) if (own === link) socket.terminate()
    },

    shardDrained(link) {
      const relayeds = waiting.get(link)
      if (relayeds === undefined) return
      waiting.delete(link)
      for (const relayed of relayeds) {
        relayed.waitsForShard = false
        if (!relayed.isHeld) relayed.socket.resume()
      }
    },

    opened(socket) {
      const link = links[turn++ % Math.max(links.length, 1)]
      if (link === undefined) {
        socket.terminate()
        return
      }
      const state = { isHeld: false, waitsForShard: false }
      const relayed: Relayed = { socket, number: newNumber(), link, messages: [], ...state }
      byNumber.set(relayed.number, relayed)
      bySocket.set(socket, relayed)
      const { kind, ipAddress, framing } = socket.data
      tell(relayed, OPENED, JSON.stringify({ kind, ipAddress, framing }))
    },

    received(socket, message) {
      const relayed = bySocket.get(socket)
      if (relayed === undefined) return
      tell(relayed, typeof message === 'string' ? TEXT : BINARY, message)
      waitForShard(relayed)
    },

    // Its socket says so when something is sent.
    blocked() {},

    drained(socket) {
      const relayed = bySocket.get(socket)
      if (relayed !== undefined) tell(relayed, DRAINED, amountOf(socket))
    },

    closed(socket) {
      const relayed = bySocket.get(socket)
      if (relayed === undefined) return
      bySocket.delete(socket)
      byNumber.delete(relayed.number)
      waiting.get(relayed.link)?.delete(relayed)
      tell(relayed, CLOSED)
    },

    ordered(link, tag, bytes, start, end) {
      const relayed = byNumber.get(numberOf(tag))
      if (relayed === undefined || relayed.link !== link) return
      const { socket } = relayed
      const kind = kindOf(tag)
      if (kind === SEND_TEXT) {
        sendLater(relayed, readCheckedText(bytes, start, end))
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
          hold(relayed, true)
          return
        case RESUME:
          hold(relayed, false)
          return
        case CLOSE: {
          const { code, reason } = JSON.parse(readCheckedText(bytes, start, end))
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

    unsentBytes() {
      let bytes = 0
      for (const socket of bySocket.keys()) bytes += socket.getBufferedAmount()
      return bytes
    },
  }
}

const amountOf = (socket: Socket): string => String(socket.getBufferedAmount())

/** The shard's side: stand-ins for the acceptor's sockets. */
export interface Standins {
  /** The acceptor has taken most of what waited for it. */
  acceptorDrained(): void
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

/** `link`: to the acceptor; `undefined` while there is none. */
export function createStandins(link: () => RelayLink | undefined, handlers: SocketHandlers): Standins {
  const standins = new Map<number, Standin>()
  /** Those that were told that they are blocked because the ring is full. */
  const waiting = new Set<Standin>()

  function create(number: number, data: SocketData): Standin {
    const order = (kind: number, content: string | Uint8Array = NOTHING): void =>
      link()?.record(tagOf(kind, number), content)
    const standin: Standin = {
      data,
      readyState: WebSocket.OPEN,
      blocked: false,
      bufferedAmount: 0,
      send(message) {
        if (!isOpen(standin)) return LOST
        order(typeof message === 'string' ? SEND_TEXT : SEND_BINARY, message)
        const ring = link()
        if (ring !== undefined && isFull(ring)) {
          waiting.add(standin)
          return QUEUED
        }
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
    waiting.delete(standin)
    standin.readyState = WebSocket.CLOSED
    handlers.closed(standin)
  }

  return {
    acceptorDrained() {
      const drained = [...waiting]
      waiting.clear()
      for (const standin of drained) handlers.drained(standin)
    },

    happened(tag, bytes, start, end) {
      const number = numberOf(tag)
      const kind = kindOf(tag)
      if (kind === OPENED) {
        const data = JSON.parse(readCheckedText(bytes, start, end)) as SocketData
        const opened = create(number, { ...data, link: undefined })
        standins.set(number, opened)
        handlers.opened(opened)
        return
      }
      const standin = standins.get(number)
      if (standin === undefined) return
      switch (kind) {
        case TEXT:
          handlers.received(standin, readCheckedText(bytes, start, end))
          return
        case BINARY:
          // A link may keep it: one copy, of which the Buffer is a view.
          handlers.received(standin, Buffer.from(bytes.slice(start, end).buffer as ArrayBuffer))
          return
        case BLOCKED:
          standin.blocked = true
          standin.bufferedAmount = Number(readCheckedText(bytes, start, end))
          handlers.blocked(standin)
          return
        case DRAINED:
          standin.bufferedAmount = Number(readCheckedText(bytes, start, end))
          standin.blocked = standin.bufferedAmount > 0
          if (!waiting.has(standin)) handlers.drained(standin)
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
