/**
 * How a client reaches an engine. The client core is the same over each transport: a WebSocket from another
 * process, a local link from inside the engine.
 */
import type { FanOutFrame, Frame, FrameProblem } from '../../../src/protocol/frames.ts'
import type { FramingName } from './payloads.ts'

export interface TransportReceiver {
  /** A connection stands. Called again after each reconnect. */
  opened(): void
  received(frame: Frame): void
  /** A message came that is no frame; it is lost. */
  problem(problem: FrameProblem): void
  /** The connection is gone. `final`: the transport will not try again. */
  closed(final: boolean, error?: Error): void
}

export interface Transport {
  /**
   * True when the engine at the other end answers a call whose `timeoutMs` has passed. Then the client keeps no
   * timers of its own.
   */
  readonly engineKeepsDeadlines: boolean
  /** Absent: `json`. With `msgpack`, call ids are integers and payloads may be bytes. */
  readonly framing?: FramingName
  /** Starts connecting; events go to `receiver`, never from within this call. */
  open(receiver: TransportReceiver): void
  /** Hands a frame over. Only between `opened` and `closed`. */
  send(frame: Frame): void
  /** Ends the connection for good. */
  close(): void
}

/** The transport of a worker inside the engine's process. */
export interface InsideTransport extends Transport {
  /** Hands over a payload for many functions. Only between `opened` and `closed`. */
  fanOut(frame: FanOutFrame): void
  /** So many more calls wait for something to happen; negative: fewer. */
  wait(more: number): void
}
