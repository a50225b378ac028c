import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { RawJson } from '../../sdk/typescript/src/worker.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { errorOf, openRaw, startHttp, type TestHttp } from './support.ts'

let http: TestHttp
let returned: unknown

beforeAll(async () => {
  http = await startHttp()
  http.bind({ api_path: '/x', http_method: '*' }, () => returned)
})
afterAll(() => http.stop())

function answerTo(result: unknown, init?: RequestInit): Promise<Response> {
  returned = result
  return http.fetch('/x', init)
}

const JSON_TYPE = 'application/json'

describe('the answer', () => {
  test.each([
    [{ body: { a: 1 } }, JSON_TYPE, '{"a":1}'],
    [{ body: 'text' }, JSON_TYPE, '"text"'],
    [{ body: null }, JSON_TYPE, 'null'],
    [{ body: 7 }, JSON_TYPE, '7'],
    [{}, JSON_TYPE, '{}'],
    [{ headers: {}, body: [] }, JSON_TYPE, '[]'],
    [{ headers: { 'x-a': '1' }, body: 'text' }, JSON_TYPE, '"text"'],
    [{ headers: { 'Content-Type': 'text/html' }, body: '<p>é</p>' }, 'text/html', '<p>é</p>'],
    [{ headers: { 'content-type': JSON_TYPE }, body: '{"a":1}' }, JSON_TYPE, '{"a":1}'],
    [{ headers: { 'content-type': 'text/plain' }, body: null }, 'text/plain', ''],
    [{ headers: { 'content-type': JSON_TYPE }, body: null }, JSON_TYPE, ''],
    [{ headers: { 'content-type': 'text/plain' }, body: { a: 1 } }, 'text/plain', '{"a":1}'],
    [{ headers: { 'content-type': 'text/plain' }, body: false }, 'text/plain', 'false'],
    [{ headers: { 'content-type': 'text/plain' } }, 'text/plain', '{}'],
    [{ headers: { 'content-type': 'text/plain' }, body: '' }, 'text/plain', ''],
  ])('to %j is %s %j', async (envelope, type, body) => {
    const response = await answerTo(envelope)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, type])
    expect(await response.text()).toBe(body)
  })

  test.each([['text'], [7], [true], [[]], [['status_code']], [{ status: 404 }]])(
    'to %j is 200 and {}',
    async result => {
      const response = await answerTo(result)
      expect([response.status, await response.text()]).toEqual([200, '{}'])
    },
  )

  test.each([
    ['text', 'a string'],
    [7, 'a number'],
    [true, 'a boolean'],
    [[1], 'a list'],
    [{ status: 404 }, 'an object without `status_code`, `headers` and `body`'],
  ])('to %j is told in the log: not of each request, and of each route', async (result, kind) => {
    const path = `/${kind.replaceAll(' ', '-').replaceAll('`', '')}`
    http.bind({ api_path: path }, () => result, { functionId: `returns ${kind}` })
    http.log.length = 0
    for (let i = 0; i < 11; i++) await http.fetch(path)
    const sentence = `the function returned ${kind}, which is sent as {}; return { body: … } to have it sent`
    expect(http.log).toEqual(
      [1, 10].map(count => ({
        level: 'warn',
        message: `answer of an http function changed: ${sentence}`,
        fields: { method: 'GET', api_path: path, function_id: `returns ${kind}`, count },
      })),
    )
  })

  test.each([{}, { body: 1 }, { status_code: 201 }, { headers: {} }, null])(
    'to %j is as it should be, and the log is silent',
    async result => {
      http.log.length = 0
      await answerTo(result)
      expect(http.log).toEqual([])
    },
  )

  test.each([undefined, null])('to %p is 204', async result => {
    const response = await answerTo(result)
    expect([response.status, response.headers.get('content-type')]).toEqual([204, null])
  })

  test('keeps integers, order and escapes as the function wrote them', async () => {
    const body = '{ "id": 12345678901234567890, "z":1, "a":"\\u00e9", "2":1, "1":1 }'
    const response = await answerTo(new RawJson(asJsonText(`{"body" : ${body} , "status_code" : 201}`)))
    expect([response.status, await response.text()]).toEqual([201, body])
  })
})

describe('the status', () => {
  test.each([
    [404, 404],
    [200, 200],
    [599, 599],
    ['404', 200],
    [404.5, 200],
    [99, 200],
    [1000, 200],
    [-404, 200],
    [null, 200],
  ])('%j gives %d', async (status_code, status) => {
    expect((await answerTo({ status_code })).status).toBe(status)
  })

  test.each([204, 304])('%d has no body', async status_code => {
    const response = await answerTo({ status_code, body: { a: 1 }, headers: { etag: '"1"' } })
    expect([response.status, await response.text(), response.headers.get('etag')]).toEqual([
      status_code,
      '',
      '"1"',
    ])
  })

  test.each([100, 101, 199, 600, 999])('%d cannot be sent', async status_code => {
    const response = await answerTo({ status_code })
    expect(response.status).toBe(500)
    expect((await errorOf(response)).error).toMatchObject({
      code: 'INVALID_STATUS',
      message: `The function answered with status ${status_code}; 200 to 599 can be sent.`,
    })
  })
})

describe('headers', () => {
  test('of the list form may repeat', async () => {
    const response = await answerTo({ headers: ['Set-Cookie: a=1', 'set-cookie:b=2; Path=/', 'X-A: b:c '] })
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2; Path=/'])
    expect(response.headers.get('x-a')).toBe('b:c')
  })

  test('that cannot be sent are left out, and the log says so', async () => {
    http.log.length = 0
    const response = await answerTo({
      headers: {
        'bad name': 'x',
        'x-break': 'a\r\nset-cookie: evil=1',
        'x-number': 7,
        'x-é': 'x',
        'x-u': 'é',
        'x-ok': 'y',
      },
      body: 1,
    })
    expect(response.status).toBe(200)
    const own = [...response.headers.keys()].filter(name => name.startsWith('x-') || name === 'set-cookie')
    expect(own).toEqual(['x-ok'])
    expect(http.log.filter(line => line.level === 'warn')).toHaveLength(5)
  })

  test.each([[['no colon', 7, ': empty', 'X-Ok: 1']], [{ 'x-ok': '1' }]])(
    '%j keeps what is good',
    async headers => {
      expect((await answerTo({ headers })).headers.get('x-ok')).toBe('1')
    },
  )

  test.each([7, 'x: y', true])('that are %j are left out', async headers => {
    expect((await answerTo({ headers, body: 1 })).status).toBe(200)
  })

  test('cannot break the framing of the answer', async () => {
    returned = { headers: { 'Content-Length': '1', 'Transfer-Encoding': 'chunked' }, body: 'abcdef' }
    const raw = openRaw(http.address)
    raw.send('GET /x HTTP/1.1\r\nHost: h\r\n\r\n')
    const answer = await raw.until(/abcdef"/)
    raw.destroy()
    expect(answer).toMatch(/content-length: 8\r\n/i)
    expect(answer).not.toMatch(/transfer-encoding/i)
  })

  test('that differ in case only are one', async () => {
    returned = { headers: { 'X-A': '1', 'x-a': '2' }, body: 'x' }
    expect((await http.fetch('/x')).headers.get('x-a')).toBe('2')
  })
})

test('HEAD gets the head of the answer to GET', async () => {
  const get = await answerTo({ headers: { 'content-type': 'text/plain', 'x-a': '1' }, body: 'abcdef' })
  const head = await http.fetch('/x', { method: 'HEAD' })
  expect([head.status, await head.text(), head.headers.get('content-length')]).toEqual([200, '', '6'])
  expect([head.headers.get('content-type'), head.headers.get('x-a')]).toEqual(['text/plain', '1'])
  expect(await get.text()).toBe('abcdef')
})
