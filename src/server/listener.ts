/**
 * The worker listener: HTTP upgrades in, links out (`docs/protocol/json.md#connection`).
 *
 *     GET /       worker protocol
 *     GET /otel   telemetry frames of a worker process; counted
 *     else        404
 */
import type { Server, ServerWebSocket } from 'bun'
import type { Clock } from '../clock/clock.ts'
import type { Engine } from '../engine/engine.ts'
import type { Log } from '../log/log.ts'
import { isMilestone, shortened } from '../log/notices.ts'
import { createListenError, explainListenFailure } from '../net/listenError.ts'
import { isLoopbackHost } from '../net/loopback.ts'
import { isAllowedOrigin } from '../net/origin.ts'
import { pathOf, upgradeFault } from '../net/upgrade.ts'
import { limits as defaultLimits } from '../protocol/limits.ts'
import { SUBPROTOCOL } from '../protocol/msgpack/layout.ts'
import type { ListenerSettings } from './config.ts'
import { NO_STATUS } from './outlet.ts'
import { createSocketHandlers, type SocketData, type SocketHandlers } from './sockets.ts'
import type { Turn } from './turn.ts'

export interface Listener {
  readonly host: string
  readonly port: number
  /** Accepts no further connection; those that stand go on. */
  close(): void
  /** Ends every connection at once. */
  cut(): void
  /** Ends everything and frees the port. */
  stop(): Promise<void>
}

export interface ListenerParts {
  readonly engine: Engine
  readonly turn: Turn
  readonly clock: Clock
  readonly log: Log
  readonly insecure: boolean
  /** Who takes the sockets that are accepted; the engine of this thread when left out. */
  readonly handlers?: SocketHandlers | undefined
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

export function listen(settings: ListenerSettings, parts: ListenerParts): Listener {
  const { log } = parts
  const { limits } = parts.engine.state
  const handlers = parts.handlers ?? createSocketHandlers(parts)
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
  const sockets = new Set<ServerWebSocket<SocketData>>()
  const perAddress = new Map<string, number>()
  let accepting = true
  let refusedOrigins = 0

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

  function opened(socket: ServerWebSocket<SocketData>): void {
    const { data } = socket
    sockets.add(socket)
    perAddress.set(data.ipAddress, (perAddress.get(data.ipAddress) ?? 0) + 1)
    handlers.opened(socket)
  }

  function closed(socket: ServerWebSocket<SocketData>): void {
    const { data } = socket
    sockets.delete(socket)
    const count = (perAddress.get(data.ipAddress) ?? 1) - 1
    if (count === 0) perAddress.delete(data.ipAddress)
    else perAddress.set(data.ipAddress, count)
    handlers.closed(socket)
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
        open: opened,
        message: (socket, message) => handlers.received(socket, message),
        drain: socket => handlers.drained(socket),
        pong: socket => handlers.ponged(socket),
        close: closed,
      },
    })
  } catch (error) {
    throw explainListenFailure(error, place)
  }

  // Bun would close them with 1001, after which old clients do not come back (`docs/protocol/json.md#closing`).
  function cut(): void {
    for (const socket of [...sockets]) {
      if (socket.data.kind === 'telemetry') socket.close(NO_STATUS)
      else socket.terminate()
    }
  }

  return {
    host: settings.host,
    port: server.port ?? settings.port,
    close() {
      accepting = false
    },
    cut,
    async stop() {
      accepting = false
      cut()
      await server.stop(true)
    },
  }
}
