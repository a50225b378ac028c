import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { ErrorBody } from '../../src/protocol/frames.ts'
import { createBareHandler, errorOf, silentFor, startHttp, type TestHttp } from './support.ts'

let http: TestHttp
/** What the condition does. */
let condition: () => unknown = () => true
let handler: () => unknown = () => ({ body: 'ran' })

beforeAll(async () => {
  http = await startHttp({ default_timeout: 1000 })
  http.bind({ api_path: '/orders/:id' }, () => handler())
  http.bind({ api_path: '/orders/:id', http_method: 'PUT' })
  http.bind({ api_path: '/large-orders/:id', http_method: 'POST', condition: 'body.total > 100' }, () =>
    handler(),
  )
  http.bind({ api_path: '/conditional', condition_function_id: 'is::open' }, () => handler(), {
    functionId: 'orders::list',
    metadata: { a: 1 },
    namespace: 'shop',
  })
  http.bind({ api_path: '/never' }, () => condition(), { functionId: 'is::open' })
})
afterAll(() => http.stop())

const fail = (error: ErrorBody) => () => {
  throw error
}

test('an unknown path is 404', async () => {
  const response = await http.fetch('/nothing')
  expect([response.status, response.headers.get('content-type')]).toEqual([404, 'application/json'])
  expect(await response.text()).toBe('{"error":{"code":"NOT_FOUND","message":"Not Found"}}')
})

test('a path that serves other methods is 405 and says which', async () => {
  const response = await http.fetch('/orders/1', { method: 'POST' })
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET,HEAD,PUT'])
  expect((await errorOf(response)).error).toEqual({
    code: 'METHOD_NOT_ALLOWED',
    message: 'This path serves GET,HEAD,PUT.',
  })
  expect((await http.fetch('/orders/1', { method: 'OPTIONS' })).status).toBe(405)
})

describe('an error of a function', () => {
  test('is 500 with its code, its message and an id that the log knows', async () => {
    handler = fail({ code: 'out_of_stock', message: 'no "more"', stacktrace: 'at secret.ts:1' })
    http.log.length = 0
    const response = await http.fetch('/orders/1')
    expect(response.status).toBe(500)
    const body = await errorOf(response)
    expect(body).toEqual({
      error: {
        code: 'out_of_stock',
        message: 'no "more"',
        error_id: expect.stringMatching(/^[0-9a-f]{12}$/),
      },
    })
    expect(http.log).toEqual([
      {
        level: 'warn',
        message: expect.stringContaining('out_of_stock'),
        fields: expect.objectContaining({
          error_id: body.error.error_id,
          api_path: '/orders/:id',
          status: 500,
        }),
      },
    ])
  })

  test('for a missing function has the nearest id in the log, and not in the answer', async () => {
    const missing = { code: 'function_not_found', message: 'Function shop::prcie not found' }
    handler = fail({ ...missing, nearest: 'shop::price' })
    http.log.length = 0
    const answer = await (await http.fetch('/orders/1')).text()
    expect(http.log[0]!.message).toEndWith("Function shop::prcie not found; did you mean 'shop::price'?")
    expect(answer).not.toContain('shop::price')
  })

  test('has an id of its own each time', async () => {
    handler = fail({ code: 'x', message: 'y' })
    const ids = await Promise.all(
      Array.from({ length: 10 }, async () => (await errorOf(await http.fetch('/orders/1'))).error.error_id),
    )
    expect(new Set(ids).size).toBe(10)
  })

  test.each(['function_not_found', 'invocation_stopped'])('%s is 500 like any other', async code => {
    handler = fail({ code, message: 'x' })
    const response = await http.fetch('/orders/1')
    expect([response.status, (await errorOf(response)).error.code]).toEqual([500, code])
  })
})

test('a worker that cannot take the call is 503, and says when to try again', async () => {
  handler = fail({ code: 'worker_overloaded', message: 'too many bytes wait for it' })
  http.log.length = 0
  const response = await http.fetch('/orders/1')
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
  expect((await errorOf(response)).error).toMatchObject({
    code: 'worker_overloaded',
    message: 'too many bytes wait for it',
    error_id: expect.any(String) as unknown as string,
  })
  // There may be thousands a second.
  expect(http.log.map(line => line.level)).toEqual(['debug'])
})

test('no answer in time is 504', async () => {
  http.bind({ api_path: '/silent', timeout_ms: 20 }, silentFor(20))
  const response = await http.fetch('/silent')
  expect(response.status).toBe(504)
  expect((await errorOf(response)).error).toEqual({
    code: 'TIMEOUT',
    message: 'No answer within 20 ms.',
    error_id: expect.any(String) as unknown as string,
  })
})

test.each(['invocation_timeout', 'TIMEOUT'])(
  '%s from a function before its time is over is its own error',
  async code => {
    handler = fail({ code, message: 'the warehouse did not answer' })
    const response = await http.fetch('/orders/1')
    expect(response.status).toBe(500)
    expect((await errorOf(response)).error).toMatchObject({ code, message: 'the warehouse did not answer' })
  },
)

describe('a condition that is an expression', () => {
  const send = (path: string, body: unknown): Promise<Response> =>
    http.fetch(path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })

  test('decides over the request without a call', async () => {
    handler = () => ({ body: 'ran' })
    http.calls.length = 0
    expect(await (await send('/large-orders/1?a=1', { total: 101 })).json()).toBe('ran')
    const refused = await send('/large-orders/1', { total: 100 })
    expect(refused.status).toBe(422)
    expect(await refused.json()).toEqual({
      error: { code: 'CONDITION_NOT_MET', message: 'Request condition not met' },
      skipped: true,
    })
    expect((await send('/large-orders/1', null)).status).toBe(422)
    expect(http.calls.length).toBe(1)
  })

  test('that makes no sense for a request is an error of the route', async () => {
    const response = await send('/large-orders/1', { total: 'many' })
    expect(response.status).toBe(500)
    expect((await errorOf(response)).error.code).toBe('CONDITION_FAILED')
  })
})

describe('a condition', () => {
  test('that returns false keeps the function from running', async () => {
    condition = () => false
    http.calls.length = 0
    const response = await http.fetch('/conditional')
    expect(response.status).toBe(422)
    expect(await response.text()).toBe(
      '{"error":{"code":"CONDITION_NOT_MET","message":"Request condition not met"},"skipped":true}',
    )
    expect(http.calls.map(call => call.functionId)).toEqual(['is::open'])
  })

  test.each([true, null, undefined, 0, '', 'false', {}])('that returns %p lets it run', async result => {
    condition = () => result
    handler = () => ({ body: 'ran' })
    expect(await (await http.fetch('/conditional')).json()).toBe('ran')
  })

  test('gets the same request in the same namespace, without the metadata', async () => {
    condition = () => true
    http.calls.length = 0
    await http.fetch('/conditional?a=1')
    const [asked, called] = http.calls
    expect(asked!.data).toBe(called!.data)
    expect([asked!.namespace, asked!.metadata]).toEqual(['shop', undefined])
    expect([called!.namespace, called!.metadata as string]).toEqual(['shop', '{"a":1}'])
  })

  test('that fails is 500 with its error', async () => {
    condition = fail({ code: 'db_down', message: 'x' })
    const response = await http.fetch('/conditional')
    expect([response.status, (await errorOf(response)).error.code]).toEqual([500, 'db_down'])
  })

  test('that does not answer is 504', async () => {
    http.bind({ api_path: '/closed', condition_function_id: 'is::silent', timeout_ms: 20 })
    http.bind({ api_path: '/unused' }, silentFor(20), { functionId: 'is::silent' })
    expect((await http.fetch('/closed')).status).toBe(504)
  })

  test('takes its time from that of the function', async () => {
    condition = () => true
    http.calls.length = 0
    await http.fetch('/conditional')
    const [asked, called] = http.calls.map(call => call.timeoutMs)
    expect(asked).toBeGreaterThan(900)
    expect(asked).toBeLessThanOrEqual(1000)
    expect(called).toBeLessThanOrEqual(asked!)
  })
})

test('a time-out of the route goes before that of the worker', async () => {
  http.bind({ api_path: '/patient', timeout_ms: 90_000 }, () => ({}))
  http.calls.length = 0
  await http.fetch('/patient')
  // What the request has taken so far is gone from it.
  expect(http.calls[0]!.timeoutMs).toBeWithin(80_000, 90_001)
})

test('what goes wrong in the worker itself is 500, and the place is free again', async () => {
  const { handler, send } = createBareHandler({}, () => {
    throw new Error('a bug')
  })
  const response = await send('/1').response
  expect(response.status).toBe(500)
  expect((await errorOf(response)).error).toMatchObject({
    code: 'INTERNAL_ERROR',
    message: 'internal server error',
  })
  expect(handler.inWork()).toBe(0)
})
