/**
 * The link over a WebSocket, msgpack framing: a message is any number of frames (`docs/protocol/msgpack.md`).
 *
 * Frames are appended to one out-buffer and leave as one message at the end of the turn. The buffer is split where a
 * message would become larger, or hold more frames, than the far side takes.
 */
import { copyBytes } from '../protocol/bytes.ts'
import type { Frame } from '../protocol/frames.ts'
import type { Batch } from '../protocol/link.ts'
import { encodeMsgpack } from '../protocol/msgpack/encode.ts'
import { closeCodes, closeReason, type Fault } from '../protocol/msgpack/faults.ts'
import type { HelloLimits } from '../protocol/msgpack/hello.ts'
import { clear, createOutBuffer, type OutBuffer } from '../protocol/msgpack/outBuffer.ts'
import { type FrameReader, openMessage } from '../protocol/msgpack/reader.ts'
import type { Socket } from './socket.ts'
import { createWays, type SocketLink, type SocketLinkParts } from './socketLink.ts'

/** A message, or what is left of one, and how many of its frames have been read. */
export interface OpenMessage {
  readonly bytes: Uint8Array
  readonly from: number
  readonly frames: number
}

export interface MsgpackLink extends SocketLink<OpenMessage> {
  readonly framing: 'msgpack'
  readonly out: OutBuffer
  readonly batch: Batch
  /** What the far side takes; known when its hello has come. */
  takes: HelloLimits
  /** Ends the link because nothing that comes can be trusted; what was produced before still leaves. */
  fail(fault: Fault): void
}

export interface MsgpackLinkParts extends SocketLinkParts {
  /** May be shared: messages are read one at a time. */
  readonly reader: FrameReader
  /** What the far side is believed to take until it has said. */
  readonly takes: HelloLimits
  /** Reads the frames of the message that is open, up to its end, its fault, or until the reader is halted. */
  readonly read: (reader: FrameReader) => void
  /** A frame was dropped because the far side takes no message as large as that. */
  readonly tooLarge: (frame: Frame, bytes: number) => void
  /** Told of the fault that ends the link. */
  readonly failed: (fault: Fault) => void
}

/** Frames appended in one go: more would hide too much from the backlog. */
const MOST_AT_ONCE = 256

export function createMsgpackLink(socket: Socket, parts: MsgpackLinkParts): MsgpackLink {
  const { reader } = parts
  const out = createOutBuffer()
  /** Frames in the out-buffer, and where the last of them ends. */
  let frames = 0
  let lastEnd = 0
  /** Up to here the out-buffer may grow, and so many frames may be in it, until there is something to be done. */
  let quietBytes = -1
  let quietFrames = 0
  let reading = false

  const { outlet, inlet, end, probe, ponged, closed } = createWays<OpenMessage>(socket, {
    ...parts,
    receiver: () => link.receiver,
    deliver,
    unfinished: { bytes: () => out.length, finish, forget },
  })

  function forget(): void {
    clear(out)
    frames = 0
    lastEnd = 0
    quietBytes = -1
  }

  /** The out-buffer becomes a message. Only what has to wait is copied. */
  function finish(): void {
    if (outlet.canSendNow()) outlet.sendNow(out.bytes.subarray(0, out.length))
    else outlet.enqueue(out.bytes.slice(0, out.length))
    forget()
  }

  /** What was appended last does not fit any more: what was before it becomes a message. */
  function split(more: number): void {
    const { length } = out
    outlet.enqueue(out.bytes.slice(0, lastEnd))
    copyBytes(out.bytes, lastEnd, length, out.bytes, 0)
    out.length = length - lastEnd
    frames = more
  }

  function appended(more = 1): void {
    frames += more
    if (out.length <= quietBytes && frames <= quietFrames) {
      lastEnd = out.length
      return
    }
    look(more)
  }

  /** After the first frame of a turn, and when the out-buffer has become large. */
  function look(more: number): void {
    if (outlet.state !== 'open') {
      forget()
      return
    }
    const { messageBytes, framesPerMessage } = link.takes
    if ((out.length > messageBytes || frames > framesPerMessage) && frames > more) split(more)
    lastEnd = out.length
    outlet.produced()
    quietBytes = Math.min(messageBytes, outlet.quietBytes())
    quietFrames = framesPerMessage
  }

  function deliver(message: OpenMessage): OpenMessage | undefined {
    openMessage(reader, message.bytes, message.from, message.bytes.length)
    reader.frames = message.frames
    reading = true
    try {
      parts.read(reader)
    } finally {
      reading = false
      reader.halted = false
    }
    if (reader.fault !== undefined) link.fail(reader.fault)
    else if (inlet.isPaused() && reader.end < reader.to) {
      return { bytes: message.bytes, from: reader.end, frames: reader.frames }
    }
    return undefined
  }

  const link: MsgpackLink = {
    framing: 'msgpack',
    out,
    batch: {
      out,
      appended,
      speakFor: undefined,
      get mostAtOnce() {
        return Math.min(MOST_AT_ONCE, link.takes.framesPerMessage)
      },
    },
    receiver: undefined,
    takes: parts.takes,

    send(frame) {
      if (outlet.state !== 'open') return
      const before = out.length
      encodeMsgpack(out, frame)
      const bytes = out.length - before
      if (bytes > link.takes.messageBytes) {
        out.length = before
        parts.tooLarge(frame, bytes)
      } else appended()
    },

    fail(fault) {
      if (outlet.state !== 'open') return
      parts.failed(fault)
      end('orderly', closeCodes[fault.reason], closeReason(fault))
    },

    received(message) {
      inlet.received(message)
    },

    backlog: () => outlet.waitingBytes() + out.length,

    pause() {
      inlet.pause()
      if (reading) reader.halted = true
    },

    resume() {
      if (reading) reader.halted = false
      inlet.resume()
    },

    end(how) {
      if (reading) reader.halted = true
      end(how)
    },

    blocked: outlet.blocked,
    drained: outlet.drained,
    probe,
    ponged,
    closed,
  }
  return link
}
