import { describe, expect, test } from 'bun:test'
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { silentLog } from '../../src/log/log.ts'
import { limits } from '../../src/protocol/limits.ts'
import { httpConfigSchema } from '../../workers/http/config.ts'
import { createHttpWorker } from '../../workers/http/worker.ts'
import { eventually, openRaw, PENDING, startHttp, withHttp } from './support.ts'

describe('routes', () => {
  test('come and go while the worker runs', () =>
    withHttp({}, async http => {
      expect((await http.fetch('/x')).status).toBe(404)
      const id = http.bind({ api_path: '/x', http_method: ['GET', 'POST'] }, () => ({ body: 1 }))
      expect((await http.fetch('/x')).status).toBe(200)
      expect((await http.fetch('/x', { method: 'POST' })).status).toBe(200)
      http.unbind(id)
      expect((await http.fetch('/x')).status).toBe(404)
      expect((await http.fetch('/x', { method: 'POST' })).status).toBe(404)
    }))

  test('with other parameter names are refused, and the first keeps working', () =>
    withHttp({}, async http => {
      http.bind({ api_path: '/a/:x', http_method: 'GET' }, () => ({ body: 1 }))
      expect(() => http.bind({ api_path: '/a/:y', http_method: ['POST', 'GET'] })).toThrow(
        "Route 'GET /a/:y' conflicts with already-registered route 'GET /a/:x': routes with identical structure but different path-parameter names are not supported",
      )
      expect((await http.fetch('/a/1')).status).toBe(200)
      // Nothing of a refused trigger is left.
      expect((await http.fetch('/a/1', { method: 'POST' })).status).toBe(405)
    }))

  test('of the last trigger win, and stay when the first one goes', () =>
    withHttp({}, async http => {
      const first = http.bind({ api_path: '/x' }, () => ({ body: 'first' }))
      const second = http.bind({ api_path: 'x' }, () => ({ body: 'second' }))
      expect(http.log.map(line => line.message).join()).toContain('replaces that of another trigger')
      expect(await (await http.fetch('/x')).json()).toBe('second')
      http.unbind(first)
      expect(await (await http.fetch('/x')).json()).toBe('second')
      http.unbind(second)
      expect((await http.fetch('/x')).status).toBe(404)
    }))

  test('of a trigger that comes again replace its former ones', () =>
    withHttp({}, async http => {
      http.bind({ api_path: '/a/:x' }, () => ({ body: 1 }), { id: 'T' })
      http.bind({ api_path: '/a/:y' }, () => ({ body: 2 }), { id: 'T' })
      expect(await (await http.fetch('/a/1')).json()).toBe(2)
      http.bind({ api_path: '/b' }, () => ({ body: 3 }), { id: 'T' })
      expect((await http.fetch('/a/1')).status).toBe(404)
      expect(() => http.bind({}, undefined, { id: 'T' })).toThrow('api_path is required')
      expect((await http.fetch('/b')).status).toBe(404)
    }))

  test('with keys nobody knows are bound, and the log says so', () =>
    withHttp({}, async http => {
      http.bind({ api_path: '/x', colour: 'red' }, () => ({ body: 1 }))
      expect(http.log).toContainEqual(
        expect.objectContaining({ level: 'warn', message: expect.stringContaining("'colour'") }),
      )
      expect((await http.fetch('/x')).status).toBe(200)
    }))

  test('for a method that is not served are accepted, never served, and the log says so', () =>
    withHttp({}, async http => {
      http.bind({ api_path: '/pot', http_method: 'BREW' }, () => ({ body: 1 }), { functionId: 'brew' })
      expect(http.log).toEqual([
        {
          level: 'warn',
          message:
            "http trigger: method 'BREW' is not served; served are GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS",
          fields: { trigger_id: 'trigger-1', function_id: 'brew', api_path: '/pot', count: 1 },
        },
      ])
      expect((await http.fetch('/pot')).status).toBe(404)
      expect(http.remarks()).toEqual([
        'it serves nothing: none of its methods is served',
        expect.stringContaining("method 'BREW' is not served"),
      ])
      http.bind({ api_path: '/pot', http_method: ['BREW', 'GET'] }, () => ({ body: 1 }))
      expect(http.remarks()).toEqual([expect.stringContaining("method 'BREW' is not served")])
    }))

  test.each([
    ['that replace each other', { api_path: '/x' }, 'replaces that of another trigger'],
    ['with keys nobody knows', { api_path: '/x/:n', colour: 'red' }, "'colour'"],
  ])('%s over and over leave a few lines in the log', (_, config, text) =>
    withHttp({}, async http => {
      for (let i = 0; i < 1000; i++) {
        http.bind(config, undefined, { functionId: 'f' })
      }
      const lines = http.log.filter(line => line.message.includes(text))
      expect(lines.length).toBeWithin(3, 7)
    }),
  )

  test('of many functions leave a bounded number of lines in the log', () =>
    withHttp({}, async http => {
      for (let i = 0; i < 2000; i++) {
        http.bind({ api_path: `/${i}`, colour: 'red' }, undefined, { functionId: `f${i}` })
      }
      expect(http.log.length).toBeWithin(limits.httpNotices, limits.httpNotices + 5)
    }))

  test('that replace each other under load never leave a gap', () =>
    withHttp({}, async http => {
      http.bind({ api_path: '/x' }, () => ({ body: 0 }), { id: 'T0' })
      const statuses = new Set<number>()
      for (let i = 1; i <= 50; i++) {
        const before = http.fetch('/x')
        http.bind({ api_path: '/x' }, () => ({ body: i }), { id: `T${i}` })
        http.unbind(`T${i - 1}`)
        statuses.add((await before).status)
      }
      expect([...statuses]).toEqual([200])
    }))
})

describe('stopping', () => {
  test('drain answers what is under way, and frees the port', async () => {
    const http = await startHttp()
    http.bind({ api_path: '/x' }, () => PENDING)
    const idle = openRaw(http.address)
    idle.send('GET /missing HTTP/1.1\r\nHost: h\r\n\r\n')
    await idle.until(/\r\n\r\n/)
    const response = http.fetch('/x')
    const call = await http.called()
    const drained = http.drain()
    await idle.ended()
    await expect(http.fetch('/x')).rejects.toThrow()
    call.succeed({ body: 'last' })
    expect(await (await response).json()).toBe('last')
    await drained
    const again = await startHttp({ port: Number(new URL(http.address).port) })
    await again.stop()
    await http.stop()
  })

  test('stop cuts what is under way, cancels its calls, and frees the port', async () => {
    const http = await startHttp()
    http.bind({ api_path: '/x' }, () => PENDING)
    const raw = openRaw(http.address)
    raw.send('GET /x HTTP/1.1\r\nHost: h\r\n\r\n')
    const call = await http.called()
    await http.stop()
    expect(await raw.ended()).toBe('')
    await eventually(() => call.cancelled)
    const again = await startHttp({ port: Number(new URL(http.address).port) })
    await again.stop()
  })
})

describe('starting', () => {
  const client = {
    registerTriggerType: () => ({ unregister() {} }),
  } as Partial<BuiltInClient> as BuiltInClient

  const start = (config: object) =>
    createHttpWorker(httpConfigSchema.parse(config), { log: silentLog, clock: systemClock }).start(client)

  test('on a port that is taken says which and what to do', async () => {
    const http = await startHttp()
    try {
      const port = Number(new URL(http.address).port)
      await expect(start({ port })).rejects.toMatchObject({
        code: 'port_in_use',
        port,
        message: `iii-http cannot listen on 127.0.0.1:${port}: the port is in use`,
        fix: expect.stringContaining(`port ${port}`),
      })
    } finally {
      await http.stop()
    }
  })

  test('on an address of another machine is refused', async () => {
    await expect(start({ host: '203.0.113.1', port: 0 })).rejects.toMatchObject({
      code: 'listen_failed',
      fix: expect.stringContaining('host'),
    })
  })

  test('beyond loopback is said in the log', async () => {
    const open = await startHttp({ host: '0.0.0.0' })
    await open.stop()
    expect(open.log.map(line => line.message).join()).toMatch(/from other machines.*any origin/)
    const limited = await startHttp({ host: '0.0.0.0', cors: { allowed_origins: ['https://a.example'] } })
    await limited.stop()
    expect(limited.log.map(line => line.message).join()).not.toMatch(/any origin/)
    const home = await startHttp()
    await home.stop()
    expect(home.log).toEqual([])
  })
})
