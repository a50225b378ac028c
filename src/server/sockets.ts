/**
 * What becomes of sockets that were accepted: each is a link of the engine on this thread. The sockets may be real ones,
 * or stand for sockets of another thread.
 */
import { isUtf8 } from 'node:buffer'
import type { Clock } from '../clock/clock.ts'
import type { Engine } from '../engine/engine.ts'
import { resultTooLarge } from '../engine/refusals.ts'
import type { Log } from '../log/log.ts'
import { isMilestone } from '../log/notices.ts'
import type { Frame, FrameProblem } from '../protocol/frames.ts'
import { decodeJson } from '../protocol/json/decode.ts'
import type { Fault } from '../protocol/msgpack/faults.ts'
import { createFrameReader } from '../protocol/msgpack/reader.ts'
import { greet } from './greeting.ts'
import { createJsonLink, type JsonLink } from './jsonLink.ts'
import type { MsgpackLink } from './msgpackLink.ts'
import type { Socket } from './socket.ts'
import type { SocketLinkParts } from './socketLink.ts'
import { isTelemetry } from './telemetry.ts'
import type { Turn } from './turn.ts'

export interface SocketData {
  readonly kind: 'worker' | 'telemetry'
  readonly ipAddress: string
  readonly framing: 'json' | 'msgpack'
  link: JsonLink | MsgpackLink | undefined
}

export interface SocketHandlers {
  opened(socket: Socket<SocketData>): void
  received(socket: Socket<SocketData>, message: string | Buffer<ArrayBuffer>): void
  /** Only for sockets of another thread; others say it themselves. */
  blocked(socket: Socket<SocketData>): void
  drained(socket: Socket<SocketData>): void
  /** The far side has answered a ping. */
  ponged(socket: Socket<SocketData>): void
  closed(socket: Socket<SocketData>): void
}

export interface SocketParts {
  readonly engine: Engine
  readonly turn: Turn
  readonly clock: Clock
  readonly log: Log
}

/** A binary message that is no telemetry counts as text (`docs/protocol/json.md#text-and-binary`). */
function decodeBinary(message: Buffer): Frame | FrameProblem | undefined {
  if (isUtf8(message)) return decodeJson(message.toString('utf8'))
  return {
    type: 'problem',
    reason: 'not_utf8',
    detail: 'the binary message is neither telemetry nor UTF-8',
    about: undefined,
    invocationId: undefined,
    functionId: undefined,
  }
}

export function createSocketHandlers({ engine, turn, clock, log }: SocketParts): SocketHandlers {
  const { limits } = engine.state
  let tooLargeFrames = 0
  /** One serves all connections: their messages are read one at a time. */
  const reader = createFrameReader()

  function opened(socket: Socket<SocketData>): void {
    const { data } = socket
    if (data.kind === 'telemetry') return
    data.link = data.framing === 'json' ? openJson(socket) : openMsgpack(socket)
  }

  function linkParts({ ipAddress }: SocketData, workerId: () => string): SocketLinkParts {
    return {
      turn,
      clock,
      limits,
      cutSlowReader(backlog) {
        engine.state.counters.slowReaders++
        log.warn('a worker that does not read was cut', {
          ...who(workerId()),
          ip_address: ipAddress,
          unread_bytes: backlog,
        })
      },
      guard,
    }
  }

  function guard(deliver: () => void): void {
    try {
      deliver()
    } catch (error) {
      logFault(error)
    }
  }

  function who(workerId: string): { worker_id: string; worker_name: string | undefined } {
    return { worker_id: workerId, worker_name: engine.state.connections.get(workerId)?.name }
  }

  function openJson(socket: Socket<SocketData>): JsonLink {
    const { ipAddress } = socket.data
    const link = createJsonLink(
      socket,
      linkParts(socket.data, () => workerId),
    )
    const { workerId, receiver } = engine.connect(link, { builtIn: false, ipAddress })
    link.receiver = receiver
    return link
  }

  function openMsgpack(socket: Socket<SocketData>): MsgpackLink {
    const { ipAddress } = socket.data
    let workerId = ''
    const link = greet(socket, {
      ...linkParts(socket.data, () => workerId),
      reader,
      connect(link, { capabilities, limits: takes }) {
        const connected = engine.connect(link, { builtIn: false, ipAddress, capabilities, takes })
        workerId = connected.workerId
        return connected
      },
      tooLarge: (frame, bytes) => noteTooLarge(link, frame, bytes, workerId),
      failed: fault => noteFault(fault, workerId, ipAddress),
    })
    return link
  }

  /** A message that was broken, or none at all: counted, logged, the end of its connection. */
  function noteFault({ reason, detail }: Fault, workerId: string, ipAddress: string): void {
    const count = ++engine.state.counters.faults
    const problems = engine.state.connections.get(workerId)?.counters.problems
    if (problems !== undefined) problems[reason] = (problems[reason] ?? 0) + 1
    if (!isMilestone(count)) return
    log.warn(`connection closed, its messages cannot be trusted: ${detail}`, {
      reason,
      ...who(workerId),
      ip_address: ipAddress,
      count,
    })
  }

  /** What cannot be sent to a worker that takes small messages only must not be missed in silence. */
  function noteTooLarge(link: MsgpackLink, frame: Frame, bytes: number, workerId: string): void {
    const count = ++tooLargeFrames
    if (isMilestone(count)) {
      const said = 'a frame was dropped: the worker takes no message as large as that'
      log.warn(said, { ...who(workerId), type: frame.type, bytes, count })
    }
    if (frame.type === 'invocationresult') {
      const error = resultTooLarge(frame.functionId, link.takes.messageBytes)
      link.send({ ...frame, result: undefined, error })
    } else if (frame.type === 'invokefunction' && frame.invocationId !== undefined) {
      const { invocationId, functionId } = frame
      const detail = `a message of ${bytes} bytes is more than the worker takes`
      const about = 'invocationresult'
      turn.atEnd(() =>
        link.receiver?.problem({
          type: 'problem',
          reason: 'too_large',
          detail,
          about,
          invocationId,
          functionId,
        }),
      )
    }
  }

  function received(socket: Socket<SocketData>, message: string | Buffer<ArrayBuffer>): void {
    const { link } = socket.data
    if (link?.framing === 'msgpack') {
      receivedMsgpack(link, message)
      return
    }
    if (typeof message !== 'string' && isTelemetry(message)) {
      engine.state.counters.telemetryFrames++
      return
    }
    if (link === undefined) {
      if (typeof message !== 'string') noteStrangeTelemetry(socket.data)
      return
    }
    const frame = typeof message === 'string' ? decodeJson(message) : decodeBinary(message)
    if (frame !== undefined) link.received(frame)
  }

  function receivedMsgpack(link: MsgpackLink, message: string | Buffer): void {
    if (typeof message === 'string') {
      link.fail({ reason: 'text_message', detail: 'this connection speaks msgpack, in binary messages' })
    } else link.received({ bytes: message, from: 0, frames: 0 })
  }

  /**
   * Text on `/otel` means nothing; bytes without a tag are telemetry of a kind that is lost here
   * (`docs/protocol/json.md#text-and-binary`).
   */
  function noteStrangeTelemetry({ ipAddress }: SocketData): void {
    const count = ++engine.state.counters.strangeTelemetry
    if (isMilestone(count))
      log.warn('telemetry of an unknown kind was dropped', { ip_address: ipAddress, count })
  }

  /** A fault of ours in one message must not take the other connections down. No spreading: every message passes. */
  function guarded<Message>(
    run: (socket: Socket<SocketData>, message: Message) => void,
  ): (socket: Socket<SocketData>, message: Message) => void {
    return (socket, message) => {
      try {
        run(socket, message)
      } catch (error) {
        logFault(error)
      }
    }
  }

  function logFault(error: unknown): void {
    log.error('internal error while handling a connection', {
      error: error instanceof Error ? error.stack : error,
    })
  }

  return {
    opened: guarded<void>(opened),
    received: guarded(received),
    blocked: guarded<void>(({ data }) => data.link?.blocked()),
    drained: guarded<void>(({ data }) => data.link?.drained()),
    ponged: guarded<void>(({ data }) => data.link?.ponged()),
    closed: guarded<void>(({ data }) => data.link?.closed()),
  }
}
