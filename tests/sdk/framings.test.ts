/** Workers of both framings on one engine: a caller and a callee each, in every combination. */
import { describe, expect, test } from 'bun:test'
import { HandlerError, type InitOptions, registerWorker } from '../../sdk/typescript/src/mod.ts'
import { createWebSocketTransport } from '../../sdk/typescript/src/websocket.ts'
import type { RawJson, WorkerClient } from '../../sdk/typescript/src/worker.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { type Served, serve } from '../server/support.ts'
import { until } from '../support/waiting.ts'

type Framing = 'json' | 'msgpack'

async function connect(
  served: Served,
  workerName: string,
  framing: Framing,
  options: InitOptions = {},
): Promise<WorkerClient & AsyncDisposable> {
  const reconnectionConfig = { initialDelayMs: 10, maxDelayMs: 20 }
  const client = registerWorker(`ws://127.0.0.1:${served.port}`, {
    workerName,
    framing,
    reconnectionConfig,
    ...options,
  })
  await client.ready()
  return { ...client, [Symbol.asyncDispose]: () => client.shutdown() }
}

async function openPair(served: Served, calls: Framing, answers: Framing) {
  return { caller: await connect(served, 'caller', calls), callee: await connect(served, 'callee', answers) }
}

const isRegistered = (served: Served, id: string) =>
  until(`function ${id}`, () => served.engine.state.routes.inDefault.has(id))

const combinations: readonly (readonly [Framing, Framing])[] = [
  ['json', 'json'],
  ['json', 'msgpack'],
  ['msgpack', 'json'],
  ['msgpack', 'msgpack'],
]

describe.each(combinations)('a %s caller and a %s callee', (calls, answers) => {
  test('pass on every kind of value unchanged, both ways', async () => {
    await using served = serve()
    const { caller, callee } = await openPair(served, calls, answers)
    const seen: unknown[] = []
    callee.registerFunction('echo', input => {
      seen.push(input)
      return input
    })
    await isRegistered(served, 'echo')
    const values = [
      [],
      [1, -1, 2 ** 53 - 1, 1.5, -0.25, 1e300],
      'ü 😀 \n "quoted" \\ \u0000',
      true,
      false,
      null,
      0,
      [{ a: { b: [{}, [], ''] } }],
      'x'.repeat(100_000),
    ]
    for (const payload of values) {
      const answer = await caller.trigger<unknown>({ function_id: 'echo', payload })
      // In JSON a result of `null` and none are the same.
      expect(answer ?? null).toEqual(payload)
    }
    expect(seen).toEqual(values)
    await Promise.all([caller.shutdown(), callee.shutdown()])
  })

  test('the callee is told who calls, and is not taken in by a caller who says it is someone else', async () => {
    await using served = serve()
    const { caller, callee } = await openPair(served, calls, answers)
    callee.registerFunction('who', input => input)
    await isRegistered(served, 'who')
    const payload = { _caller_worker_id: 'the president', n: 1 }
    expect(await caller.trigger<unknown>({ function_id: 'who', payload })).toEqual({
      n: 1,
      _caller_worker_id: caller.workerId(),
    })
    await Promise.all([caller.shutdown(), callee.shutdown()])
  })

  test('a callee that wants text gets the payload as it was written, with who calls', async () => {
    await using served = serve()
    const { caller, callee } = await openPair(served, calls, answers)
    const seen: string[] = []
    const handler = (input: RawJson): RawJson => {
      seen.push(input.text)
      return input
    }
    callee.registerFunction('echo', handler, { rawInput: true })
    await isRegistered(served, 'echo')
    const echo = (payload: unknown) => caller.trigger<unknown>({ function_id: 'echo', payload })
    await echo({ z: 1, a: 'ü', _caller_worker_id: 'the president' })
    const payload = [1, 'two', null, 1e300]
    expect(await echo(payload)).toEqual(payload)
    expect(seen).toEqual([
      `{"z":1,"a":"ü","_caller_worker_id":"${caller.workerId()}"}`,
      JSON.stringify(payload),
    ])
    await Promise.all([caller.shutdown(), callee.shutdown()])
  })

  test('errors keep their code and message', async () => {
    await using served = serve()
    const { caller, callee } = await openPair(served, calls, answers)
    callee.registerFunction('fail', () => {
      throw new HandlerError('OUT_OF_STOCK', 'no tea')
    })
    await isRegistered(served, 'fail')
    await expect(caller.trigger({ function_id: 'fail' })).rejects.toMatchObject({
      code: 'OUT_OF_STOCK',
      detail: 'no tea',
    })
    await expect(caller.trigger({ function_id: 'nobody' })).rejects.toMatchObject({
      code: 'function_not_found',
    })
    await Promise.all([caller.shutdown(), callee.shutdown()])
  })

  test.each(['its time-out', 'its signal', 'its end'])(
    '%s of the caller aborts the signal of the handler',
    async how => {
      await using served = serve()
      const { caller, callee } = await openPair(served, calls, answers)
      let aborted: unknown
      let started = false
      callee.registerFunction('hangs', (_, { signal }) => {
        started = true
        signal.addEventListener('abort', () => {
          aborted = signal.reason
        })
        return new Promise(() => {})
      })
      await isRegistered(served, 'hangs')
      const controller = new AbortController()
      const outcome = caller
        .trigger({
          function_id: 'hangs',
          signal: controller.signal,
          timeoutMs: how === 'its time-out' ? 100 : 10_000,
        })
        .then(String, (error: { code: string }) => error.code)
      await until('its start', () => started)
      if (how === 'its signal') controller.abort()
      if (how === 'its end') await caller.shutdown()
      await until('the abort', () => aborted !== undefined)
      expect(String(aborted)).toContain('does not wait for the answer any more')
      expect(['TIMEOUT', 'CANCELLED', 'CONNECTION_LOST']).toContain(await outcome)
      expect(served.engine.callsInFlight()).toBe(0)
      expect(served.engine.state.counters.lateResults).toBe(0)
      await Promise.all([caller.shutdown(), callee.shutdown()])
    },
  )

  test('a thousand calls at once are answered, each with its own answer', async () => {
    await using served = serve()
    const { caller, callee } = await openPair(served, calls, answers)
    callee.registerFunction('double', async (n: number) => 2 * n)
    await isRegistered(served, 'double')
    const numbers = Array.from({ length: 1000 }, (_, n) => n)
    const doubles = await Promise.all(
      numbers.map(payload => caller.trigger<number>({ function_id: 'double', payload })),
    )
    expect(doubles).toEqual(numbers.map(n => 2 * n))
    await Promise.all([caller.shutdown(), callee.shutdown()])
  })
})

describe('bytes', () => {
  const bytes = Uint8Array.from([0, 1, 254, 255])

  test('stay bytes between two msgpack workers', async () => {
    await using served = serve()
    const { caller, callee } = await openPair(served, 'msgpack', 'msgpack')
    callee.registerFunction('reverse', (input: Uint8Array) => input.toReversed())
    await isRegistered(served, 'reverse')
    const answer = await caller.trigger<Uint8Array>({ function_id: 'reverse', payload: bytes })
    expect(answer).toEqual(bytes.toReversed())
    await Promise.all([caller.shutdown(), callee.shutdown()])
  })

  test('arrive at a JSON worker as base64, and come from one as it writes them', async () => {
    await using served = serve()
    const { caller, callee } = await openPair(served, 'msgpack', 'json')
    callee.registerFunction('echo', input => input)
    await isRegistered(served, 'echo')
    expect(await caller.trigger<unknown>({ function_id: 'echo', payload: bytes })).toBe('AAH+/w==')
    await Promise.all([caller.shutdown(), callee.shutdown()])
  })

  test('may be changed by the caller once the call is made', async () => {
    await using served = serve()
    const { caller, callee } = await openPair(served, 'msgpack', 'msgpack')
    callee.registerFunction('echo', input => input)
    await isRegistered(served, 'echo')
    const mine = bytes.slice()
    const answer = caller.trigger<Uint8Array>({ function_id: 'echo', payload: mine })
    mine.fill(7)
    expect(await answer).toEqual(bytes)
    await Promise.all([caller.shutdown(), callee.shutdown()])
  })
})

describe('a msgpack worker', () => {
  test('whose connection is lost hears of it in its handlers, and its late answers are not sent', async () => {
    await using served = serve()
    const { caller, callee } = await openPair(served, 'msgpack', 'msgpack')
    let reason: unknown
    callee.registerFunction('hangs', (_, { signal }) => {
      return new Promise(resolve =>
        signal.addEventListener('abort', () => {
          reason = signal.reason
          resolve('too late')
        }),
      )
    })
    await isRegistered(served, 'hangs')
    const outcome = caller
      .trigger({ function_id: 'hangs' })
      .then(String, (error: { code: string }) => error.code)
    await until('the call', () => served.engine.callsInFlight() === 1)
    served.engine.state.connections.get(callee.workerId()!)!.link.end('cut')
    expect(await outcome).toBe('invocation_stopped')
    await until('the abort', () => reason !== undefined)
    await until('the way back', () => served.engine.state.routes.inDefault.has('hangs'))
    expect(served.engine.state.counters.lateResults).toBe(0)
    await Promise.all([caller.shutdown(), callee.shutdown()])
  })

  test('says what it sent before it shuts down', async () => {
    await using served = serve()
    const { caller, callee } = await openPair(served, 'msgpack', 'msgpack')
    const notes: unknown[] = []
    callee.registerFunction('note', input => void notes.push(input))
    await isRegistered(served, 'note')
    void caller.trigger({ function_id: 'note', payload: 'last words', action: { type: 'void' } })
    await caller.shutdown()
    await until('the note', () => notes.length === 1)
    expect(notes).toEqual(['last words'])
    await callee.shutdown()
  })

  test('that meets an engine without msgpack says so and stays away', async () => {
    await using old = (() => {
      const server = Bun.serve({
        port: 0,
        fetch: (request, server) =>
          server.upgrade(request, { headers: { 'sec-websocket-protocol': '' } })
            ? undefined
            : new Response('', { status: 400 }),
        websocket: { message() {} },
      })
      return { port: server.port, [Symbol.asyncDispose]: () => server.stop(true) }
    })()
    const { promise, resolve } = Promise.withResolvers<[boolean, Error | undefined]>()
    const address = `ws://127.0.0.1:${old.port}`
    const transport = createWebSocketTransport(
      address,
      systemClock,
      Math.random,
      undefined,
      undefined,
      'msgpack',
    )
    transport.open({
      opened() {},
      received() {},
      problem() {},
      closed: (final, error) => resolve([final, error]),
    })
    const [final, error] = await promise
    expect([final, error?.message]).toEqual([
      true,
      `the engine at ${address} does not speak msgpack; use framing 'json'`,
    ])
  })
})
