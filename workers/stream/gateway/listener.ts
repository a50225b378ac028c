/** The port of the clients of streams. */
import type { Server, ServerWebSocket } from 'bun'
import { createListenError, explainListenFailure } from '../../../src/net/listenError.ts'
import { isLoopbackHost, urlHost } from '../../../src/net/loopback.ts'
import type { JsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { StreamConfig } from '../config.ts'
import type { Connection } from './connection.ts'
import type { Admitted } from './upgrade.ts'

interface SocketData {
  readonly context: JsonText
  connection: Connection | undefined
}

export interface ClientHandlers {
  /** `address`: `127.0.0.1:50000`. */
  admit(request: Request, address: string): Admitted | Promise<Admitted>
  opened(socket: ServerWebSocket<SocketData>, context: JsonText): Connection
  received(connection: Connection, message: string | Uint8Array): void
  drained(connection: Connection): void
  closed(connection: Connection): void
}

export interface Listener {
  readonly address: string
  publish(topic: string, text: string): void
  /** Accepts nobody any more. */
  close(): void
  stop(): Promise<void>
}

export interface ListenOptions {
  readonly insecure: boolean
  readonly reusePort: boolean
}

/** Said to clients when the engine stops: they may come back. */
const GOING_AWAY = 1001

export function listen(
  { host, port, auth_function, message_limit_bytes }: StreamConfig,
  { insecure, reusePort }: ListenOptions,
  handlers: ClientHandlers,
): Listener {
  const place = { listener: 'iii-stream', host, port }
  if (!isLoopbackHost(host) && auth_function === undefined && !insecure)
    throw createListenError('insecure_bind', { ...place, remedy: 'set its `auth_function`' })
  const open = new Set<ServerWebSocket<SocketData>>()
  let accepting = true

  function upgrade(request: Request, server: Server<SocketData>, admitted: Admitted): Response | undefined {
    if (admitted instanceof Response) return admitted
    const { context } = admitted
    const data: SocketData = { context, connection: undefined }
    // The empty name keeps Bun from selecting the first sub-protocol that a client offers.
    return server.upgrade(request, { data, headers: { 'sec-websocket-protocol': '' } })
      ? undefined
      : new Response('The upgrade failed.\n', { status: 400 })
  }

  function handle(
    request: Request,
    server: Server<SocketData>,
  ): Response | undefined | Promise<Response | undefined> {
    if (!accepting) return new Response('The engine is stopping.\n', { status: 503 })
    const from = server.requestIP(request)
    const admitted = handlers.admit(request, from === null ? '' : `${from.address}:${from.port}`)
    return admitted instanceof Promise
      ? admitted.then(then => upgrade(request, server, then))
      : upgrade(request, server, admitted)
  }

  let server: Server<SocketData>
  try {
    server = Bun.serve<SocketData>({
      hostname: host,
      port,
      // Said aloud because outside development the server would share a taken port instead of failing.
      reusePort,
      idleTimeout: Math.ceil(limits.handshakeTimeoutMs / 1000),
      development: false,
      fetch: handle,
      error: () => new Response('Internal error\n', { status: 500 }),
      websocket: {
        maxPayloadLength: message_limit_bytes,
        backpressureLimit: limits.outboundBytes,
        closeOnBackpressureLimit: false,
        idleTimeout: Math.round(limits.streamIdleMs / 1000),
        sendPings: true,
        perMessageDeflate: false,
        open(socket) {
          open.add(socket)
          socket.data.connection = handlers.opened(socket, socket.data.context)
        },
        message(socket, message) {
          if (socket.data.connection !== undefined) handlers.received(socket.data.connection, message)
        },
        drain(socket) {
          if (socket.data.connection !== undefined) handlers.drained(socket.data.connection)
        },
        close(socket) {
          open.delete(socket)
          if (socket.data.connection !== undefined) handlers.closed(socket.data.connection)
        },
      },
    })
  } catch (error) {
    throw explainListenFailure(error, place)
  }

  return {
    address: `ws://${urlHost(host)}:${server.port ?? port}`,
    publish: (topic, text) => void server.publish(topic, text, false),
    close() {
      accepting = false
    },
    async stop() {
      accepting = false
      for (const socket of [...open]) socket.close(GOING_AWAY, 'the engine stops')
      await server.stop(true)
    },
  }
}
