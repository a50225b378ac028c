import { describe, expect, test } from 'bun:test'
import type { ListenError } from '../../src/net/listenError.ts'
import { isAllowedOrigin } from '../../src/net/origin.ts'
import {
  clientFrame,
  dialTcp,
  opcodes,
  openRaw,
  rawRequest,
  upgradeRequest,
} from '../support/rawWebSocket.ts'
import { until } from '../support/waiting.ts'
import { serve } from './support.ts'

const CAPABILITIES = 'x-iii-capabilities'

describe('an upgrade', () => {
  test('is answered with 101 and the capabilities, and the first frame says who the worker is', async () => {
    await using served = serve()
    const worker = await openRaw(served.port)
    expect(worker.head.status).toBe(101)
    expect(worker.head.headers.get(CAPABILITIES)).toBe('tcp-nodelay')
    expect(worker.head.headers.get('sec-websocket-accept')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    expect(await worker.nextMessage()).toEqual({
      type: 'workerregistered',
      worker_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      reattach_token: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
  })

  test('selects no sub-protocol and no compression, whatever is offered', async () => {
    await using served = serve()
    const { head, frames } = await openRaw(served.port, '/', {
      'Sec-WebSocket-Protocol': 'iii, graphql-ws',
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
    })
    expect(head.headers.has('sec-websocket-protocol')).toBe(false)
    expect(head.headers.has('sec-websocket-extensions')).toBe(false)
    expect((await frames.next()).compressed).toBe(false)
  })

  test.each(['/?token=abc&x=%zz', '/otel', '/otel?y'])(
    'of %s is accepted, with any further header',
    async target => {
      await using served = serve()
      const { head } = await openRaw(served.port, target, { Authorization: 'Bearer x', 'X-Custom': '1' })
      expect(head.status).toBe(101)
      expect(head.headers.get(CAPABILITIES)).toBe('tcp-nodelay')
    },
  )

  test('may send its frames in the same packet', async () => {
    await using served = serve()
    const ping = clientFrame(opcodes.text, '{"type":"ping"}')
    const tcp = await dialTcp(served.port, Buffer.concat([Buffer.from(upgradeRequest('/')), ping]))
    let answer = ''
    tcp.on('data', chunk => {
      answer += chunk.toString('latin1')
    })
    await until('the pong', () => answer.includes('{"type":"pong"}'))
    expect(answer.indexOf('workerregistered')).toBeLessThan(answer.indexOf('pong'))
    tcp.destroy()
  })
})

describe('what is no upgrade', () => {
  const without = (name: string): string => upgradeRequest('/', { [name]: undefined })

  test.each([
    ['a path nobody serves', upgradeRequest('/nope'), 404],
    ['a channel', upgradeRequest('/ws/channels/c?key=k&dir=read'), 404],
    ['a path below /otel', upgradeRequest('/otel/x'), 404],
    ['a plain path', 'GET /favicon.ico HTTP/1.1\r\nHost: x\r\n\r\n', 404],
    ['a plain GET', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['a plain GET of /otel', 'GET /otel HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['no Connection', without('Connection'), 400],
    ['no Upgrade', without('Upgrade'), 400],
    ['no version', without('Sec-WebSocket-Version'), 400],
    ['no key', without('Sec-WebSocket-Key'), 400],
    ['a version of old', upgradeRequest('/', { 'Sec-WebSocket-Version': '8' }), 400],
    ['a wrong key', upgradeRequest('/', { 'Sec-WebSocket-Key': 'x' }), 400],
    ['another protocol', upgradeRequest('/', { Upgrade: 'h2c' }), 400],
    ['another connection', upgradeRequest('/', { Connection: 'keep-alive' }), 400],
    ['a POST', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}', 405],
    ['a DELETE', 'DELETE / HTTP/1.1\r\nHost: x\r\n\r\n', 405],
    ['a POST elsewhere', 'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n', 404],
  ])('%s is refused', async (_, request, status) => {
    await using served = serve()
    const answer = await rawRequest(served.port, request)
    expect(answer.status).toBe(status)
    expect(answer.headers.get(CAPABILITIES)).toBe('tcp-nodelay')
    expect(answer.headers.get('content-type')).toBe('text/plain')
    expect(answer.body).toMatch(/^\S.*\n$/)
    if (status === 405) expect(answer.headers.get('allow')).toBe('GET,HEAD')
    expect(served.engine.state.connections.size).toBe(0)
  })

  test('several tokens in Connection are fine, and none of them is the wrong case', async () => {
    await using served = serve()
    const { head } = await openRaw(served.port, '/', {
      Connection: 'keep-alive, upGrade',
      Upgrade: 'WebSocket',
    })
    expect(head.status).toBe(101)
  })
})

describe('a browser', () => {
  const loopback = [
    'http://localhost',
    'http://localhost:3000',
    'https://app.localhost',
    'http://127.0.0.1:5173',
    'http://127.1.2.3',
    'http://[::1]:80',
  ]
  const strangers = [
    'https://example.com',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'http://localhost@example.com',
    'http://example.com#localhost',
    'http://192.168.0.1',
    'http://0.0.0.0',
    'http://[::2]',
    'http://[::ffff:10.0.0.1]',
    'file://',
    'null',
    '',
    'localhost',
    'http://localhost, http://example.com',
  ]

  test.each([null, ...loopback])('from %j may connect', origin => {
    expect(isAllowedOrigin(origin, [])).toBe(true)
  })

  test.each(strangers)('from %j may not', origin => {
    expect(isAllowedOrigin(origin, [])).toBe(false)
    expect(isAllowedOrigin(origin, ['https://app.example.com'])).toBe(false)
  })

  test('from a listed origin may, exactly as it is listed', () => {
    const allowed = ['https://app.example.com']
    expect(isAllowedOrigin('https://app.example.com', allowed)).toBe(true)
    expect(isAllowedOrigin('http://app.example.com', allowed)).toBe(false)
    expect(isAllowedOrigin('https://app.example.com:8443', allowed)).toBe(false)
  })

  test('that may not is refused before the upgrade, and the log says where it came from', async () => {
    await using served = serve({ settings: { allowed_origins: ['https://app.example.com'] } })
    const refused = await rawRequest(served.port, upgradeRequest('/', { Origin: 'https://evil.example' }))
    expect(refused.status).toBe(403)
    expect(refused.headers.get(CAPABILITIES)).toBe('tcp-nodelay')
    expect(served.log.lines.at(-1)).toMatchObject({
      level: 'warn',
      fields: { origin: 'https://evil.example' },
    })
    for (const origin of ['https://app.example.com', 'http://localhost:3000']) {
      expect((await openRaw(served.port, '/', { Origin: origin })).head.status).toBe(101)
    }
  })
})

describe('a listener', () => {
  test.each(['0.0.0.0', '::', '192.0.2.1', 'example.com'])(
    'on %s without authentication is refused',
    host => {
      const refused = (): unknown => serve({ settings: { host } })
      expect(refused).toThrow(`iii-worker-manager cannot listen on ${host}:0`)
      try {
        refused()
      } catch (error) {
        expect(error).toMatchObject({ code: 'insecure_bind' } satisfies Partial<ListenError>)
        expect((error as ListenError).fix).toContain('--insecure')
      }
    },
  )

  test('may be open when someone says so', async () => {
    await using byFlag = serve({ settings: { host: '0.0.0.0' }, insecure: true })
    await using bySetting = serve({ settings: { host: '0.0.0.0', insecure: true } })
    for (const { port } of [byFlag, bySetting]) expect((await openRaw(port)).head.status).toBe(101)
  })

  test('whose port is taken says which one it is', async () => {
    await using first = serve()
    expect(() => serve({ settings: { port: first.port } })).toThrow(
      `127.0.0.1:${first.port}: the port is in use`,
    )
  })

  test('whose address is not of this machine says so', () => {
    expect(() => serve({ settings: { host: '192.0.2.1' }, insecure: true })).toThrow(
      'the address cannot be listened on',
    )
  })

  test('says that the time for headers cannot be set', async () => {
    await using usual = serve()
    await using other = serve({ settings: { handshake_timeout_ms: 500 } })
    expect(usual.log.lines).toEqual([])
    expect(other.log.warnings()).toEqual([expect.stringContaining('handshake_timeout_ms')])
  })

  test('frees its port when it stops', async () => {
    const first = serve()
    await openRaw(first.port)
    await first.listener.stop()
    await using second = serve({ settings: { port: first.port } })
    expect((await openRaw(second.port)).head.status).toBe(101)
  })

  test('that stops taking connections refuses new ones and keeps the old ones', async () => {
    await using served = serve()
    const worker = await openRaw(served.port)
    await worker.nextMessage()
    served.listener.close()
    expect((await rawRequest(served.port, upgradeRequest('/'))).status).toBe(503)
    worker.text({ type: 'ping' })
    expect(await worker.nextMessage()).toEqual({ type: 'pong' })
  })

  test('takes so many connections from one address and no more, until one of them leaves', async () => {
    await using served = serve({ limits: { connectionsPerAddress: 3 } })
    const [first] = await Promise.all(['/', '/otel', '/'].map(target => openRaw(served.port, target)))
    const refused = await rawRequest(served.port, upgradeRequest('/'))
    expect(refused.status).toBe(503)
    expect(refused.body).toContain('3 connections')
    first!.destroy()
    const next = await until('a free place', () => openRaw(served.port).catch(() => undefined))
    expect(next.head.status).toBe(101)
  })
})

test('pages that try again and again to connect from a strange origin are told of at milestones', async () => {
  await using served = serve()
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    origin: 'https://evil.example',
  }
  for (let i = 0; i < 30; i++) {
    expect((await fetch(`http://127.0.0.1:${served.port}/`, { headers })).status).toBe(403)
  }
  const warned = served.log.lines.filter(({ level }) => level === 'warn')
  expect(warned.map(({ fields }) => fields.count)).toEqual([1, 10])
})
