/** What reaches a function has one meaning only. Most of it the server below refuses; the rest is ours. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { openRaw, startHttp, type TestHttp } from './support.ts'

let http: TestHttp

beforeAll(async () => {
  http = await startHttp()
  http.bind({ api_path: '/', http_method: '*' }, ({ body }) => ({ body }))
  http.bind({ api_path: '/*', http_method: '*' }, ({ body }) => ({ body }))
})
afterAll(() => http.stop())
beforeEach(() => void http.calls.splice(0))

const HOST = 'Host: h\r\n'
const GET = `GET / HTTP/1.1\r\n${HOST}`
const POST = `POST / HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n`
const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`

describe('a request that can be read in two ways is refused and the connection closed', () => {
  test.each([
    [
      'Content-Length and Transfer-Encoding',
      `${POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      'Transfer-Encoding and Content-Length',
      `${POST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`,
    ],
    ['two different lengths', `${POST}Content-Length: 4\r\nContent-Length: 5\r\n\r\n"ab"`],
    ['the same length twice', `${POST}Content-Length: 4\r\nContent-Length: 4\r\n\r\n"ab"`],
    ['a list of lengths', `${POST}Content-Length: 4, 4\r\n\r\n"ab"`],
    ['a signed length', `${POST}Content-Length: +4\r\n\r\n"ab"`],
    ['a negative length', `${POST}Content-Length: -4\r\n\r\n"ab"`],
    ['a hexadecimal length', `${POST}Content-Length: 0x4\r\n\r\n"ab"`],
    ['an endless length', `${POST}Content-Length: 99999999999999999999999\r\n\r\n"ab"`],
    ['no length', `${POST}Content-Length: \r\n\r\n"ab"`],
    ['an unknown encoding', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['chunked, then identity', `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
    ['two encodings', `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`],
    ['a space before the colon', `${POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
    ['a control character before the value', `${POST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`],
    ['chunks in HTTP/1.0', `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a folded header', `${GET}X-A: 1\r\n  2\r\n\r\n`],
    ['a bare line feed in the headers', `${GET}X-A: 1\nX-B: 2\r\n\r\n`],
    ['a bare carriage return', `${GET}X-A: 1\rX-B: 2\r\n\r\n`],
    ['a zero byte', `${GET}X-A: 1\x002\r\n\r\n`],
    ['a control character', `${GET}X-A: 1\x012\r\n\r\n`],
    ['a name that is none', `${GET}X(A: 1\r\n\r\n`],
    ['no name', `${GET}: 1\r\n\r\n`],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two hosts', `${GET}${HOST}\r\n`],
    ['a host with a path', 'GET / HTTP/1.1\r\nHost: a b/c?d\r\n\r\n'],
    ['no path', `CONNECT h:1 HTTP/1.1\r\n${HOST}\r\n`],
    ['what is not HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
  ])('%s', async (_, request) => {
    const raw = openRaw(http.address)
    raw.send(request + SMUGGLED)
    const answer = await raw.ended()
    expect(answer).toStartWith('HTTP/1.1 400 ')
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1)
    expect(http.calls).toHaveLength(0)
  })

  test.each([
    ['a bare line feed in the request line', `GET / HTTP/1.1\n${HOST}\r\n`],
    ['a space in the target', `GET /a b HTTP/1.1\r\n${HOST}\r\n`],
    ['another version', `GET / HTTP/1.2\r\n${HOST}\r\n`],
  ])('%s', async (_, request) => {
    const raw = openRaw(http.address)
    raw.send(request + SMUGGLED)
    expect(await raw.ended()).toStartWith('HTTP/1.1 505 ')
    expect(http.calls).toHaveLength(0)
  })

  test.each(['BREW', 'get'])('the method %s', async method => {
    const raw = openRaw(http.address)
    raw.send(`${method} / HTTP/1.1\r\n${HOST}\r\n${SMUGGLED}`)
    expect(await raw.ended()).toBe('')
    expect(http.calls).toHaveLength(0)
  })
})

test.each([
  ['a size that is none', 'zz\r\nabc\r\n0\r\n\r\n'],
  ['bare line feeds', '3\nabc\n0\n\n'],
  ['more than the size says', '3\r\nabcd\r\n0\r\n\r\n'],
  ['a size beyond all bounds', 'ffffffffffffffffff\r\nabc\r\n0\r\n\r\n'],
])('chunks with %s end the connection', async (_, chunks) => {
  const raw = openRaw(http.address)
  raw.send(`${POST}Transfer-Encoding: chunked\r\n\r\n${chunks}${SMUGGLED}`)
  expect(await raw.ended()).toStartWith('HTTP/1.1 400 ')
  expect(http.calls).toHaveLength(0)
})

test.each([
  ['a header block', `GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(20_000)}\r\n\r\n`],
  ['a target', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n`],
  ['a list of headers', `${GET}${'x: y\r\n'.repeat(250)}\r\n`],
])('%s beyond what the server parses is 431', async (_, request) => {
  const raw = openRaw(http.address)
  raw.send(request)
  expect(await raw.ended()).toStartWith('HTTP/1.1 431 ')
  expect(http.calls).toHaveLength(0)
})

test('a body with GET is passed over and is not the next request', async () => {
  const raw = openRaw(http.address)
  const body = SMUGGLED
  raw.send(
    `GET /first HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}GET /last HTTP/1.1\r\n${HOST}\r\n`,
  )
  await http.called(2)
  await raw.until(/null[\s\S]*null/)
  raw.destroy()
  expect(http.calls.map(call => call.payload.requested_path)).toEqual(['/first', '/last'])
})

test('a body that no function reads is not the next request', async () => {
  const raw = openRaw(http.address)
  const body = SMUGGLED
  const head = `POST /first HTTP/1.1\r\n${HOST}Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`
  raw.send(`${head}${body}GET /last HTTP/1.1\r\n${HOST}\r\n`)
  await http.called(2)
  raw.destroy()
  expect(http.calls.map(call => call.payload.requested_path)).toEqual(['/first', '/last'])
})

test('requests in one packet are answered in their order', async () => {
  const raw = openRaw(http.address)
  raw.send(['1', '"b"', '[]'].map(body => `${POST}Content-Length: ${body.length}\r\n\r\n${body}`).join(''))
  const answers = await raw.until(/\[\]$/)
  raw.destroy()
  expect(answers.match(/(?<=\r\n\r\n)[^H]*/g)).toEqual(['1', '"b"', '[]'])
})

test('the target in absolute form does not choose the host', async () => {
  const raw = openRaw(http.address)
  raw.send(`GET http://evil.example/q?z=1 HTTP/1.1\r\n${HOST}\r\n`)
  await http.called()
  raw.destroy()
  expect(http.calls[0]!.payload).toMatchObject({ url: 'http://h/q?z=1', requested_path: '/q' })
})

test('dots in a path are resolved before a route is chosen', async () => {
  const raw = openRaw(http.address)
  raw.send(`GET /a/../b/%2e%2e/c/. HTTP/1.1\r\n${HOST}\r\n`)
  await http.called()
  raw.destroy()
  expect(http.calls[0]!.payload.requested_path).toBe('/c/')
})

test('HTTP/1.0 without a host is served', async () => {
  const raw = openRaw(http.address)
  raw.send('GET /old?a=1 HTTP/1.0\r\n\r\n')
  expect(await raw.ended()).toStartWith('HTTP/1.1 200 ')
  expect(http.calls[0]!.payload).toMatchObject({
    requested_path: '/old',
    url: '/old?a=1',
    query_params: { a: '1' },
  })
})

test('whoever takes too long over the headers is cut off', async () => {
  const started = performance.now()
  const starts = ['', 'GET', `${GET}X-A: `]
  const ended = starts.map(async start => {
    const raw = openRaw(http.address)
    raw.send(start)
    const drip = setInterval(() => raw.send('a'), 500)
    await raw.ended()
    clearInterval(drip)
  })
  await Promise.all(ended)
  expect(performance.now() - started).toBeLessThan(20_000)
  expect(http.calls).toHaveLength(0)
}, 30_000)
