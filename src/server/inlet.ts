/**
 * What comes in over a WebSocket: delivered at once, or held while the link is paused. A paused socket reads no more,
 * but what was read already still comes (up to half a MiB and one message).
 */

import type { Socket } from './socket.ts'
import type { Turn } from './turn.ts'

export interface InletParts<Message> {
  readonly turn: Turn
  /** Runs deliveries so that a fault in one of them harms nobody else. */
  readonly guard: (deliver: () => void) => void
  /** The link is open: what comes in counts. */
  readonly isOpen: () => boolean
  /** The link has not ended: the socket is there to be paused and resumed. */
  readonly isLive: () => boolean
  /** Delivers a message; what it returns is the rest that has to wait because the link was paused on the way. */
  readonly deliver: (message: Message) => Message | undefined
  /** The link is over. Called once, when everything that had come was delivered. */
  readonly ended: () => void
}

export interface Inlet<Message> {
  received(message: Message): void
  pause(): void
  resume(): void
  /** What has come and waits is dropped. Returns whether the link was paused. */
  ignore(): boolean
  /** What waits is delivered in a turn of its own, and then the end is told if it has come. */
  deliverSoon(): void
  /** The socket is closed. */
  closed(): void
  isPaused(): boolean
  isClosed(): boolean
}

export function createInlet<Message>(socket: Socket, parts: InletParts<Message>): Inlet<Message> {
  const { turn, guard, isOpen, isLive, deliver, ended } = parts
  let paused = false
  let held: Message[] = []
  let delivering = false
  let socketIsClosed = false
  let toldOfEnd = false

  function tellOfEnd(): void {
    if (toldOfEnd) return
    toldOfEnd = true
    guard(ended)
  }

  function deliverHeld(): void {
    delivering = false
    let next = 0
    const messages = held
    while (next < messages.length && !paused && held === messages) {
      const message = messages[next++]!
      guard(() => {
        const rest = deliver(message)
        if (rest !== undefined) messages[--next] = rest
      })
    }
    if (held === messages) held = messages.slice(next)
    if (paused) return
    if (socketIsClosed) tellOfEnd()
    else if (isLive()) socket.resume()
  }

  function deliverSoon(): void {
    if (delivering) return
    delivering = true
    turn.atEnd(deliverHeld)
  }

  return {
    received(message) {
      if (!isOpen()) return
      if (paused || held.length > 0) {
        held.push(message)
        return
      }
      const rest = deliver(message)
      if (rest !== undefined && isOpen()) held.push(rest)
    },

    pause() {
      if (!isOpen() || paused) return
      paused = true
      socket.pause()
    },

    resume() {
      if (!paused) return
      paused = false
      if (held.length > 0 || socketIsClosed) deliverSoon()
      else if (isLive() && !delivering) socket.resume()
    },

    ignore() {
      const wasPaused = paused
      held = []
      paused = false
      return wasPaused
    },

    deliverSoon,

    closed() {
      socketIsClosed = true
      // A close can come from within `send` or `end`; the receiver is told in a turn of its own.
      if (!paused) deliverSoon()
    },

    isPaused: () => paused,
    isClosed: () => socketIsClosed,
  }
}
