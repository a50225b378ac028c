/** The acceptor's side of sockets whose links are on shards (`relayRecords.ts`). */
import { readCheckedText } from '../protocol/bytes.ts'
import type { Socket } from '../server/socket.ts'
import type { SocketData, SocketHandlers } from '../server/sockets.ts'
import {
  BINARY,
  BLOCKED,
  CLOSE,
  CLOSED,
  DRAINED,
  isFull,
  isOpen,
  kindOf,
  LOST,
  NOTHING,
  NUMBER_MASK,
  numberOf,
  OPENED,
  PAUSE,
  PING,
  PONGED,
  QUEUED,
  RESUME,
  type RelayLink,
  SEND_BINARY,
  SEND_TEXT,
  TERMINATE,
  TEXT,
  tagOf,
} from './relayRecords.ts'

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

    ponged(socket) {
      const relayed = bySocket.get(socket)
      if (relayed !== undefined) tell(relayed, PONGED)
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
        case PING:
          socket.ping()
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
