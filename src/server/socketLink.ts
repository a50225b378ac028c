/**
 * What all links over a WebSocket have in common: what leaves goes through an outlet, what comes in through an inlet.
 * They differ in what a message is (`jsonLink.ts`, `msgpackLink.ts`).
 */
import type { Clock } from '../clock/clock.ts'
import type { Limits } from '../protocol/limits.ts'
import type { Link, LinkEnd, LinkReceiver } from '../protocol/link.ts'
import { createInlet, type Inlet } from './inlet.ts'
import { createOutlet, type Outlet, type Unfinished } from './outlet.ts'
import type { Socket } from './socket.ts'
import type { Turn } from './turn.ts'

export interface SocketLink<Message> extends Link {
  /** Who gets what comes in, and is told of drains and the end. */
  receiver: LinkReceiver | undefined
  /** A message has come over the socket. */
  received(message: Message): void
  /** The socket keeps some of what it was given: of sockets on another thread, where `send` could not say so. */
  blocked(): void
  /** The socket can take more. */
  drained(): void
  /** The far side has answered a ping. */
  ponged(): void
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

/** The two ways of a link, tied together: what ends one ends the other. */
export interface SocketWays<Message> {
  readonly outlet: Outlet
  readonly inlet: Inlet<Message>
  /** Ends the link; `code` and `reason` go into the close frame of an orderly end. */
  end(how: LinkEnd, code?: number, reason?: string): void
  probe(heard: () => void): void
  ponged(): void
  closed(): void
}

export interface WaysParts<Message> extends SocketLinkParts {
  readonly receiver: () => LinkReceiver | undefined
  readonly deliver: (message: Message) => Message | undefined
  readonly unfinished?: Unfinished
}

export function createWays<Message>(socket: Socket, parts: WaysParts<Message>): SocketWays<Message> {
  const { guard, receiver } = parts
  const outlet = createOutlet(socket, {
    ...parts,
    drained: () => guard(() => receiver()?.drained()),
    cutting: () => void inlet.ignore(),
  })
  const inlet = createInlet<Message>(socket, {
    ...parts,
    isOpen: () => outlet.state === 'open',
    isLive: () => outlet.state !== 'ended',
    ended: () => receiver()?.ended(),
  })
  /** Who is to hear of the next pong. */
  let probing: (() => void)[] = []
  return {
    outlet,
    inlet,

    probe(heard) {
      if (outlet.state === 'ended') return
      if (probing.push(heard) === 1) socket.ping()
    },

    ponged() {
      const heard = probing
      probing = []
      for (const tell of heard) guard(tell)
    },

    end(how, code, reason) {
      const { state } = outlet
      if (state === 'closing') return
      const wasPaused = inlet.ignore()
      if (state === 'ended') {
        if (inlet.isClosed()) inlet.deliverSoon()
      } else if (how === 'cut') {
        outlet.cut()
      } else {
        // Or the far side's own close would not be seen.
        if (wasPaused) socket.resume()
        outlet.close(code, reason)
      }
    },

    closed() {
      outlet.closed()
      inlet.closed()
    },
  }
}
