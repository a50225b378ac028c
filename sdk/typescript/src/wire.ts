/** Frames on a WebSocket: how they become messages in each framing. */
import type { Frame, FrameProblem } from '../../../src/protocol/frames.ts'
import { decodeJson } from '../../../src/protocol/json/decode.ts'
import { encodeJson } from '../../../src/protocol/json/encode.ts'
import { limits } from '../../../src/protocol/limits.ts'
import { decodeMsgpack } from '../../../src/protocol/msgpack/decode.ts'
import { encodeMsgpack } from '../../../src/protocol/msgpack/encode.ts'
import type { Fault } from '../../../src/protocol/msgpack/faults.ts'
import {
  agree,
  type Capability,
  type HelloLimits,
  ownHello,
  readHello,
  writeHello,
} from '../../../src/protocol/msgpack/hello.ts'
import { SUBPROTOCOL } from '../../../src/protocol/msgpack/layout.ts'
import { clear, createOutBuffer } from '../../../src/protocol/msgpack/outBuffer.ts'
import { createFrameReader, nextFrame, openMessage } from '../../../src/protocol/msgpack/reader.ts'
import type { FramingName } from './payloads.ts'

export interface WireParts {
  send(message: string | Uint8Array<ArrayBuffer>): void
  received(frame: Frame): void
  problem(problem: FrameProblem): void
  /** The connection must end: what comes on it cannot be trusted. */
  failed(fault: Fault): void
  /** The connection is over for the program: what still comes is of no interest. */
  isOver(): boolean
}

/** One for each connection. */
export interface Wire {
  /** The connection stands. */
  opened(): void
  /** Returns the size of the message if it is too large to be sent. */
  send(frame: Frame): { bytes: number; limit: number } | undefined
  received(data: string | ArrayBuffer): void
  /** What was sent and waits for the end of the turn leaves now. */
  flush(): void
}

export const protocolsOf = (framing: FramingName): string[] => (framing === 'msgpack' ? [SUBPROTOCOL] : [])

export function createWire(framing: FramingName, parts: WireParts): Wire {
  return framing === 'msgpack' ? createMsgpackWire(parts) : createJsonWire(parts)
}

function createJsonWire(parts: WireParts): Wire {
  return {
    opened() {},
    send(frame) {
      const text = encodeJson(frame)
      // A character takes three bytes at most: the bytes of most messages need not be counted.
      const bytes = text.length * 3 <= limits.messageBytes ? 0 : new TextEncoder().encode(text).length
      if (bytes > limits.messageBytes) return { bytes, limit: limits.messageBytes }
      parts.send(text)
      return undefined
    },
    received(data) {
      const frame = decodeJson(typeof data === 'string' ? data : new TextDecoder().decode(data))
      if (frame === undefined) return
      if (frame.type === 'problem') parts.problem(frame)
      else parts.received(frame)
    },
    flush() {},
  }
}

/** `cancel`: handlers have a signal. `caller`: it becomes part of the input. */
const CAPABILITIES: readonly Capability[] = ['cancel', 'caller']

function createMsgpackWire(parts: WireParts): Wire {
  const own = ownHello('iii-typescript', CAPABILITIES)
  const out = createOutBuffer()
  const reader = createFrameReader()
  let takes: HelloLimits = own.limits
  let frames = 0
  let isScheduled = false
  let isGreeted = false

  /** After what runs now and what waits for it: answers of handlers that are promises leave together, too. */
  function schedule(): void {
    if (isScheduled) return
    isScheduled = true
    queueMicrotask(() => queueMicrotask(flush))
  }

  function flush(): void {
    isScheduled = false
    if (out.length > 0 && !parts.isOver()) parts.send(out.bytes.slice(0, out.length))
    clear(out)
    frames = 0
  }

  function greeted(): boolean {
    if (!nextFrame(reader)) return false
    const theirs = readHello(reader)
    const agreement = 'reason' in theirs ? theirs : agree(own, theirs)
    if ('reason' in agreement) {
      reader.fault = agreement
      return false
    }
    takes = agreement.limits
    isGreeted = true
    return true
  }

  return {
    opened() {
      writeHello(out, own)
      frames++
      schedule()
    },

    send(frame) {
      const before = out.length
      encodeMsgpack(out, frame)
      const bytes = out.length - before
      if (bytes > takes.messageBytes) {
        out.length = before
        return { bytes, limit: takes.messageBytes }
      }
      if (out.length > takes.messageBytes || frames === takes.framesPerMessage) {
        const last = out.bytes.slice(before, out.length)
        out.length = before
        flush()
        out.bytes = last
        out.length = last.length
      }
      frames++
      schedule()
      return undefined
    },

    received(data) {
      if (typeof data === 'string') {
        parts.failed({ reason: 'text_message', detail: 'this connection speaks msgpack, in binary messages' })
        return
      }
      const bytes = new Uint8Array(data)
      openMessage(reader, bytes, 0, bytes.length)
      if (isGreeted || greeted()) {
        while (!parts.isOver() && nextFrame(reader)) {
          const frame = decodeMsgpack(reader, 'kept')
          if (reader.fault !== undefined) break
          if (frame.type === 'problem') parts.problem(frame)
          else parts.received(frame)
        }
      }
      if (reader.fault !== undefined) parts.failed(reader.fault)
    },

    flush,
  }
}
