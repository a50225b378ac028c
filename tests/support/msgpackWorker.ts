/** A worker that speaks msgpack over a bare TCP socket: it can say what a well-behaved client would not. */
import { type Frame, type FrameProblem, type InvokeFrame, newCall } from '../../src/protocol/frames.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { decodeMsgpack } from '../../src/protocol/msgpack/decode.ts'
import { encodeMsgpack } from '../../src/protocol/msgpack/encode.ts'
import {
  type Capability,
  type Hello,
  type HelloLimits,
  ownHello,
  readHello,
  writeHello,
} from '../../src/protocol/msgpack/hello.ts'
import { HELLO, SUBPROTOCOL } from '../../src/protocol/msgpack/layout.ts'
import { createOutBuffer, type OutBuffer } from '../../src/protocol/msgpack/outBuffer.ts'
import { createFrameReader, nextFrame, openMessage } from '../../src/protocol/msgpack/reader.ts'
import { registrationFrame } from './frames.ts'
import { createInbox, type Inbox, opcodes, openRaw, type RawWebSocket } from './rawWebSocket.ts'

export type Heard = Frame | FrameProblem

export interface MsgpackSocket extends RawWebSocket {
  /** Frames that have come, payloads as JSON text; the engine's hello is not among them. */
  readonly heard: Inbox<Heard>
  /** How many frames each message had. */
  readonly batches: number[]
  /** Largest message that came. */
  largest: number
  readonly hello: Promise<Hello>
  /** Code and reason of the close frame; rejects when the connection ends without. */
  readonly closing: Promise<string>
  /** One binary message. */
  bytes(message: Uint8Array | readonly number[]): void
  /** One message with these frames. */
  says(...frames: Frame[]): void
  /** The next frame of a type; others are passed over. */
  hears<Type extends Heard['type']>(type: Type): Promise<Extract<Heard, { type: Type }>>
}

/** The bytes that something writes. */
export function written(write: (out: OutBuffer) => void): Uint8Array {
  const out = createOutBuffer()
  write(out)
  return out.bytes.slice(0, out.length)
}

export const frameBytes = (...frames: Frame[]): Uint8Array =>
  written(out => {
    for (const frame of frames) encodeMsgpack(out, frame)
  })

/** Connects and upgrades; says nothing. */
export async function openMsgpack(port: number, protocols = SUBPROTOCOL): Promise<MsgpackSocket> {
  const raw = await openRaw(port, '/', { 'Sec-WebSocket-Protocol': protocols })
  const heard = createInbox<Heard>()
  const hello = Promise.withResolvers<Hello>()
  const closing = Promise.withResolvers<string>()
  // Not every test waits for these.
  for (const { promise } of [hello, closing]) promise.catch(() => {})
  const reader = createFrameReader()
  const socket: MsgpackSocket = {
    ...raw,
    heard,
    batches: [],
    largest: 0,
    hello: hello.promise,
    closing: closing.promise,
    bytes: message => raw.send(opcodes.binary, Uint8Array.from(message)),
    says: (...frames) => raw.send(opcodes.binary, frameBytes(...frames)),
    async hears(type) {
      for (;;) {
        const frame = await heard.next()
        if (frame.type === type) return frame as never
      }
    },
  }
  raw.listen(({ opcode, payload }) => {
    if (opcode === opcodes.close) {
      const code = payload.length < 2 ? 'no status' : payload.readUInt16BE(0)
      closing.resolve(`${code} ${payload.subarray(2)}`)
      raw.tcp.end()
    }
    if (opcode !== opcodes.binary) return
    openMessage(reader, payload, 0, payload.length)
    while (nextFrame(reader)) {
      if (reader.kind === HELLO) hello.resolve(readHello(reader) as Hello)
      else heard.push(decodeMsgpack(reader, 'json'))
    }
    if (reader.fault !== undefined) heard.end(`the engine sent a broken message: ${reader.fault.detail}`)
    socket.batches.push(reader.frames)
    socket.largest = Math.max(socket.largest, payload.length)
  })
  void raw.over.then(() => {
    heard.end('the connection is over')
    const error = new Error('the connection ended without a close frame')
    hello.reject(error)
    closing.reject(error)
  })
  return socket
}

export interface MsgpackWorker extends MsgpackSocket {
  readonly workerId: string
}

export interface WorkerOptions {
  readonly capabilities?: readonly Capability[]
  readonly limits?: Partial<HelloLimits>
  readonly functions?: readonly string[]
}

/** Connects, says hello and announces itself; when this resolves its functions are there. */
export async function connectMsgpack(
  port: number,
  name: string,
  { capabilities = [], limits = {}, functions = [] }: WorkerOptions = {},
): Promise<MsgpackWorker> {
  const socket = await openMsgpack(port)
  const own = ownHello('test', capabilities)
  socket.bytes(written(out => writeHello(out, { ...own, limits: { ...own.limits, ...limits } })))
  const { workerId } = await socket.hears('workerregistered')
  const announce = callFrame('engine::workers::register', JSON.stringify({ name, version: '0.23.0' }), 1)
  socket.says(announce, ...functions.map(registrationFrame))
  await socket.hears('invocationresult')
  return Object.assign(socket, { workerId })
}

/** A call as a worker makes it. `callId` absent: no answer is wanted. */
export function callFrame(
  functionId: string,
  data: string | InvokeFrame['data'],
  callId?: number,
  more: Partial<InvokeFrame> = {},
): InvokeFrame {
  return { ...newCall(functionId, typeof data === 'string' ? asJsonText(data) : data, callId), ...more }
}

export function resultFrame(invocationId: number, result: Payload, error?: string): Frame {
  return {
    type: 'invocationresult',
    invocationId,
    functionId: '',
    result: typeof result === 'string' ? asJsonText(result) : result,
    error: error === undefined ? undefined : asJsonText(error),
    traceparent: undefined,
    baggage: undefined,
  }
}

type Payload = string | InvokeFrame['data'] | undefined
