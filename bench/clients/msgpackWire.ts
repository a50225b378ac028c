/**
 * The worker protocol in msgpack for raw clients: what was made in one turn leaves as one message, and frames that
 * differ only in their call id are copied from one that was written before.
 */
import { copyBytes } from '../../src/protocol/bytes.ts'
import { newCall } from '../../src/protocol/frames.ts'
import { toJsonText } from '../../src/protocol/jsonText.ts'
import { decodeMsgpack } from '../../src/protocol/msgpack/decode.ts'
import { encodeMsgpack } from '../../src/protocol/msgpack/encode.ts'
import { ownHello, writeHello } from '../../src/protocol/msgpack/hello.ts'
import { CODEC_JSON, SUBPROTOCOL } from '../../src/protocol/msgpack/layout.ts'
import {
  appendBytes,
  createOutBuffer,
  type OutBuffer,
  reserve,
} from '../../src/protocol/msgpack/outBuffer.ts'
import type { BytesPayload } from '../../src/protocol/msgpack/payload.ts'
import {
  createFrameReader,
  type FrameReader,
  nextFrame,
  openMessage,
} from '../../src/protocol/msgpack/reader.ts'
import { FIRST_CALL_ID, writeCall } from '../../src/protocol/msgpack/writeCall.ts'
import { connectOn, threadIn } from './placed.ts'

export interface MsgpackSocket {
  readonly out: OutBuffer
  /** Sends what has been appended to `out` as one message. */
  flush(): void
  close(): void
}

/** `onFrame` gets each frame that is not the engine's hello; when all frames of a message were read, `out` leaves. */
export function connectMsgpack(
  url: string,
  onFrame: (reader: FrameReader) => void,
  onMessage: () => void = () => {},
): Promise<MsgpackSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, [SUBPROTOCOL])
    // Bun's own: no copy and no view of an ArrayBuffer.
    socket.binaryType = 'nodebuffer' as BinaryType
    const out = createOutBuffer()
    const reader = createFrameReader()
    function flush(): void {
      if (out.length === 0) return
      socket.send(out.bytes.subarray(0, out.length) as Uint8Array<ArrayBuffer>)
      out.length = 0
    }
    function close(): void {
      socket.onclose = null
      socket.close()
    }
    socket.onopen = () => {
      writeHello(out, ownHello('bench', []))
      resolve({ out, flush, close })
    }
    socket.onerror = () => reject(new Error(`no connection to ${url}`))
    socket.onclose = ({ code, reason }) => {
      console.error(`the engine closed the connection: ${code} ${reason}`)
      process.exit(1)
    }
    socket.onmessage = ({ data }) => {
      const bytes = data as unknown as Buffer
      onMessage()
      openMessage(reader, bytes, 0, bytes.length)
      while (nextFrame(reader)) onFrame(reader)
      flush()
    }
  })
}

/**
 * The same, announced, on a thread of the engine; wherever it is if none is said. `onFrame` gets frames from when it is
 * there.
 */
export function connectAnnouncedMsgpack(
  url: string,
  name: string,
  thread: number | undefined,
  onFrame: (reader: FrameReader) => void,
  onMessage?: () => void,
): Promise<MsgpackSocket> {
  return connectOn(thread, async () => {
    let take = onFrame
    const { promise, resolve } = Promise.withResolvers<number | undefined>()
    if (thread !== undefined) {
      take = reader => {
        const frame = decodeMsgpack(reader, 'json')
        if (frame.type === 'workerregistered') {
          writeCall(
            socket.out,
            FIRST_CALL_ID,
            INFO,
            undefined,
            payloadOf(JSON.stringify({ id: frame.workerId })),
          )
        } else if (frame.type === 'invocationresult') {
          take = onFrame
          resolve(threadIn(JSON.parse(frame.result as string)))
        }
      }
    }
    const socket = await connectMsgpack(url, reader => take(reader), onMessage)
    announceMsgpack(socket.out, name)
    socket.flush()
    return { ...socket, thread: () => promise }
  })
}

const INFO = 'engine::workers::info'

export function payloadOf(json: string): BytesPayload {
  const bytes = Buffer.from(json)
  return { codec: CODEC_JSON, bytes, start: 0, end: bytes.length }
}

/** Fixes the connection's namespace at once; otherwise the engine waits for this. */
function announceMsgpack(out: OutBuffer, name: string): void {
  const data = { name, runtime: 'bench', version: '0', os: process.platform, pid: process.pid }
  encodeMsgpack(out, newCall('engine::workers::register', toJsonText(data)))
}

/** Where the call id lies in a call or an answer: behind the head, the kind and its own lead byte. */
const CALL_ID_AT = 3

/** Appends a frame that was written before, under another call id. */
export function appendFrame(out: OutBuffer, frame: Uint8Array, callId: number): void {
  const at = out.length
  reserve(out, frame.length)
  copyBytes(frame, 0, frame.length, out.bytes, at)
  out.bytes[at + CALL_ID_AT] = callId >>> 24
  out.bytes[at + CALL_ID_AT + 1] = callId >>> 16
  out.bytes[at + CALL_ID_AT + 2] = callId >>> 8
  out.bytes[at + CALL_ID_AT + 3] = callId
  out.length = at + frame.length
}

/** The bytes of a frame that `write` appends. */
export function frameOf(write: (out: OutBuffer) => void): Uint8Array {
  const out = createOutBuffer()
  write(out)
  const frame = createOutBuffer()
  appendBytes(frame, out.bytes, 0, out.length)
  return frame.bytes.slice(0, frame.length)
}
