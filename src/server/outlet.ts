/**
 * What leaves over a WebSocket, whatever is in the messages: they wait, block, drain and end here.
 *
 *     open ──send says "queued"──▶ blocked ──drained──▶ open
 *       │                             │ no progress for writeDeadlineMs, or backlog over its bound
 *       └──────────end────────────────┴──▶ ended
 *
 * While open, what was produced in a turn leaves in one burst at its end. While blocked, messages wait here, in order;
 * the socket's own buffer holds little, so the bound on the backlog is ours.
 */
import type { Clock } from '../clock/clock.ts'
import type { Limits } from '../protocol/limits.ts'
import type { Socket } from './socket.ts'
import type { Turn } from './turn.ts'

export type Message = string | Uint8Array

/** What has been produced in this turn and is no message yet. */
export interface Unfinished {
  bytes(): number
  /** Hands it over now, by `sendNow` if `canSendNow`, by `enqueue` otherwise. */
  finish(): void
  forget(): void
}

export interface OutletParts {
  readonly turn: Turn
  readonly clock: Clock
  readonly limits: Limits
  /** Told when the socket is cut because the far side does not read; `backlog` in bytes. */
  readonly cutSlowReader: (backlog: number) => void
  /** The backlog was above the high-water mark and is small again. */
  readonly drained: () => void
  /** The socket is being cut: what comes in is of no interest any more. */
  readonly cutting: () => void
  readonly unfinished?: Unfinished
}

export interface Outlet {
  readonly state: 'open' | 'closing' | 'ended'
  /** Bytes of messages that have not left yet. */
  waitingBytes(): number
  /** Takes a message; it leaves at the end of this turn at the latest. */
  send(message: Message): void
  /** Something was added to what is unfinished: to be asked once in a turn, and again above `quietBytes`. */
  produced(): void
  /** How much may be unfinished in this turn before `produced` has to be asked again. */
  quietBytes(): number
  /** Takes a message that leaves with what follows it. */
  enqueue(message: Message): void
  /** Nothing is in front of a message that is sent now. */
  canSendNow(): boolean
  sendNow(message: Message): void
  /** Bytes (approximately) that were taken and have not left yet. */
  backlog(): number
  /** Closes the socket when everything has left. */
  close(code?: number, reason?: string): void
  cut(): void
  /** The socket has taken what it was given and keeps some of it; from a socket of another thread that comes late. */
  blocked(): void
  /** The socket can take more. */
  drained(): void
  /** The socket is closed. */
  closed(): void
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

export function createOutlet(socket: Socket, parts: OutletParts): Outlet {
  const { turn, clock, limits, cutSlowReader, unfinished, cutting, drained: tellOfDrain } = parts
  let queue: Message[] = []
  let head = 0
  let queuedBytes = 0
  /** Bytes in the socket's own buffer, when it was last looked at. */
  let bufferedBytes = 0
  let flushing = false
  let blocked = false
  let wasFull = false
  let state: Outlet['state'] = 'open'
  let closeCode = NO_STATUS
  let closeReason: string | undefined
  let cancelDeadline = (): void => {}

  function flush(): void {
    flushing = false
    if (state === 'ended') return
    if (!blocked && head < queue.length) {
      if (queue.length - head === 1) sendNext()
      else socket.cork(sendAll)
    }
    if (unfinished !== undefined && unfinished.bytes() > 0) unfinished.finish()
    if (blocked) return
    if (head === queue.length || (head > QUEUE_FRONT && head * 2 > queue.length)) {
      queue = queue.slice(head)
      head = 0
    }
    if (state === 'closing' && queue.length === 0) closeNow()
    else tellDrained()
  }

  function sendAll(): void {
    while (head < queue.length && !blocked) sendNext()
  }

  function sendNext(): void {
    const message = queue[head]!
    queue[head++] = ''
    queuedBytes -= message.length
    sendNow(message)
  }

  function sendNow(message: Message): void {
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

  const waitingBytes = (): number => queuedBytes + bufferedBytes

  function backlog(): number {
    return waitingBytes() + (unfinished === undefined ? 0 : unfinished.bytes())
  }

  function noteFull(): void {
    if (backlog() >= limits.outboundHighWaterBytes) wasFull = true
  }

  function tellDrained(): void {
    if (!wasFull || blocked || state !== 'open' || backlog() >= limits.drainedBytes) return
    wasFull = false
    tellOfDrain()
  }

  function forget(): void {
    state = 'ended'
    queue = []
    head = 0
    queuedBytes = 0
    bufferedBytes = 0
    unfinished?.forget()
    cancelDeadline()
  }

  function closeNow(): void {
    forget()
    socket.close(closeCode, closeReason)
  }

  function cut(): void {
    forget()
    cutting()
    socket.terminate()
  }

  function enqueue(message: Message): void {
    queue.push(message)
    queuedBytes += message.length
  }

  function produced(): void {
    const bytes = backlog()
    if (bytes >= limits.outboundHighWaterBytes) {
      wasFull = true
      if (bytes > limits.outboundBytes) {
        slow()
        return
      }
    }
    if (flushing) return
    // While blocked there is nothing to be done at the end of the turn but to finish what is unfinished.
    if (blocked && unfinished === undefined) return
    flushing = true
    turn.atEnd(flush)
  }

  return {
    get state() {
      return state
    },

    send(message) {
      if (state !== 'open') return
      enqueue(message)
      produced()
    },

    produced,
    waitingBytes,
    quietBytes: () => (flushing ? limits.outboundHighWaterBytes - waitingBytes() - 1 : -1),
    enqueue,
    canSendNow: () => !blocked && head === queue.length,
    sendNow,
    backlog,

    close(code = NO_STATUS, reason) {
      if (state !== 'open') return
      state = 'closing'
      closeCode = code
      closeReason = reason
      if (queue.length === 0 && !blocked && !flushing) closeNow()
    },

    cut,

    blocked() {
      if (state === 'ended') return
      if (blocked) bufferedBytes = socket.getBufferedAmount()
      else block()
      if (backlog() > limits.outboundBytes) slow()
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

    closed: forget,
  }
}
