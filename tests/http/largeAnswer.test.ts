import { describe, expect, test } from 'bun:test'
import net from 'node:net'
import { errorOf, eventually, openRaw, type TestHttp, withHttp } from './support.ts'

const MiB = 1024 * 1024
const LARGE = 24 * MiB
const big = 'x'.repeat(LARGE)

const bindBig = (http: TestHttp): string =>
  http.bind({ api_path: '/big' }, () => ({ headers: { 'content-type': 'text/plain' }, body: big }))

/** A client that asks and never reads; `resume` reads to the end and says how much came. */
async function unreadingClient(http: TestHttp): Promise<{ readOn(): Promise<number>; leave(): void }> {
  const { hostname, port } = new URL(http.address)
  const calls = http.calls.length
  const socket = net.connect(Number(port), hostname)
  socket.pause()
  socket.on('error', () => {})
  socket.write('GET /big HTTP/1.1\r\nHost: h\r\n\r\n')
  await http.called(calls + 1)
  return {
    leave: () => void socket.destroy(),
    readOn: () =>
      new Promise(resolve => {
        let bytes = 0
        socket.on('data', data => {
          bytes += data.length
        })
        socket.on('close', () => resolve(bytes))
        socket.resume()
      }),
  }
}

describe('a large answer', () => {
  test.each(['x', 'é', '漢'])('of %s arrives whole, with its status and its headers', letter =>
    withHttp({}, async http => {
      const body = letter.repeat(2 * MiB)
      http.bind({ api_path: '/x' }, () => ({ status_code: 201, headers: { 'x-a': '1' }, body }))
      const response = await http.fetch('/x')
      expect([response.status, response.headers.get('x-a'), response.headers.get('vary')]).toEqual([
        201,
        '1',
        expect.stringContaining('origin'),
      ])
      expect((await response.json()) === body).toBe(true)
    }),
  )

  test('leaves its connection ready for the next request', () =>
    withHttp({}, async http => {
      bindBig(http)
      http.bind({ api_path: '/small' }, () => ({ body: 'next' }))
      const raw = openRaw(http.address)
      raw.send('GET /big HTTP/1.1\r\nHost: h\r\n\r\n')
      await raw.until(/\r\n0\r\n\r\n$/)
      raw.send('GET /small HTTP/1.1\r\nHost: h\r\n\r\n')
      await raw.until(/"next"$/)
      raw.destroy()
    }))

  test('has a head without a body for HEAD, and takes no room', () =>
    withHttp({ answers_limit_bytes: LARGE + 1 }, async http => {
      bindBig(http)
      for (let i = 0; i < 3; i++) {
        const response = await http.fetch('/big', { method: 'HEAD' })
        expect([response.status, await response.text()]).toEqual([200, ''])
      }
    }))
})

describe('a client that does not read its large answer', () => {
  test('is cut after a time, and the log says so', () =>
    withHttp({ write_timeout_ms: 200 }, async http => {
      bindBig(http)
      const client = await unreadingClient(http)
      await eventually(() => http.log.length > 0)
      expect(http.log).toEqual([
        {
          level: 'warn',
          message: 'an http client that does not read its answer was cut',
          fields: { route: 'GET /big', unread_bytes: expect.any(Number) as unknown as number, count: 1 },
        },
      ])
      expect(await client.readOn()).toBeLessThan(LARGE)
    }))

  test('takes room that others do not get, until it is cut', () =>
    withHttp({ answers_limit_bytes: LARGE + 1, write_timeout_ms: 500 }, async http => {
      bindBig(http)
      http.bind({ api_path: '/small' }, () => ({ body: 'small' }))
      await unreadingClient(http)
      const refused = await http.fetch('/big')
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
      expect((await errorOf(refused)).error).toMatchObject({
        code: 'OVERLOADED',
        message: 'Too many large answers wait for their clients; try again later.',
      })
      expect((await http.fetch('/small')).status).toBe(200)
      await eventually(() => http.log.some(line => line.message.includes('does not read')))
      expect((await http.fetch('/big')).status).toBe(200)
    }))

  test('gives its room back when it goes', () =>
    withHttp({ answers_limit_bytes: LARGE + 1 }, async http => {
      bindBig(http)
      const client = await unreadingClient(http)
      expect((await http.fetch('/big')).status).toBe(503)
      client.leave()
      let status = 503
      while (status === 503) status = (await http.fetch('/big')).status
      expect(status).toBe(200)
    }))

  test('gets all of it when it is only slow to begin', () =>
    withHttp({}, async http => {
      bindBig(http)
      const client = await unreadingClient(http)
      const read = client.readOn()
      // The server keeps the connection; its end is what `drain` waits for.
      void http.drain()
      expect(await read).toBeGreaterThan(LARGE)
    }))
})
