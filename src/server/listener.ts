/**
 * The worker listener: HTTP upgrades in, links out (`docs/protocol/json.md#connection`).
 *
 *     GET /       worker protocol
 *     GET /otel   telemetry frames of a worker process; counted
 *     else        404
 */
import { isUtf8 } from 'node:buffer'
import type { Server, ServerWebSocket } from 'bun'
import type { Clock } from '../clock/clock.ts'
import type { Engine } from '../engine/engine.ts'
import { resultTooLarge } from '../engine/refusals.ts'
import type { Log } from '../log/log.ts'
import { isMilestone, shortened } from '../log/notices.ts'
import { createListenError, explainListenFailure } from '../net/listenError.ts'
import { isLoopbackHost } from '../net/loopback.ts'
import type { Frame, FrameProblem } from '../protocol/frames.ts'
import { decodeJson } from '../protocol/json/decode.ts'
import { limits as defaultLimits } from '../protocol/limits.ts'
import type { Fault } from '../protocol/msgpack/faults.ts'
import { SUBPROTOCOL } from '../protocol/msgpack/layout.ts'
import { createFrameReader } from '../protocol/msgpack/reader.ts'
import type { ListenerSettings } from './config.ts'
import { greet } from './greeting.ts'
import { createJsonLink, type JsonLink } from './jsonLink.ts'
import type { MsgpackLink } from './msgpackLink.ts'
import { isAllowedOrigin } from './origin.ts'
import { NO_STATUS } from './outlet.ts'
import type { SocketLinkParts } from './socketLink.ts'
import { isTelemetry } from './telemetry.ts'
import type { Turn } from './turn.ts'

interface SocketData {
  readonly kind: 'worker' | 'telemetry'
  readonly ipAddress: string
  readonly framing: 'json' | 'msgpack'
  link: JsonLink | MsgpackLink | undefined
}

type Socket = ServerWebSocket<SocketData>

export interface Listener {
  readonly host: string
  readonly port: number
  /** Accepts no further connection; those that stand go on. */
  close(): void
  /** Ends everything and frees the port. */
  stop(): Promise<void>
}

export interface ListenerParts {
  readonly engine: Engine
  readonly turn: Turn
  readonly clock: Clock
  readonly log: Log
  readonly insecure: boolean
  /** Other shards listen on the same port. */
  readonly reusePort?: boolean
}

/**
 * Bun sets TCP_NODELAY on accepted sockets; saying so spares clients 40 ms per small write
 * (`docs/protocol/json.md#the-upgrade`).
 */
const HEADERS = { 'x-iii-capabilities': 'tcp-nodelay' }

/** The empty name keeps Bun from selecting the first sub-protocol a client offers. */
const UPGRADE_HEADERS = {
  json: { ...HEADERS, 'sec-websocket-protocol': '' },
  msgpack: { ...HEADERS, 'sec-websocket-protocol': SUBPROTOCOL },
} as const

/** Which framing a client asks for by the sub-protocols it offers. */
function framingOf(headers: Headers): 'json' | 'msgpack' {
  const offered = headers.get('sec-websocket-protocol') ?? ''
  return offered.split(',').some(name => name.trim() === SUBPROTOCOL) ? 'msgpack' : 'json'
}

function refuse(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { ...HEADERS, 'content-type': 'text/plain', ...headers },
  })
}

/** The path of a request target without building a URL object. */
function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const query = url.indexOf('?', start)
  return start < 0 ? '/' : url.slice(start, query < 0 ? undefined : query)
}

/** The fault of a request that should have been an upgrade. */
function upgradeFault(headers: Headers): string | undefined {
  const has = (name: string, token: string): boolean =>
    (headers.get(name) ?? '')
      .toLowerCase()
      .split(',')
      .some(part => part.trim() === token)
  if (!has('connection', 'upgrade'))
    return 'Header "Connection: Upgrade" is missing: this is a WebSocket endpoint.'
  if (!has('upgrade', 'websocket')) return 'Header "Upgrade: websocket" is missing.'
  if (headers.get('sec-websocket-version') !== '13') return 'Header "Sec-WebSocket-Version: 13" is missing.'
  if (!headers.has('sec-websocket-key')) return 'Header "Sec-WebSocket-Key" is missing.'
  return undefined
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

export function listen(settings: ListenerSettings, parts: ListenerParts): Listener {
  const { engine, turn, clock, log } = parts
  const { limits } = engine.state
  const place = { listener: 'iii-worker-manager', host: settings.host, port: settings.port }
  if (!isLoopbackHost(settings.host) && !parts.insecure && settings.insecure !== true) {
    throw createListenError('insecure_bind', place)
  }
  if (settings.handshake_timeout_ms !== defaultLimits.handshakeTimeoutMs) {
    log.warn('handshake_timeout_ms has no effect: the time for request headers is fixed in this version', {
      handshake_timeout_ms: settings.handshake_timeout_ms,
      in_effect: defaultLimits.handshakeTimeoutMs,
    })
  }
  if (!isLoopbackHost(settings.host)) {
    log.warn(
      'the worker listener is open: everyone who reaches this address may call and register everything',
      {
        host: settings.host,
        port: settings.port,
      },
    )
  }
  const sockets = new Set<Socket>()
  const perAddress = new Map<string, number>()
  let accepting = true
  let refusedOrigins = 0
  let tooLargeFrames = 0
  /** One serves all connections: their messages are read one at a time. */
  const reader = createFrameReader()

  function upgrade(request: Request, server: Server<SocketData>): Response | undefined {
    const path = pathOf(request.url)
    if (path !== '/' && path !== '/otel') return refuse(404, 'Not found')
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return refuse(405, 'Method not allowed', { allow: 'GET,HEAD' })
    }
    const fault = upgradeFault(request.headers)
    if (fault !== undefined) return refuse(400, fault)
    if (!isAllowedOrigin(request.headers.get('origin'), settings.allowed_origins ?? [])) {
      const origin = shortened(request.headers.get('origin') ?? '')
      if (isMilestone(++refusedOrigins)) {
        const count = refusedOrigins
        log.warn('browser connection refused: its origin is not allowed', { origin, count })
      }
      return refuse(403, 'Origin not allowed. Add it to allowed_origins of the listener.')
    }
    const ipAddress = server.requestIP(request)?.address ?? ''
    if (!accepting) return refuse(503, 'The engine is stopping.')
    if ((perAddress.get(ipAddress) ?? 0) >= limits.connectionsPerAddress) {
      return refuse(503, `There are ${limits.connectionsPerAddress} connections from this address already.`)
    }
    const kind = path === '/' ? 'worker' : 'telemetry'
    const framing = kind === 'worker' ? framingOf(request.headers) : 'json'
    const data: SocketData = { kind, ipAddress, framing, link: undefined }
    return server.upgrade(request, { data, headers: UPGRADE_HEADERS[framing] })
      ? undefined
      : refuse(400, 'The upgrade failed.')
  }

  function opened(socket: Socket): void {
    const { data } = socket
    sockets.add(socket)
    perAddress.set(data.ipAddress, (perAddress.get(data.ipAddress) ?? 0) + 1)
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
      guard(deliver) {
        try {
          deliver()
        } catch (error) {
          logFault(error)
        }
      },
    }
  }

  function who(workerId: string): { worker_id: string; worker_name: string | undefined } {
    return { worker_id: workerId, worker_name: engine.state.connections.get(workerId)?.name }
  }

  function openJson(socket: Socket): JsonLink {
    const { ipAddress } = socket.data
    const link = createJsonLink(
      socket,
      linkParts(socket.data, () => workerId),
    )
    const { workerId, receiver } = engine.connect(link, { builtIn: false, ipAddress })
    link.receiver = receiver
    return link
  }

  function openMsgpack(socket: Socket): MsgpackLink {
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

  function received(socket: Socket, message: string | Buffer<ArrayBuffer>): void {
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

  function closed(socket: Socket): void {
    const { data } = socket
    sockets.delete(socket)
    const count = (perAddress.get(data.ipAddress) ?? 1) - 1
    if (count === 0) perAddress.delete(data.ipAddress)
    else perAddress.set(data.ipAddress, count)
    data.link?.closed()
  }

  /** A fault of ours in one message must not take the other connections down. No spreading: every message passes. */
  function guarded<Message>(
    run: (socket: Socket, message: Message) => void,
  ): (socket: Socket, message: Message) => void {
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

  let server: Server<SocketData>
  try {
    server = Bun.serve<SocketData>({
      hostname: settings.host,
      port: settings.port,
      reusePort: parts.reusePort === true,
      // For a connection that was answered and sends no further request; headers have Bun's own limit of 10 s.
      idleTimeout: Math.ceil(defaultLimits.handshakeTimeoutMs / 1000),
      fetch: upgrade,
      error: () => refuse(500, 'Internal error'),
      websocket: {
        maxPayloadLength: limits.messageBytes,
        backpressureLimit: limits.outboundBytes,
        closeOnBackpressureLimit: false,
        idleTimeout: Math.round(limits.idleTimeoutMs / 1000),
        sendPings: true,
        perMessageDeflate: false,
        open: guarded<void>(opened),
        message: guarded(received),
        drain: guarded<void>(socket => socket.data.link?.drained()),
        close: guarded<number>(closed),
      },
    })
  } catch (error) {
    throw explainListenFailure(error, place)
  }

  return {
    host: settings.host,
    port: server.port ?? settings.port,
    close() {
      accepting = false
    },
    async stop() {
      accepting = false
      // Bun would close them with 1001, after which old clients do not come back (`docs/protocol/json.md#closing`).
      for (const socket of [...sockets]) {
        if (socket.data.kind === 'telemetry') socket.close(NO_STATUS)
        else socket.terminate()
      }
      await server.stop(true)
    },
  }
}
