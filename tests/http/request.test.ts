import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { RawJson } from '../../sdk/typescript/src/worker.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { errorOf, openRaw, type Payload, startHttp, type TestHttp, withHttp } from './support.ts'

let http: TestHttp

beforeAll(async () => {
  http = await startHttp()
  http.bind({ api_path: '/orders/:id', http_method: ['GET', 'POST', 'DELETE'] })
  http.bind({ api_path: 'files/{*rest}' })
  http.bind({ api_path: '/all/*', http_method: '*' })
  http.bind({ api_path: '/with/metadata' }, undefined, {
    metadata: new RawJson(asJsonText('{"n":9007199254740993}')),
    namespace: 'shop',
  })
})
afterAll(() => http.stop())
beforeEach(() => void http.calls.splice(0))

async function payloadOf(path: string, init?: RequestInit): Promise<Payload> {
  await http.fetch(path, init)
  return http.calls.at(-1)!.payload
}

/** The text of the payload, for what parsing would hide. */
async function textOf(path: string, init?: RequestInit): Promise<string> {
  await payloadOf(path, init)
  return http.calls.at(-1)!.data
}

async function rawPayload(request: string): Promise<Payload> {
  const raw = openRaw(http.address)
  raw.send(request)
  await raw.until(/\r\n\r\n/)
  raw.destroy()
  return http.calls.at(-1)!.payload
}

const json = (body: string | Uint8Array<ArrayBuffer>, type = 'application/json'): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': type },
})

describe('a function gets', () => {
  test('what published clients know, and what we add', async () => {
    const payload = await payloadOf('/orders/7?b=2&a=1', {
      ...json('{"n":1}'),
      headers: { 'Content-Type': 'application/json', 'X-Shop': 'nord' },
    })
    expect(Object.keys(payload)).toEqual([
      'path_params',
      'query_params',
      'headers',
      'path',
      'method',
      'trigger',
      'body',
      'requested_path',
      'url',
      'raw_query',
      'raw_path_params',
      'query_multi',
      'headers_multi',
    ])
    expect(payload).toMatchObject({
      path_params: { id: '7' },
      query_params: { a: '1', b: '2' },
      path: '/orders/:id',
      method: 'POST',
      body: { n: 1 },
      trigger: { type: 'http', path: '/orders/:id', method: 'POST' },
      requested_path: '/orders/7',
      url: `${http.address}/orders/7?b=2&a=1`,
      raw_query: 'b=2&a=1',
      raw_path_params: { id: '7' },
      query_multi: {},
    })
    expect(payload.headers).toMatchObject({
      'x-shop': 'nord',
      'content-type': 'application/json',
      'content-length': '7',
    })
  })

  test('the metadata and the namespace of its trigger beside the payload', async () => {
    await http.fetch('/with/metadata')
    expect(http.calls[0]).toMatchObject({ metadata: '{"n":9007199254740993}', namespace: 'shop' })
    await http.fetch('/orders/1')
    expect([http.calls[1]!.metadata, http.calls[1]!.namespace]).toEqual([undefined, undefined])
  })

  test('the trace context of the request', async () => {
    const headers = {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      baggage: 'user.id=1',
    }
    await http.fetch('/orders/1', { headers })
    expect(http.calls[0]).toMatchObject(headers)
    await http.fetch('/orders/1')
    expect([http.calls[1]!.traceparent, http.calls[1]!.baggage]).toEqual([undefined, undefined])
  })

  test.each([
    ['iii-depth=64', undefined],
    ['III-Depth = 64', undefined],
    ['a=1, iii-depth=64;p=1,b=2', 'a=1,b=2'],
    ['a=1,%69ii%2Ddepth=64', 'a=1'],
    ['a=%,xiii-depth=1', 'a=%,xiii-depth=1'],
  ])('the baggage %p without a depth of events', async (baggage, passed) => {
    await http.fetch('/orders/1', { headers: { baggage } })
    expect(http.calls[0]!.baggage).toBe(passed)
  })

  test('path parameters decoded, and raw', async () => {
    const payload = await payloadOf('/orders/caf%C3%A9%2Fa%22b+c')
    expect(payload.path_params).toEqual({ id: 'café/a"b+c' })
    expect(payload.raw_path_params).toEqual({ id: 'caf%C3%A9%2Fa%22b+c' })
    expect(payload.requested_path).toBe('/orders/caf%C3%A9%2Fa%22b+c')
  })

  test('the rest of the path from a wildcard', async () => {
    expect((await payloadOf('/files/a/b%20c/')).path_params).toEqual({ rest: 'a/b c/' })
    expect((await payloadOf('/all/x/y')).path_params).toEqual({ '*': 'x/y' })
    expect((await payloadOf('/files/a')).path).toBe('files/{*rest}')
  })

  test.each(['%zz', '%', '%ff', '%C3'])('nothing when the escape %s is broken', async text => {
    const raw = openRaw(http.address)
    raw.send(`GET /orders/a${text} HTTP/1.1\r\nHost: a\r\n\r\n`)
    const answer = await raw.until(/\}\}$/)
    raw.destroy()
    expect(answer).toStartWith('HTTP/1.1 400 ')
    expect(answer).toContain('"code":"INVALID_PATH"')
    expect(http.calls).toHaveLength(0)
  })

  test('the method of the request, and that of the trigger', async () => {
    await payloadOf('/orders/7', { method: 'HEAD' })
    expect(http.calls[0]!.payload).toMatchObject({ method: 'HEAD', trigger: { method: 'GET' } })
    await payloadOf('/all/x', { method: 'PATCH' })
    expect(http.calls[1]!.payload).toMatchObject({ method: 'PATCH', trigger: { method: 'PATCH' } })
  })
})

describe('the query', () => {
  test.each([
    ['?a=1&a=2&b=3', { a: '2', b: '3' }, { a: ['1', '2'] }],
    ['?a', { a: '' }, {}],
    ['?a=', { a: '' }, {}],
    ['?=x', { '': 'x' }, {}],
    ['?', {}, {}],
    ['', {}, {}],
    ['?&&a=1&', { a: '1' }, {}],
    ['?a=b=c', { a: 'b=c' }, {}],
    ['?q=a+b%20c%2B', { q: 'a b c+' }, {}],
    ['?q=%zz%', { q: '%zz%' }, {}],
    ['?q=%ff', { q: '\ufffd' }, {}],
    ['?%C3%A9=%22%5C%0A', { é: '"\\\n' }, {}],
    ['??a=1', { '?a': '1' }, {}],
  ])('%s', async (search, params, multi) => {
    const payload = await payloadOf(`/orders/1${search}`)
    expect(payload.query_params).toEqual(params as Payload['query_params'])
    expect(payload.query_multi).toEqual(multi as Payload['query_multi'])
  })

  test('__proto__ is a key like any other', async () => {
    expect(await textOf('/orders/1?__proto__=x&__proto__=y')).toContain('"query_params":{"__proto__":"y"}')
  })

  test('ends where a fragment begins', async () => {
    const payload = await rawPayload('GET /orders/1?a=b#frag HTTP/1.1\r\nHost: h\r\n\r\n')
    expect([payload.query_params, payload.raw_query, payload.url]).toEqual([
      { a: 'b' },
      'a=b',
      'http://h/orders/1?a=b',
    ])
  })
})

describe('headers', () => {
  test('given more than once are joined, and taken apart beside', async () => {
    const payload = await rawPayload(
      'GET /orders/1 HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: "2,3"\r\nX-A: 4\r\n\r\n',
    )
    expect(payload.headers['x-a']).toBe('1, "2,3", 4')
    expect(payload.headers_multi).toEqual({ 'x-a': ['1', '"2,3"', '4'] })
  })

  test('whose comma is no separator stay whole', async () => {
    const { headers_multi } = await payloadOf('/orders/1', {
      headers: { date: 'Sat, 21 Nov 2026 10:24:25 GMT', 'user-agent': 'a (b, c)', cookie: 'a=1, b=2' },
    })
    expect(Object.keys(headers_multi)).not.toContainAnyValues(['date', 'user-agent', 'cookie'])
  })

  test('are UTF-8; other bytes give an empty value', async () => {
    const payload = await rawPayload(
      'GET /orders/1 HTTP/1.1\r\nHost: h\r\nX-Utf8: caf\xc3\xa9\r\nX-Latin: caf\xe9\r\nX-Quote: "a\\b"\r\nX-Empty:\r\n\r\n',
    )
    expect(payload.headers).toEqual({
      host: 'h',
      'x-utf8': 'café',
      'x-latin': '',
      'x-quote': '"a\\b"',
      'x-empty': '',
    })
  })
})

describe('a JSON body', () => {
  test('arrives as the client wrote it', async () => {
    const body = '{ "id": 12345678901234567890, "b":1.0,"a":"\\u00e9", "__proto__":{"x":1}, "a":2 }'
    expect(await textOf('/orders/1', json(body))).toContain(`"body":${body},"requested_path"`)
  })

  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'text/plain, application/json',
  ])('is one when the content type is %s', async type => {
    expect((await payloadOf('/orders/1', json('[1]', type))).body).toEqual([1])
  })

  test.each([
    ['{"a":1', 'cut off'],
    ['', 'empty'],
    [' ', 'blank'],
    ['\ufeff{"a":1}', 'with a byte order mark'],
    ['{"a":NaN}', 'with NaN'],
    ['{"a":1e999}', 'with a number beyond a double'],
    ['"\\ud800"', 'with half a surrogate pair'],
    ['1],[2', 'that would close what surrounds it'],
    ['null', 'null'],
  ])('%j (%s) is null', async body => {
    expect(await textOf('/orders/1', json(body))).toContain('"body":null,"requested_path"')
  })

  test('that is not UTF-8 is null', async () => {
    expect((await payloadOf('/orders/1', json(Uint8Array.from([0x22, 0xff, 0x22])))).body).toBeNull()
  })

  test('comes in chunks too', async () => {
    const request =
      'POST /orders/1 HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
    expect((await rawPayload(`${request}3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n`)).body).toEqual({ a: 1 })
  })

  test('comes with DELETE', async () => {
    expect((await payloadOf('/orders/1', { ...json('{"a":1}'), method: 'DELETE' })).body).toEqual({ a: 1 })
  })

  test('may be nested as deep as every receiver can read, and no deeper', async () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    const padded = (depth: number) => `["${'\\"['.repeat(200)}",${nested(depth - 1)}]`
    for (const body of [nested(125), padded(125)]) {
      expect((await http.fetch('/orders/1', json(body))).status).toBe(204)
      expect(http.calls.at(-1)!.payload.body).not.toBeNull()
    }
    http.calls.length = 0
    for (const body of [nested(126), nested(128), nested(100_000), padded(126)]) {
      const response = await http.fetch('/orders/1', json(body))
      expect(response.status).toBe(400)
      expect((await errorOf(response)).error.code).toBe('JSON_TOO_DEEP')
    }
    expect(http.calls).toHaveLength(0)
  })
})

test('a text body arrives as a string', async () => {
  expect((await payloadOf('/orders/1', json('{"a":1}', 'text/plain'))).body).toBe('{"a":1}')
  expect((await payloadOf('/orders/1', json('é "\n', 'Text/CSV; charset=utf-8'))).body).toBe('é "\n')
  expect((await payloadOf('/orders/1', json('', 'text/plain'))).body).toBeNull()
})

test('a body of another type is not in the payload', async () => {
  expect((await payloadOf('/orders/1', json('{"a":1}', 'application/octet-stream'))).body).toBeNull()
  expect((await payloadOf('/orders/1', { method: 'POST', body: new FormData() })).body).toBeNull()
})

describe('a body that does not reach the function is in the log, counted by route, when it', () => {
  test.each([
    ['should be JSON and is not', json('{"a":'), 'is not JSON', 'application/json'],
    ['has no type', { method: 'POST', body: Buffer.from('{"a":1}') }, 'without a content-type', ''],
    [
      'is of another type',
      json('a=1', 'application/x-www-form-urlencoded'),
      'is not delivered',
      'application/x-www-form-urlencoded',
    ],
  ])('%s', async (_, request, what, content_type) => {
    await withHttp({}, async http => {
      http.bind({ api_path: '/one', http_method: 'POST' }, undefined, { functionId: 'f' })
      http.bind({ api_path: '/other', http_method: 'POST' })
      for (let times = 0; times < 12; times++) expect((await http.fetch('/one', request)).status).toBe(204)
      await http.fetch('/other', request)
      expect(http.log.map(({ level, fields }) => [level, fields.api_path, fields.count])).toEqual([
        ['warn', '/one', 1],
        ['warn', '/one', 10],
        ['warn', '/other', 1],
      ])
      expect(http.log[0]).toEqual({
        level: 'warn',
        message: expect.stringContaining(what),
        fields: { method: 'POST', api_path: '/one', function_id: 'f', content_type, count: 1 },
      })
    })
  })
})

test('requests with a body that is delivered, or without one, leave no line in the log', () =>
  withHttp({}, async http => {
    http.bind({ api_path: '/x', http_method: '*' })
    for (const request of [json('{}'), json('x', 'text/plain'), json(''), {}, { method: 'POST' }]) {
      await http.fetch('/x', request)
    }
    expect(http.log).toEqual([])
  }))
