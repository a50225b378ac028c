import { describe, expect, test } from 'bun:test'
import { type TestHttp, withHttp } from './support.ts'

const VARY = 'origin, access-control-request-method, access-control-request-headers'
const HOME = 'https://app.example.com'

function corsHeaders(response: Response): Record<string, string> {
  return Object.fromEntries([...response.headers].filter(([name]) => name.startsWith('access-control-')))
}

function preflight(http: TestHttp, path: string, origin = HOME): Promise<Response> {
  return http.fetch(path, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } })
}

describe('without a cors block', () => {
  test('every answer may be read by everyone, without credentials', () =>
    withHttp({}, async http => {
      http.bind({ api_path: '/x' }, () => ({ body: 1 }))
      http.bind({ api_path: '/typed' }, () => ({ headers: { 'content-type': 'text/plain' }, body: 'x' }))
      http.bind({ api_path: '/none' })
      for (const path of ['/x', '/typed', '/none', '/missing']) {
        const response = await http.fetch(path, { headers: { origin: HOME } })
        expect(corsHeaders(response)).toEqual({
          'access-control-allow-origin': '*',
          'access-control-expose-headers': '*',
        })
        expect(response.headers.get('vary')).toBe(VARY)
      }
    }))

  test('a preflight is answered whatever the path, and no function is asked', () =>
    withHttp({}, async http => {
      http.bind({ api_path: '/x', http_method: 'OPTIONS' })
      for (const path of ['/x', '/missing']) {
        const response = await preflight(http, path)
        expect([response.status, await response.text(), response.headers.get('vary')]).toEqual([
          200,
          '',
          VARY,
        ])
        expect(corsHeaders(response)).toEqual({
          'access-control-allow-origin': '*',
          'access-control-allow-methods': '*',
          'access-control-allow-headers': '*',
        })
      }
      expect(http.calls).toHaveLength(0)
    }))

  test('an OPTIONS request that is no preflight reaches its trigger', () =>
    withHttp({}, async http => {
      http.bind({ api_path: '/x', http_method: 'OPTIONS' }, () => ({ body: 'options' }))
      for (const headers of [{}, { origin: HOME }, { 'access-control-request-method': 'GET' }]) {
        expect(await (await http.fetch('/x', { method: 'OPTIONS', headers })).json()).toBe('options')
      }
    }))

  test('a function may name an origin itself, and add to vary', () =>
    withHttp({}, async http => {
      const headers = { 'Access-Control-Allow-Origin': HOME, vary: 'accept' }
      http.bind({ api_path: '/x' }, () => ({ headers }))
      const response = await http.fetch('/x')
      expect(response.headers.get('access-control-allow-origin')).toBe(HOME)
      expect(response.headers.get('vary')).toBe(`${VARY}, accept`)
    }))
})

describe('with a cors block', () => {
  const cors = { allowed_origins: [HOME, 'https://other.example'], allowed_methods: ['get', 'POST'] }

  test('a listed origin is echoed, another one is not, and the request runs all the same', () =>
    withHttp({ cors }, async http => {
      http.bind({ api_path: '/x' }, () => ({ body: 1 }))
      for (const [origin, expected] of [
        [HOME, { 'access-control-allow-origin': HOME }],
        ['https://evil.example', {}],
        [undefined, {}],
      ] as const) {
        const response = await http.fetch('/x', { headers: origin === undefined ? {} : { origin } })
        expect([response.status, corsHeaders(response)]).toEqual([200, expected])
        expect(response.headers.get('vary')).toBe(VARY)
      }
      expect(http.calls).toHaveLength(3)
    }))

  test('a preflight names the methods', () =>
    withHttp({ cors }, async http => {
      expect(corsHeaders(await preflight(http, '/x'))).toEqual({
        'access-control-allow-origin': HOME,
        'access-control-allow-methods': 'GET,POST',
        'access-control-allow-headers': '*',
      })
      const refused = await preflight(http, '/x', 'https://evil.example')
      expect(refused.status).toBe(200)
      expect(refused.headers.has('access-control-allow-origin')).toBe(false)
    }))

  test.each([{}, { allowed_origins: ['*'], allowed_methods: ['*'] }, { allowed_origins: [HOME, '*'] }])(
    '%j allows everything, and exposes nothing',
    cors =>
      withHttp({ cors }, async http => {
        expect(corsHeaders(await http.fetch('/x', { headers: { origin: 'https://a.example' } }))).toEqual({
          'access-control-allow-origin': '*',
        })
        expect((await preflight(http, '/x')).headers.get('access-control-allow-methods')).toBe('*')
      }),
  )
})
