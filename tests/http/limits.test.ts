import { describe, expect, test } from 'bun:test'
import { until } from '../support/waiting.ts'
import { errorOf, openRaw, PENDING, silentFor, withHttp } from './support.ts'

const json = { 'content-type': 'application/json' }

describe('a request that is too large', () => {
  const config = {
    body_limit_bytes: 1000,
    header_limit_count: 20,
    header_limit_bytes: 2000,
    url_limit_length: 500,
    json_depth_limit: 3,
  }

  test('a body that says so is 413 before it is read', () =>
    withHttp(config, async http => {
      http.bind({ api_path: '/x', http_method: 'POST' })
      for (const type of ['application/json', 'application/octet-stream']) {
        const raw = openRaw(http.address)
        raw.send(`POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: ${type}\r\nContent-Length: 1001\r\n\r\n`)
        const answer = await raw.ended()
        expect(answer).toStartWith('HTTP/1.1 413 ')
        expect(answer).toMatch(/connection: close\r\n/i)
        expect(answer).toContain(
          '"code":"PAYLOAD_TOO_LARGE","message":"The request body is larger than 1000 bytes."',
        )
      }
      expect(http.calls).toHaveLength(0)
    }))

  test('a body in chunks is 413 as soon as it is too long', () =>
    withHttp(config, async http => {
      http.bind({ api_path: '/x', http_method: 'POST' })
      const raw = openRaw(http.address)
      raw.send(
        'POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      )
      raw.send(`258\r\n${'['.repeat(600)}\r\n`)
      raw.send(`258\r\n${'['.repeat(600)}\r\n`)
      expect(await raw.ended()).toMatch(/^HTTP\/1.1 413 [\s\S]*"code":"PAYLOAD_TOO_LARGE"/)
      expect(http.calls).toHaveLength(0)
    }))

  test('a body of exactly the limit is served', () =>
    withHttp(config, async http => {
      http.bind({ api_path: '/x', http_method: 'POST' })
      const body = JSON.stringify('a'.repeat(998))
      expect((await http.fetch('/x', { method: 'POST', headers: json, body })).status).toBe(204)
      expect(http.calls[0]!.payload.body).toBe('a'.repeat(998))
    }))

  test('too many headers, or too much in them, are 431', () =>
    withHttp(config, async http => {
      http.bind({ api_path: '/x' })
      const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`x-${i}`, '1']))
      for (const headers of [many, { 'x-long': 'a'.repeat(2000) }]) {
        const response = await http.fetch('/x', { headers })
        expect([response.status, (await errorOf(response)).error.code]).toEqual([431, 'HEADERS_TOO_LARGE'])
      }
      expect((await http.fetch('/x', { headers: { 'x-long': 'a'.repeat(1500) } })).status).toBe(204)
    }))

  test('a long URL is 414', () =>
    withHttp(config, async http => {
      const response = await http.fetch(`/${'a'.repeat(500)}`)
      expect([response.status, (await errorOf(response)).error.code]).toEqual([414, 'URI_TOO_LONG'])
    }))

  test('the depth of JSON has a limit of its own', () =>
    withHttp(config, async http => {
      http.bind({ api_path: '/x', http_method: 'POST' })
      const statusOf = async (body: string) =>
        (await http.fetch('/x', { method: 'POST', headers: json, body })).status
      expect(await statusOf('[[[1]],"[[[[[[[["]')).toBe(204)
      expect(await statusOf('[[[[1]],"[[[[[[[["]]')).toBe(400)
    }))
})

describe('the bodies of all requests together', () => {
  const config = { bodies_limit_bytes: 1000, default_timeout: 5000 }
  const head = 'POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n'

  test('have a limit: what does not fit is refused, and fits again when another has gone', () =>
    withHttp(config, async http => {
      http.bind({ api_path: '/x', http_method: 'POST' }, () => ({ body: 1 }))
      const statusOf = async (length: number) =>
        (await http.fetch('/x', { method: 'POST', headers: json, body: `"${'a'.repeat(length - 2)}"` }))
          .status
      const half = openRaw(http.address)
      half.send(`${head}Content-Length: 900\r\n\r\n"a`)
      await until('its room is taken', async () => (await statusOf(200)) === 503)
      expect([await statusOf(100), await statusOf(101)]).toEqual([200, 503])
      half.destroy()
      await until('its room is free', async () => (await statusOf(1000)) === 200)
    }))

  test('count as they come when their length is not known', () =>
    withHttp(config, async http => {
      http.bind({ api_path: '/x', http_method: 'POST' })
      const raw = openRaw(http.address)
      raw.send(`${head}Transfer-Encoding: chunked\r\n\r\n258\r\n${'['.repeat(600)}\r\n`)
      raw.send(`258\r\n${'['.repeat(600)}\r\n0\r\n\r\n`)
      expect(await raw.until(/OVERLOADED/)).toStartWith('HTTP/1.1 503 ')
      const body = '1'.repeat(1000)
      const response = await http.fetch('/x', { method: 'POST', headers: json, body: `"${body.slice(2)}"` })
      expect(response.status).toBe(204)
    }))

  test('do not count while their functions run', () =>
    withHttp(config, async http => {
      http.bind({ api_path: '/x', http_method: 'POST' }, () => PENDING)
      const body = `"${'a'.repeat(900)}"`
      const responses = [1, 2, 3].map(() => http.fetch('/x', { method: 'POST', headers: json, body }))
      await http.called(3)
      for (const call of http.calls) call.succeed({})
      expect((await Promise.all(responses)).map(({ status }) => status)).toEqual([200, 200, 200])
    }))
})

describe('places', () => {
  test('a request that finds none waits for one, first come first served', () =>
    withHttp({ concurrency_request_limit: 2 }, async http => {
      http.bind({ api_path: '/:n' }, () => PENDING)
      const responses = []
      for (const n of [1, 2, 3, 4]) {
        responses.push(http.fetch(`/${n}`))
        if (n <= 2) await http.called(n)
      }
      const order = () => http.calls.map(call => call.payload.path_params.n)
      expect(order()).toEqual(['1', '2'])
      http.calls[1]!.succeed({ body: 2 })
      await http.called(3)
      http.calls[0]!.succeed({ body: 1 })
      await http.called(4)
      expect(order().slice(2).sort()).toEqual(['3', '4'])
      for (const call of http.calls.slice(2)) call.succeed({ body: Number(call.payload.path_params.n) })
      expect(await Promise.all(responses.map(async each => (await each).json()))).toEqual([1, 2, 3, 4])
    }))

  test('a request that finds no place in the line is refused', () =>
    withHttp({ concurrency_request_limit: 1, waiting_request_limit: 0 }, async http => {
      http.bind({ api_path: '/x' }, () => PENDING)
      const first = http.fetch('/x')
      const call = await http.called()
      const response = await http.fetch('/x')
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
      expect((await errorOf(response)).error).toMatchObject({
        code: 'OVERLOADED',
        error_id: expect.any(String),
      })
      call.succeed({})
      expect((await first).status).toBe(200)
    }))

  test('waiting ends with the time of the request', () =>
    withHttp({ concurrency_request_limit: 1, default_timeout: 100 }, async http => {
      http.bind({ api_path: '/x' }, () => PENDING)
      const first = http.fetch('/x')
      const call = await http.called()
      const response = await http.fetch('/x')
      expect([response.status, (await errorOf(response)).error.code]).toEqual([503, 'OVERLOADED'])
      call.succeed({})
      expect((await first).status).toBe(200)
      expect(http.calls).toHaveLength(1)
    }))

  test('every way to end gives the place back', () =>
    withHttp(
      { concurrency_request_limit: 1, waiting_request_limit: 0, default_timeout: 2000 },
      async http => {
        http.bind({ api_path: '/value' }, () => ({ body: 1 }))
        http.bind({ api_path: '/nothing' })
        http.bind({ api_path: '/error' }, () => {
          throw { code: 'x', message: 'y' }
        })
        http.bind({ api_path: '/late', timeout_ms: 20 }, silentFor(20))
        http.bind({ api_path: '/refused', condition_function_id: 'never' })
        http.bind({ api_path: '/never' }, () => false, { functionId: 'never' })
        http.bind({ api_path: '/json', http_method: 'POST' }, () => ({ status_code: 700 }))
        const paths: [string, number][] = [
          ['/value', 200],
          ['/nothing', 204],
          ['/error', 500],
          ['/late', 504],
          ['/refused', 422],
        ]
        for (const [path, status] of paths) expect((await http.fetch(path)).status).toBe(status)
        const deep = '['.repeat(200) + ']'.repeat(200)
        for (const [body, status] of [
          [deep, 400],
          ['1', 500],
        ] as [string, number][]) {
          expect((await http.fetch('/json', { method: 'POST', headers: json, body })).status).toBe(status)
        }
        expect((await http.fetch('/value')).status).toBe(200)
      },
    ))

  test('are at least one', () =>
    withHttp({ concurrency_request_limit: 0 }, async http => {
      http.bind({ api_path: '/x' }, () => ({ body: 1 }))
      expect((await http.fetch('/x')).status).toBe(200)
    }))
})
