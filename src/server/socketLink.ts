/**
 * The link over a WebSocket, JSON framing.
 *
 *     open ──send says "queued"──▶ blocked ──drained──▶ open
 *       │                             │ no progress for writeDeadlineMs, or backlog over its bound
 *       └──────────end────────────────┴──▶ ended
 *
 * While open, what was sent in a turn leaves in one burst at its end. While blocked, frames wait here, in order;
 * the socket's own buffer holds little, so the bound on the backlog is ours.
 */
import type { ServerWebSocket } from 'bun'
import type { Clock } from '../clock/clock.ts'
import { encodeJson } from '../protocol/json/encode.ts'
import { limits } from '../protocol/limits.ts'
import type { Link, LinkEnd, LinkReceiver } from '../protocol/link.ts'
import type { Turn } from './turn.ts'

export interface SocketLink extends Link {
  /** Whom to tell of drains and the end. */
  receiver: LinkReceiver | undefined
  /** The socket can take more. */
  drained(): void
  /** The socket is closed. */
  closed(): void
}

/** A Close frame without status (`protocol.md` 1.5); Bun's default would be 1000, after which old clients stay away. */
const NO_STATUS = 0
const BLOCKED = -1
const DROPPED = 0

export function createSocketLink(
  socket: ServerWebSocket<unknown>,
  turn: Turn,
  clock: Clock,
  cutSlowReader: (backlog: number) => void,
): SocketLink {
  let queue: string[] = []
  let head = 0
  let queuedBytes = 0
  let flushing = false
  let blocked = false
  let wasFull = false
  let paused = false
  let state: 'open' | 'closing' | 'ended' = 'open'
  let cancelDeadline = (): void => {}

  function flush(): void {
    flushing = false
    if (blocked || state === 'ended') return
    if (queue.length - head === 1) sendNext()
    else socket.cork(sendAll)
    if (head === queue.length) {
      queue = []
      head = 0
    }
    if (state === 'closing' && queue.length === 0 && !blocked) close()
  }

  function sendAll(): void {
    while (head < queue.length && !blocked) sendNext()
  }

  function sendNext(): void {
    const message = queue[head]!
    queue[head++] = ''
    queuedBytes -= message.length
    const status = socket.send(message)
    if (status === BLOCKED) block()
    else if (status === DROPPED && message.length > 0 && socket.readyState === WebSocket.OPEN) end('cut')
  }

  function block(): void {
    blocked = true
    cancelDeadline()
    cancelDeadline = clock.after(limits.writeDeadlineMs, () => slow())
  }

  function slow(): void {
    cutSlowReader(backlog())
    end('cut')
  }

  function backlog(): number {
    return blocked ? queuedBytes + socket.getBufferedAmount() : queuedBytes
  }

  function close(): void {
    state = 'ended'
    cancelDeadline()
    socket.close(NO_STATUS)
  }

  function end(how: LinkEnd): void {
    if (state === 'ended') return
    if (how === 'orderly') {
      if (state === 'closing') return
      state = 'closing'
      if (paused) link.resume()
      if (queue.length === 0 && !blocked) close()
      return
    }
    if (state === 'closing') return
    state = 'ended'
    queue = []
    queuedBytes = 0
    cancelDeadline()
    socket.terminate()
  }

  const link: SocketLink = {
    receiver: undefined,

    send(frame) {
      if (state !== 'open') return
      const message = encodeJson(frame)
      queue.push(message)
      queuedBytes += message.length
      if (queuedBytes > limits.outboundHighWaterBytes) {
        wasFull = true
        if (queuedBytes > limits.outboundBytes) {
          slow()
          return
        }
      }
      if (flushing || blocked) return
      flushing = true
      turn.atEnd(flush)
    },

    backlog,

    pause() {
      if (state !== 'open' || paused) return
      paused = true
      socket.pause()
    },

    resume() {
      if (!paused) return
      paused = false
      if (state !== 'ended') socket.resume()
    },

    end,

    drained() {
      if (!blocked) return
      if (socket.getBufferedAmount() > 0) {
        // Some of it left: the reader is slow but alive.
        block()
        return
      }
      blocked = false
      cancelDeadline()
      if (queue.length > 0 || state === 'closing') flush()
      if (wasFull && backlog() < limits.outboundHighWaterBytes / 2) {
        wasFull = false
        link.receiver?.drained()
      }
    },

    closed() {
      state = 'ended'
      queue = []
      queuedBytes = 0
      cancelDeadline()
      link.receiver?.ended()
    },
  }
  return link
}
