/**
 * The gateway of the stream worker: an instance on every thread with sockets, each a worker of its own, because the store
 * half has something to say to each.
 *
 *     client ──▶ listener ──▶ hub ──▶ store half (`../worker.ts`)
 *        ▲                                │
 *        └── topics of the server ◀─ rooms ◀── parcels
 */
import type { RawJson } from '../../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../../src/clock/clock.ts'
import type { Log } from '../../../src/log/log.ts'
import { countIn, type Tally } from '../../../src/log/notices.ts'
import { isLoopbackHost } from '../../../src/net/loopback.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { BuiltInWorker } from '../../worker.ts'
import type { StreamConfig } from '../config.ts'
import { unauthorizedMessage } from '../messages.ts'
import { COUNTERS, GATEWAY } from '../names.ts'
import type { Connection } from './connection.ts'
import { createCounters } from './counters.ts'
import { createHub } from './hub.ts'
import { type Listener, listen } from './listener.ts'
import { type ClientMessage, type Join, readMessage } from './request.ts'
import { createRooms } from './rooms.ts'
import { createSlowClients } from './slow.ts'
import { createUpgrade } from './upgrade.ts'

export interface StreamGatewayParts {
  readonly clock: Clock
  readonly log: Log
  readonly newId: () => string
  /** Of `idIn`. */
  readonly process?: string | undefined
  /** Other threads listen on the same port. */
  readonly reusePort: boolean
  /** It may listen beyond this machine without an auth function. */
  readonly insecure: boolean
}

export function createStreamGateway(config: StreamConfig, parts: StreamGatewayParts): BuiltInWorker {
  const { clock, log, newId, process, reusePort, insecure } = parts
  return {
    name: 'iii-stream',
    description: 'Clients of streams: subscriptions over WebSocket',
    async start(client) {
      const id = newId()
      const gateway = `${GATEWAY}${id}`
      const counters = createCounters()
      const unreadable: Tally = new Map()
      const connections = new Set<Connection>()
      let listener: Listener | undefined
      const rooms = createRooms({
        publish: (topic, text) => listener?.publish(topic, text),
        send: ({ connection }, text) => slow.send(connection, text),
      })
      const slow = createSlowClients({ hub: () => hub, rooms, counters, clock, log, config })
      const hub = createHub({
        client,
        clock,
        gateway,
        secret: newId(),
        process,
        rooms,
        counters,
        timeoutMs: config.auth_timeout_ms,
        send: slow.send,
        published: slow.published,
      })
      const upgrade = createUpgrade({ config, client, counters, log })

      /** Who sends more than it may is not read for a moment; what it has sent is not lost. */
      function count(connection: Connection): void {
        const now = clock.now()
        const rate = config.messages_per_second / 1000
        const most = Math.max(limits.streamMessageBurst, config.messages_per_second)
        connection.tokens = Math.min(most, connection.tokens + (now - connection.tokensAtMs) * rate) - 1
        connection.tokensAtMs = now
        if (connection.tokens >= 0 || connection.isPaused) return
        connection.isPaused = true
        counters.paused++
        connection.socket.pause()
        clock.after(Math.max(limits.streamPauseMs, -connection.tokens / rate), () => {
          connection.isPaused = false
          if (!connection.isOver) connection.socket.resume()
        })
      }

      function join(connection: Connection, message: Join): void {
        const { subscriptions } = connection
        if (subscriptions.size >= config.subscription_limit && !subscriptions.has(message.subscriptionId)) {
          counters.turnedAway++
          const why = `you have ${config.subscription_limit} subscriptions; leave one of them first`
          slow.send(connection, unauthorizedMessage(message, clock.now(), 0, why))
          return
        }
        hub.join(connection, message)
      }

      function received(connection: Connection, text: string | Uint8Array): void {
        count(connection)
        const message: ClientMessage | { problem: string } = readMessage(text)
        if ('problem' in message) {
          counters.unreadable++
          const { count, isToldOf } = countIn(unreadable, message.problem)
          if (isToldOf)
            log.warn(`a message of a client of streams was ignored: ${message.problem}`, {
              connection_id: connection.id,
              count,
            })
        } else if (message.type === 'join') join(connection, message)
        else hub.leave(connection, message.subscriptionId)
      }

      /** A fault of ours in one message must not take the other clients down. */
      function guarded(task: () => void): void {
        try {
          task()
        } catch (error) {
          log.error('internal error while handling a client of streams', {
            error: error instanceof Error ? error.stack : error,
          })
        }
      }

      client.registerFunction<RawJson>(
        gateway,
        ({ text }) => {
          if (text === `"${COUNTERS}"`) {
            return { ...counters, connections: connections.size, slow_now: slow.count() }
          }
          guarded(() => hub.received(text))
          return undefined
        },
        { metadata: { internal: true }, rawInput: true },
      )

      await client.ready()
      let ids = 0
      const opened = listen(
        config,
        { insecure, reusePort },
        {
          admit: (request, address) => upgrade(request, address, connections.size >= config.connection_limit),
          opened(socket, context) {
            counters.connected++
            const connection: Connection = {
              id: `${id}:${++ids}`,
              socket,
              context,
              subscriptions: new Map(),
              topics: new Set(),
              allowance: 0,
              slow: undefined,
              tokens: limits.streamMessageBurst,
              tokensAtMs: clock.now(),
              isPaused: false,
              isOver: false,
            }
            connections.add(connection)
            return connection
          },
          received: (connection, message) => guarded(() => received(connection, message)),
          drained: connection => guarded(() => slow.drained(connection)),
          closed: connection =>
            guarded(() => {
              if (!connections.delete(connection)) return
              connection.isOver = true
              slow.forget(connection)
              hub.leaveAll(connection)
            }),
        },
      )
      listener = opened
      hub.start()
      if (!isLoopbackHost(config.host))
        log.info('streams can be reached from other machines', { address: opened.address })
      return {
        addresses: { stream: opened.address },
        async drain() {
          opened.close()
          hub.drain()
        },
        async stop() {
          hub.stop()
          slow.stop()
          await opened.stop()
        },
      }
    },
  }
}
