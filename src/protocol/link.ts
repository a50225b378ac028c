/**
 * A link is a two-way, ordered pipe of frames between the engine and one worker, or between two threads of it.
 *
 * There are several kinds (a WebSocket, on this thread or relayed by another, a function call on the same thread, a pair of
 * rings between threads) and one conformance suite, `tests/conformance/link.test.ts`. Each kind promises:
 *  - frames arrive in the order they were sent, none twice, none changed, none lost while the link is open;
 *  - `send` never blocks and never throws; after the end it does nothing;
 *  - nothing is delivered, and no end is told, from within `send` or `end`: a receiver runs in a turn of its own;
 *  - after `pause` no further frame is delivered until `resume`, and the far side sees its backlog grow;
 *  - the far side hears of the end once, after every frame that was sent before an orderly end.
 */
import type { FanOutFrame, Frame, FrameProblem } from './frames.ts'
import type { OutBuffer } from './msgpack/outBuffer.ts'
import type { FrameReader } from './msgpack/reader.ts'

/** `orderly` tells the far side with a close; `cut` just ends the pipe. */
export type LinkEnd = 'orderly' | 'cut'

/**
 * What a link that speaks msgpack offers beyond frames: bytes of frames may be appended to `out` directly, which
 * is how a call crosses the engine without being decoded.
 */
export interface Batch {
  readonly out: OutBuffer
  /** To be called after a whole frame was appended, or up to `mostAtOnce` of them, 64 KiB together. */
  appended(frames?: number): void
  /** Frames that may be appended in one go; absent: one by one. */
  readonly mostAtOnce?: number
  /** Says whose calls follow, before they are appended. Only between threads, where the link does not say it. */
  readonly speakFor: ((workerId: string | undefined) => void) | undefined
}

export interface Link {
  readonly framing: 'json' | 'msgpack'
  /**
   * Frames arrive as the objects that were sent: an id of a call need not be a UUID, and the caller stands in its field, not
   * in the payload. Only on links within a thread.
   */
  readonly passesFrames?: boolean
  /** Present on links that speak msgpack. */
  readonly batch: Batch | undefined
  /** Hands a frame over; it leaves at the end of this turn at the latest. */
  send(frame: Frame): void
  /** The same for a payload that many functions get. Only on links within the process. */
  readonly fanOut?: (frame: FanOutFrame) => void
  /**
   * Asks the thread at the far side to hold one of its workers back, or (`false`) to let it go on. Only on links between
   * threads.
   */
  readonly holdBack?: (workerId: string, isHeld: boolean) => void
  /** Calls handed over here whose handlers wait for something to happen. Only on links within a thread. */
  readonly waiting?: () => number
  /**
   * Asks the far side for a sign of life; `heard` is called when there is one, which may be never. Absent where the far side
   * cannot be gone unnoticed.
   */
  readonly probe?: (heard: () => void) => void
  /** Bytes (approximately) that were sent and have not left yet. */
  backlog(): number
  /** Stops the delivery of frames from the far side; they wait there or in a bounded buffer. */
  pause(): void
  resume(): void
  end(how: LinkEnd): void
}

/** What one side of a link does with what comes in. */
export interface LinkReceiver {
  receive(frame: Frame): void
  /** A payload for many functions. Only from links within the process. */
  receiveFanOut?(frame: FanOutFrame): void
  /**
   * A message of the msgpack framing, opened. Only from links that speak it. If the link is paused meanwhile, the
   * frames from `reader.end` on have not been taken.
   */
  receiveBatch?(reader: FrameReader): void
  /** A message that could not become a frame. */
  problem(problem: FrameProblem): void
  /** The backlog fell below the high-water mark again. */
  drained(): void
  /** The link is over. Called once; nothing follows. */
  ended(): void
}
