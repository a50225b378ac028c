/**
 * The link over a WebSocket, JSON framing.
 *
 *     open ──send says "queued"──▶ blocked ──drained──▶ open
 *       │                             │ no progress for writeDeadlineMs, or backlog over its bound
 *       └──────────end────────────────┴──▶ ended
 *
 * While open, what was sent in a turn leaves in one burst at its end. While blocked, frames wait here, in order;
 * the socket's own buffer holds little, so the bound on the backlog is ours.
 *
 * A paused socket reads no more, but what was read already still comes (up to half a MiB and one message). Those
 * frames are held here until the link goes on.
 */
import type { ServerWebSocket } from 'bun'
import type { Clock } from '../clock/clock.ts'
import type { Frame, FrameProblem } from '../protocol/frames.ts'
import { encodeJson } from '../protocol/json/encode.ts'
import type { Limits } from '../protocol/limits.ts'
import type { Link, LinkEnd, LinkReceiver } from '../protocol/link.ts'
import type { Turn } from './turn.ts'

export interface SocketLink extends Link {
  /** Who gets what comes in, and is told of drains and the end. */
  receiver: LinkReceiver | undefined
  /** A message has come over the socket. */
  received(message: Frame | FrameProblem): void
  /** The socket can take more. */
  drained(): void
  /** The socket is closed. */
  closed(): void
}

export interface SocketLinkParts {
  readonly turn: Turn
  readonly clock: Clock
  readonly limits: Limits
  /** Told when the link is cut because the far side does not read; `backlog` in bytes. */
  readonly cutSlowReader: (backlog: number) => void
  /** Runs deliveries so that a fault in one of them harms nobody else. */
  readonly guard: (deliver: () => void) => void
}

/**
 * A Close frame without status (`docs/protocol/json.md#closing`); Bun's default would be 1000, after which old
 * clients stay away.
 */
export const NO_STATUS = 0
const BLOCKED = -1
const DROPPED = 0

/** From this many messages on, what has left is cut from the queue's front: a slow reader's queue is never empty. */
const QUEUE_FRONT = 1024

export function createSocketLink(socket: ServerWebSocket<unknown>, parts: SocketLinkParts): SocketLink {
  const { turn, clock, limits, cutSlowReader, guard } = parts
  let queue: string[] = []
  let head = 0
  let queuedBytes = 0
  /** Bytes in the socket's own buffer, when it was last looked at. */
  let bufferedBytes = 0
  let flushing = false
  let blocked = false
  let wasFull = false
  let paused = false
  let held: (Frame | FrameProblem)[] = []
  let delivering = false
  let state: 'open' | 'closing' | 'ended' = 'open'
  let socketIsClosed = false
  let toldOfEnd = false
  let cancelDeadline = (): void => {}

  function flush(): void {
    flushing = false
    if (blocked || state === 'ended') return
    if (queue.length - head === 1) sendNext()
    else socket.cork(sendAll)
    if (head === queue.length || (head > QUEUE_FRONT && head * 2 > queue.length)) {
      queue = queue.slice(head)
      head = 0
    }
    if (state === 'closing' && queue.length === 0 && !blocked) close()
    else tellDrained()
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
    else if (status === DROPPED && socket.readyState === WebSocket.OPEN) slow()
  }

  function block(): void {
    blocked = true
    bufferedBytes = socket.getBufferedAmount()
    noteFull()
    cancelDeadline()
    cancelDeadline = clock.after(limits.writeDeadlineMs, slow)
  }

  function slow(): void {
    if (state === 'ended') return
    cutSlowReader(backlog())
    cut()
  }

  function backlog(): number {
    return queuedBytes + bufferedBytes
  }

  function noteFull(): void {
    if (backlog() >= limits.outboundHighWaterBytes) wasFull = true
  }

  function tellDrained(): void {
    if (!wasFull || blocked || state !== 'open' || backlog() >= limits.drainedBytes) return
    wasFull = false
    guard(() => link.receiver?.drained())
  }

  function forget(): void {
    state = 'ended'
    queue = []
    head = 0
    queuedBytes = 0
    bufferedBytes = 0
    cancelDeadline()
  }

  function close(): void {
    forget()
    socket.close(NO_STATUS)
  }

  function cut(): void {
    forget()
    ignoreInput()
    socket.terminate()
  }

  function ignoreInput(): void {
    held = []
    paused = false
  }

  /** Once, when every frame that had come was delivered. */
  function tellOfEnd(): void {
    if (toldOfEnd) return
    toldOfEnd = true
    guard(() => link.receiver?.ended())
  }

  function deliver(message: Frame | FrameProblem): void {
    if (message.type === 'problem') link.receiver?.problem(message)
    else link.receiver?.receive(message)
  }

  function deliverHeld(): void {
    delivering = false
    let next = 0
    const messages = held
    while (next < messages.length && !paused && held === messages) {
      const message = messages[next++]!
      guard(() => deliver(message))
    }
    if (held === messages) held = messages.slice(next)
    if (paused) return
    if (socketIsClosed) tellOfEnd()
    else if (state !== 'ended') socket.resume()
  }

  function deliverHeldSoon(): void {
    if (delivering) return
    delivering = true
    turn.atEnd(deliverHeld)
  }

  const link: SocketLink = {
    framing: 'json',
    batch: undefined,
    receiver: undefined,

    send(frame) {
      if (state !== 'open') return
      const message = encodeJson(frame)
      queue.push(message)
      queuedBytes += message.length
      noteFull()
      if (backlog() > limits.outboundBytes) {
        slow()
        return
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
      if (held.length > 0 || socketIsClosed) deliverHeldSoon()
      else if (state !== 'ended' && !delivering) socket.resume()
    },

    end(how: LinkEnd) {
      if (state === 'closing') return
      const wasPaused = paused
      ignoreInput()
      if (state === 'ended') {
        if (socketIsClosed) deliverHeldSoon()
      } else if (how === 'cut') {
        cut()
      } else {
        state = 'closing'
        // Or the far side's own close would not be seen.
        if (wasPaused) socket.resume()
        if (queue.length === 0 && !blocked) close()
      }
    },

    received(message) {
      if (state !== 'open') return
      if (paused || held.length > 0) held.push(message)
      else deliver(message)
    },

    drained() {
      if (!blocked) return
      if (socket.getBufferedAmount() > 0) {
        // Some of it left: the reader is slow but alive.
        block()
        return
      }
      blocked = false
      bufferedBytes = 0
      cancelDeadline()
      flush()
    },

    closed() {
      socketIsClosed = true
      forget()
      // A close can come from within `send` or `end`; the receiver is told in a turn of its own.
      if (!paused) deliverHeldSoon()
    },
  }
  return link
}
