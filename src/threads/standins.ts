/** The shard's side of sockets that another thread has (`relayRecords.ts`). */
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
      ping: () => order(PING),
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
        case PONGED:
          handlers.ponged(standin)
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
