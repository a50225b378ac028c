import { describe, expect, test } from 'bun:test'
import { createBareHandler, eventually, openRaw, PENDING, withHttp } from './support.ts'

describe('a client that goes away', () => {
  test.each([
    ['while the function runs', 'GET /x HTTP/1.1\r\nHost: h\r\n\r\n'],
    [
      'before its upload is complete',
      'POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\nabc',
    ],
  ])('%s: the call is cancelled and the place is free', (_, request) =>
    withHttp({ concurrency_request_limit: 1, waiting_request_limit: 0 }, async http => {
      http.bind({ api_path: '/x', http_method: '*' }, () => PENDING)
      const raw = openRaw(http.address)
      raw.send(request)
      const call = await http.called()
      raw.destroy()
      await eventually(() => call.cancelled)
      const second = http.fetch('/x')
      const next = await http.called(2)
      call.succeed({ body: 'too late' })
      next.succeed({ body: 'second' })
      expect(await (await second).json()).toBe('second')
    }),
  )

  test('while the condition runs: the function is not called', () =>
    withHttp({}, async http => {
      http.bind({ api_path: '/x', condition_function_id: 'is::open' }, undefined, { functionId: 'f' })
      http.bind({ api_path: '/is' }, () => PENDING, { functionId: 'is::open' })
      const raw = openRaw(http.address)
      raw.send('GET /x HTTP/1.1\r\nHost: h\r\n\r\n')
      const asked = await http.called()
      raw.destroy()
      await eventually(() => asked.cancelled)
      asked.succeed(true)
      await http.fetch('/x', { method: 'POST' })
      expect(http.calls.map(call => call.functionId)).toEqual(['is::open'])
    }))

  test('while it waits for a place: its turn is skipped', async () => {
    const { handler, calls, send } = createBareHandler({
      concurrency_request_limit: 1,
      waiting_request_limit: 2,
    })
    const [first, , third] = [send('/1'), send('/2'), send('/3')]
    expect([handler.inWork(), handler.waiting()]).toEqual([1, 2])
    expect((await send('/4').response).status).toBe(503)
    const second = calls.length
    third.leave()
    expect(handler.waiting()).toBe(1)
    const fifth = send('/5')
    calls[0]!.succeed({ body: 1 })
    expect((await first.response).status).toBe(200)
    await eventually(() => calls.length > second)
    calls[1]!.succeed({ body: 2 })
    await eventually(() => calls.length > second + 1)
    calls[2]!.succeed({ body: 5 })
    expect((await fifth.response).status).toBe(200)
    expect(calls.map(call => call.payload.path_params.n)).toEqual(['1', '2', '5'])
    expect([handler.inWork(), handler.waiting()]).toEqual([0, 0])
  })

  test('in the moment in which its place comes: the place goes on to the next', async () => {
    const { handler, calls, send } = createBareHandler({
      concurrency_request_limit: 1,
      waiting_request_limit: 2,
    })
    const [, second, third] = [send('/1'), send('/2'), send('/3')]
    calls[0]!.succeed({ body: 1 })
    second.leave()
    await eventually(() => calls.length === 2)
    calls[1]!.succeed({ body: 3 })
    expect(await (await third.response).json()).toBe(3)
    expect([handler.inWork(), handler.waiting()]).toEqual([0, 0])
  })
})

describe('a body that does not come', () => {
  const head = 'POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n'

  test.each([
    ['a length', `${head}Content-Length: 10\r\n\r\n{"a"`],
    ['chunks', `${head}Transfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n`],
  ])('cut off, with %s: no function is called, and the place is free', (_, request) =>
    withHttp({ concurrency_request_limit: 1, waiting_request_limit: 1 }, async http => {
      http.bind({ api_path: '/x', http_method: '*' }, () => ({ body: 1 }))
      const raw = openRaw(http.address)
      raw.send(request)
      const second = http.fetch('/x')
      raw.destroy()
      expect((await second).status).toBe(200)
      expect(http.calls.map(call => call.payload.method)).toEqual(['GET'])
    }),
  )

  test('at once may still do so until its time is over', () =>
    withHttp({ default_timeout: 300 }, async http => {
      http.bind({ api_path: '/x', http_method: 'POST' }, () => ({ body: 1 }))
      const raw = openRaw(http.address)
      const startedAt = performance.now()
      raw.send('POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nabc')
      expect(await raw.ended()).toMatch(/^HTTP\/1.1 408 /)
      expect(performance.now() - startedAt).toBeGreaterThan(290)
    }))

  test('in time is 408', () =>
    withHttp({ default_timeout: 100 }, async http => {
      http.bind({ api_path: '/x', http_method: 'POST' })
      const raw = openRaw(http.address)
      raw.send(`${head}Content-Length: 10\r\n\r\n{"a"`)
      expect(await raw.ended()).toMatch(/^HTTP\/1.1 408 [\s\S]*"code":"REQUEST_TIMEOUT"/)
      expect(http.calls).toHaveLength(0)
    }))
})
