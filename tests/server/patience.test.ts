/** What only time shows: silent peers, and clients that never finish their handshake. Runs side by side: about 12 s. */
import { describe, expect, test } from 'bun:test'
import type { Socket } from 'node:net'
import { dialTcp, opcodes, openRaw, upgradeRequest } from '../support/rawWebSocket.ts'
import { until } from '../support/waiting.ts'
import { connectWorker, serve, settled } from './support.ts'

const LONG = 30_000

/** The shortest time that Bun knows. */
const limits = { idleTimeoutMs: 8000 }

describe.concurrent('keep-alive', () => {
  test(
    'a client that says nothing is pinged; as long as it answers, it stays',
    async () => {
      await using served = serve({ limits })
      const worker = await connectWorker(served.port)
      let pings = 0
      worker.listen(({ opcode, payload }) => {
        if (opcode !== opcodes.ping) return
        pings++
        worker.send(opcodes.pong, payload)
      })
      // The third ping comes after the idle time is over.
      await until('three pings', () => pings === 3, LONG)
      expect(served.engine.state.connections.has(worker.workerId)).toBe(true)
    },
    LONG,
  )

  test(
    'a client that answers no pings is dropped',
    async () => {
      await using served = serve({ limits })
      const started = performance.now()
      const dead = await connectWorker(served.port)
      await dead.over
      expect(performance.now() - started).toBeWithin(4000, 16_000)
      await until('its end', () => served.engine.state.connections.size === 0)
    },
    LONG,
  )

  test(
    'a telemetry socket that answers no pings is dropped, too',
    async () => {
      await using served = serve({ limits })
      await (await openRaw(served.port, '/otel')).over
    },
    LONG,
  )
})

describe.concurrent('a thousand clients that never finish their handshake', () => {
  test(
    'are dropped after the time for it, and keep nobody from connecting',
    async () => {
      await using served = serve()
      const unfinished = [
        '',
        'G',
        'GET / HTTP/1.1\r\nHost: x',
        upgradeRequest('/').slice(0, -2),
        upgradeRequest('/', { Trickle: undefined }).slice(0, -2),
      ]
      const started = performance.now()
      let dropped = 0
      const sockets: Socket[] = []
      for (let count = 0; count < 1000; count++) {
        const kind = count % unfinished.length
        const socket = await dialTcp(served.port, unfinished[kind])
        sockets.push(socket)
        socket.on('close', () => void dropped++)
      }
      // One byte now and then does not help.
      const trickle = setInterval(() => {
        for (let index = 4; index < sockets.length; index += 5) sockets[index]!.write('a')
      }, 1000)
      const worker = await connectWorker(served.port)
      await settled(worker)
      expect(served.engine.state.connections.size).toBe(1)
      await until('all dropped', () => dropped === 1000, LONG)
      clearInterval(trickle)
      expect(performance.now() - started).toBeLessThan(20_000)
      await settled(worker)
    },
    LONG,
  )
})
