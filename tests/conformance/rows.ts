/**
 * The kinds of links that the conformance suite runs over. A further kind is one more row: a name and a function that
 * gives both ends of a new link.
 */

import { systemClock } from '../../src/clock/clock.ts'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import { createLocalLink, type LocalSide } from '../../src/engine/links/local.ts'
import { silentLog } from '../../src/log/log.ts'
import type { Frame, FrameProblem } from '../../src/protocol/frames.ts'
import { decodeJson } from '../../src/protocol/json/decode.ts'
import { encodeJson } from '../../src/protocol/json/encode.ts'
import { type Limits, limits as usualLimits } from '../../src/protocol/limits.ts'
import type { Link, LinkReceiver } from '../../src/protocol/link.ts'
import { decodeMsgpack } from '../../src/protocol/msgpack/decode.ts'
import { encodeMsgpack } from '../../src/protocol/msgpack/encode.ts'
import { ownHello, writeHello } from '../../src/protocol/msgpack/hello.ts'
import { HELLO, SUBPROTOCOL } from '../../src/protocol/msgpack/layout.ts'
import { clear, createOutBuffer, type OutBuffer } from '../../src/protocol/msgpack/outBuffer.ts'
import { createFrameReader, nextFrame, openMessage } from '../../src/protocol/msgpack/reader.ts'
import { type Listener, listen } from '../../src/server/listener.ts'
import { createSocketHandlers, type SocketHandlers, type SocketParts } from '../../src/server/sockets.ts'
import { createTurn } from '../../src/server/turn.ts'
import { createRelay } from '../../src/threads/relay.ts'
import { createRingLink, type RingLink } from '../../src/threads/ringLink.ts'
import { createRingBuffer } from '../../src/threads/ringMemory.ts'
import { createStandins } from '../../src/threads/standins.ts'
import {
  clientFrame,
  createInbox,
  type Opcode,
  opcodes,
  openRaw,
  type RawWebSocket,
} from '../support/rawWebSocket.ts'

/** One side of a link. What has come before `listen` is delivered then. */
export interface LinkSide {
  readonly link: Link
  listen(receiver: LinkReceiver): void
}

export interface LinkKind {
  readonly name: string
  /** A new link; `engine` is the side the engine would have, `worker` the far one. */
  open(): Promise<{ engine: LinkSide; worker: LinkSide }>
  /** Frees what the kind holds on to. */
  close(): Promise<void>
}

function local(): LinkKind {
  const endOf = (side: LocalSide): LinkSide => ({ link: side, listen: receiver => side.listen(receiver) })
  return {
    name: 'LocalLink',
    async open() {
      const [engine, worker] = createLocalLink()
      return { engine: endOf(engine), worker: endOf(worker) }
    },
    async close() {},
  }
}

/** How a worker writes and reads messages. */
interface Framing {
  readonly name: Link['framing']
  readonly opcode: Opcode
  /** Appends a frame to what will be sent; returns a message that is complete. */
  add(out: OutBuffer, frame: Frame): string | undefined
  decode(message: Buffer): (Frame | FrameProblem)[]
}

const json: Framing = {
  name: 'json',
  opcode: opcodes.text,
  add: (_, frame) => encodeJson(frame),
  decode(message) {
    const frame = decodeJson(message.toString())
    return frame === undefined ? [] : [frame]
  },
}

const msgpack: Framing = {
  name: 'msgpack',
  opcode: opcodes.binary,
  add(out, frame) {
    encodeMsgpack(out, frame)
    return undefined
  },
  decode(message) {
    const reader = createFrameReader()
    const frames: (Frame | FrameProblem)[] = []
    openMessage(reader, message, 0, message.length)
    while (nextFrame(reader)) if (reader.kind !== HELLO) frames.push(decodeMsgpack(reader, 'json'))
    if (reader.fault !== undefined) throw new Error(reader.fault.detail)
    return frames
  },
}

/** The worker's side over a bare TCP socket, so that it can be paused and cut. */
function overTcp(socket: RawWebSocket, framing: Framing): LinkSide {
  const { tcp } = socket
  let receiver: LinkReceiver | undefined
  /** What has come and waits: for a receiver, or for `resume`. */
  let waiting: ((to: LinkReceiver) => void)[] = []
  let paused = false
  let ending = false
  let isOver = false

  function arrived(event: (to: LinkReceiver) => void): void {
    waiting.push(event)
    deliver()
  }

  function deliver(): void {
    while (receiver !== undefined && !paused && waiting.length > 0) waiting.shift()!(receiver)
  }

  function over(): void {
    if (isOver) return
    isOver = true
    arrived(to => to.ended())
  }

  socket.listen(({ opcode, payload }) => {
    if (opcode === opcodes.close) {
      tcp.end()
      over()
    }
    if (opcode !== framing.opcode || isOver || ending) return
    for (const frame of framing.decode(payload)) {
      if (!ending) arrived(to => (frame.type === 'problem' ? to.problem(frame) : to.receive(frame)))
    }
  })
  tcp.on('drain', () => receiver?.drained())
  void socket.over.then(over)

  /** Frames that leave together, at the end of this turn. */
  const out = createOutBuffer()
  let flushing = false

  function flush(): void {
    flushing = false
    if (out.length > 0 && !isOver && !ending)
      tcp.write(clientFrame(framing.opcode, out.bytes.slice(0, out.length)))
    clear(out)
  }

  const link: Link = {
    framing: framing.name,
    batch: undefined,
    send(frame) {
      if (isOver || ending) return
      const message = framing.add(out, frame)
      if (message !== undefined) tcp.write(clientFrame(framing.opcode, message))
      else if (!flushing) {
        flushing = true
        queueMicrotask(flush)
      }
    },
    backlog: () => tcp.writableLength + out.length,
    pause() {
      paused = true
      tcp.pause()
    },
    resume() {
      if (!paused) return
      paused = false
      tcp.resume()
      setImmediate(deliver)
    },
    end(how) {
      if (ending || isOver) return
      flush()
      ending = true
      waiting = []
      paused = false
      if (how === 'cut') tcp.destroy()
      else {
        tcp.end(clientFrame(opcodes.close, ''))
        // The rest of what comes is read, or the end would not be seen.
        tcp.resume()
      }
    },
  }
  return {
    link,
    listen(next) {
      receiver = next
      deliver()
    },
  }
}

/** An acceptor and the shard behind it, on one thread: handlers for the sockets of the first, links on the second. */
interface Relayed {
  readonly handlers: SocketHandlers
  drop(): void
}

function relayed(parts: SocketParts): Relayed {
  const [there, back] = [createRingBuffer(usualLimits.ringBytes), createRingBuffer(usualLimits.ringBytes)]
  const common = { clock: systemClock, turn: parts.turn }
  const acceptor = createRingLink({ ...common, incoming: back, outgoing: there })
  const shard = createRingLink({ ...common, incoming: there, outgoing: back })
  const relay = createRelay()
  const standins = createStandins(() => shard, createSocketHandlers(parts))
  const deaf = { receive() {}, problem() {}, ended() {} }
  acceptor.listen(
    { ...deaf, drained: () => relay.shardDrained(acceptor) },
    { note() {}, record: (...record) => relay.ordered(acceptor, ...record), recordsEnd: relay.ordersEnd },
  )
  shard.listen({ ...deaf, drained: standins.acceptorDrained }, { note() {}, record: standins.happened })
  relay.addShard(acceptor)
  return {
    handlers: relay,
    drop() {
      acceptor.drop()
      shard.drop()
    },
  }
}

/** The engine's side: what the real listener hands to an engine, itself or through an acceptor. */
function socket(name: string, framing: Framing, accepting: 'itself' | 'relayed' = 'itself'): LinkKind {
  const accepted = createInbox<LinkSide>()
  const limits: Limits = usualLimits
  const engine: Engine = {
    ...createEngine({ clock: systemClock, log: silentLog, randomId: () => crypto.randomUUID(), limits }),
    connect(link) {
      const early: (() => void)[] = []
      let receiver: LinkReceiver | undefined
      const pass = (event: (receiver: LinkReceiver) => void): void => {
        if (receiver === undefined) early.push(() => event(receiver!))
        else event(receiver)
      }
      accepted.push({
        link,
        listen(next) {
          receiver = next
          for (const event of early) event()
        },
      })
      return {
        workerId: '',
        receiver: {
          receive: frame => pass(to => to.receive(frame)),
          receiveBatch(reader) {
            while (nextFrame(reader)) {
              const frame = decodeMsgpack(reader, 'json')
              pass(to => (frame.type === 'problem' ? to.problem(frame) : to.receive(frame)))
            }
          },
          problem: problem => pass(to => to.problem(problem)),
          drained: () => pass(to => to.drained()),
          ended: () => pass(to => to.ended()),
        },
      }
    },
  }
  const settings = { host: '127.0.0.1', port: 0, handshake_timeout_ms: 10_000 }
  const parts: SocketParts = { engine, turn: createTurn(), clock: systemClock, log: silentLog }
  const relay = accepting === 'relayed' ? relayed(parts) : undefined
  let listener: Listener | undefined
  return {
    name,
    async open() {
      listener ??= listen(settings, { ...parts, insecure: false, handlers: relay?.handlers })
      const { port } = listener
      const dialled = async (): Promise<RawWebSocket> => {
        if (framing !== msgpack) return openRaw(port)
        const raw = await openRaw(port, '/', { 'Sec-WebSocket-Protocol': SUBPROTOCOL })
        const hello = createOutBuffer()
        writeHello(hello, ownHello('conformance', []))
        raw.send(opcodes.binary, hello.bytes.subarray(0, hello.length))
        return raw
      }
      const [worker, engineEnd] = await Promise.all([dialled(), accepted.next()])
      return { engine: engineEnd, worker: overTcp(worker, framing) }
    },
    async close() {
      await listener?.stop()
      relay?.drop()
    },
  }
}

/** Both ends on one thread: what differs between threads is tested with the ring (`tests/threads`). */
function ring(): LinkKind {
  const links: RingLink[] = []
  function endOf(incoming: SharedArrayBuffer, outgoing: SharedArrayBuffer): LinkSide {
    const link = createRingLink({ incoming, outgoing, clock: systemClock, turn: createTurn() })
    links.push(link)
    return { link, listen: receiver => link.listen(receiver) }
  }
  return {
    name: 'RingLink',
    async open() {
      const [there, back] = [createRingBuffer(usualLimits.ringBytes), createRingBuffer(usualLimits.ringBytes)]
      return { engine: endOf(back, there), worker: endOf(there, back) }
    },
    async close() {
      for (const link of links) link.drop()
    },
  }
}

export const kinds: readonly LinkKind[] = [
  local(),
  socket('JsonLink', json),
  socket('MsgpackLink', msgpack),
  socket('JsonLink of a relayed socket', json, 'relayed'),
  socket('MsgpackLink of a relayed socket', msgpack, 'relayed'),
  ring(),
]
