import { describe, expect, test } from 'bun:test'
import {
  CancelledError,
  ConnectionLostError,
  InvocationError,
  TimeoutError,
  TriggerAction,
} from '../../sdk/typescript/src/mod.ts'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { createHeldTransport, holdClient, stateOf } from './support.ts'

const request = { function_id: 'f', payload: { n: 1 } }

/** What a promise was rejected with. */
async function rejection(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => Promise.reject(new Error('it was not rejected')),
    (error: Error) => error,
  )
}

describe('a call', () => {
  test('is sent with its payload and time-out, and resolves with the result', async () => {
    const { client, open, takeCall, answer, transport } = holdClient()
    open()
    transport.take()
    const result = client.trigger({ ...request, metadata: { m: 1 }, namespace: 'ns', timeoutMs: 700 })
    const call = takeCall()
    expect(call).toMatchObject({
      functionId: 'f',
      data: '{"n":1}',
      metadata: '{"m":1}',
      namespace: 'ns',
      timeoutMs: 700,
    })
    answer(call, { ok: true })
    expect(await result).toEqual({ ok: true })
  })

  test('that has a cause carries its trace and its baggage', () => {
    const { client, open, takeCall, transport } = holdClient()
    open()
    transport.take()
    const cause = { traceparent: 'trace', baggage: 'iii-depth=2' }
    void client.trigger({ ...request, cause })
    expect(takeCall()).toMatchObject(cause)
  })

  test.each([
    [undefined, '{}'],
    [null, 'null'],
    [0, '0'],
    ['', '""'],
    [[], '[]'],
  ])('with the payload %j has the data %s', (payload, data) => {
    const { client, open, takeCall, transport } = holdClient()
    open()
    transport.take()
    void client.trigger({ function_id: 'f', payload })
    expect(takeCall().data).toBe(asJsonText(data))
  })

  test('with a payload that JSON cannot hold rejects and is not sent', async () => {
    const { client, open, transport } = holdClient()
    open()
    transport.take()
    expect(await rejection(client.trigger({ function_id: 'f', payload: 1n }))).toBeInstanceOf(TypeError)
    expect(transport.take()).toEqual([])
  })

  test('that returns nothing resolves with undefined', async () => {
    const { client, open, takeCall, answer } = holdClient()
    open()
    const result = client.trigger(request)
    answer(takeCall(), undefined)
    expect(await result).toBeUndefined()
  })

  test('that fails rejects with the code and message of the function', async () => {
    const { client, open, takeCall, answer } = holdClient()
    open()
    const error = rejection(client.trigger(request))
    answer(takeCall(), undefined, { code: 'out_of_stock', message: 'none left' })
    expect(await error).toBeInstanceOf(InvocationError)
    expect(await error).toMatchObject({
      code: 'out_of_stock',
      detail: 'none left',
      message: 'out_of_stock: none left',
      function_id: 'f',
    })
  })

  test('goes to the home namespace, but one to the engine goes to default', () => {
    const { client, open, takeCall, transport } = holdClient({ namespace: 'home' })
    open()
    transport.take()
    const namespaces = ['f', 'engine::workers::list', 'configuration::get'].map(function_id => {
      void client.trigger({ function_id })
      return takeCall().namespace
    })
    expect(namespaces).toEqual(['home', undefined, undefined])
  })

  test('that nobody waits for resolves at once and has no id', async () => {
    const { client, open, takeCall, transport } = holdClient()
    open()
    transport.take()
    expect(await client.trigger({ ...request, action: TriggerAction.Void() })).toBeNull()
    expect(takeCall()).toMatchObject({ action: 'void', invocationId: undefined, timeoutMs: undefined })
  })

  test('through a queue names it', () => {
    const { client, open, takeCall, transport } = holdClient()
    open()
    transport.take()
    void client.trigger({ ...request, action: TriggerAction.Enqueue({ queue: 'payment' }) })
    expect(takeCall()).toMatchObject({
      action: 'enqueue',
      queue: 'payment',
      invocationId: expect.any(String),
    })
  })

  test('is answered once: what comes later, twice or unasked is ignored', async () => {
    const { client, open, takeCall, answer } = holdClient()
    open()
    const result = client.trigger(request)
    const call = takeCall()
    answer({ ...call, invocationId: crypto.randomUUID() }, 'unasked')
    answer(call, 'first')
    answer(call, 'second')
    expect(await result).toBe('first')
  })
})

describe('a time-out', () => {
  test('rejects the call and tells the engine that nobody waits any more', async () => {
    const { client, open, takeCall, transport, clock, answer } = holdClient()
    open()
    const result = client.trigger({ ...request, timeoutMs: 500 })
    const call = takeCall()
    clock.advance(499)
    expect(await stateOf(result)).toBe('pending')
    clock.advance(41)
    const error = await rejection(result)
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({ code: 'TIMEOUT', message: 'TIMEOUT: no answer within 500 ms' })
    expect(transport.take()).toEqual([{ type: 'cancelinvocation', invocationId: call.invocationId! }])
    answer(call, 'too late')
  })

  test('is 30 s when nobody says otherwise, or what the client was made with', async () => {
    for (const [options, expected] of [
      [{}, 30_000],
      [{ defaultTimeoutMs: 70 }, 70],
    ] as const) {
      const { client, open, takeCall, clock } = holdClient(options)
      open()
      const result = client.trigger(request)
      expect(takeCall().timeoutMs).toBe(expected)
      clock.advance(expected - 1)
      expect(await stateOf(result)).toBe('pending')
      clock.advance(41)
      expect(await rejection(result)).toBeInstanceOf(TimeoutError)
    }
  })

  test('also ends a call that could not be sent', async () => {
    const { client, open, transport, clock } = holdClient()
    const error = rejection(client.trigger({ ...request, timeoutMs: 100 }))
    clock.advance(200)
    expect(await error).toBeInstanceOf(TimeoutError)
    open()
    expect(transport.take()).toEqual([])
  })

  test('that the engine reports is the same error', async () => {
    const { client, open, takeCall, answer, transport, clock } = holdClient({
      transport: createHeldTransport(true),
    })
    open()
    transport.take()
    const error = rejection(client.trigger({ ...request, timeoutMs: 100 }))
    clock.advance(100)
    answer(takeCall(), undefined, { code: 'invocation_timeout', message: 'No answer within 100 ms' })
    expect(await error).toBeInstanceOf(TimeoutError)
  })

  test.each([
    ['invocation_timeout', 'No answer within 50 ms'],
    ['TIMEOUT', 'no answer within 50 ms'],
    ['CONNECTION_LOST', 'the connection to the engine was lost before the answer came'],
  ])(
    'or a lost connection that the function met itself (%s) is an error of the function',
    async (code, message) => {
      for (const engineKeepsDeadlines of [true, false]) {
        const { client, open, takeCall, answer, transport, clock } = holdClient({
          transport: createHeldTransport(engineKeepsDeadlines),
        })
        open()
        transport.take()
        const error = rejection(client.trigger({ ...request, timeoutMs: 100 }))
        const call = takeCall()
        clock.advance(60)
        answer(call, undefined, { code, message })
        expect(await error).toMatchObject({ name: 'InvocationError', code, detail: message })
      }
    },
  )

  test('is left to the engine where it keeps the deadlines', async () => {
    const { client, open, clock } = holdClient({ transport: createHeldTransport(true) })
    open()
    const result = client.trigger({ ...request, timeoutMs: 100 })
    expect(clock.pending()).toBe(0)
    clock.advance(10_000)
    expect(await stateOf(result)).toBe('pending')
  })

  test('costs no time for ten thousand calls that could not be sent', async () => {
    const { client, clock } = holdClient()
    const errors = Array.from({ length: 10_000 }, () =>
      rejection(client.trigger({ ...request, timeoutMs: 100 })),
    )
    const started = performance.now()
    clock.advance(1000)
    expect(performance.now() - started).toBeLessThan(500)
    expect(await errors.at(-1)).toBeInstanceOf(TimeoutError)
  })
})

describe('when the connection is lost', () => {
  test('calls that were sent fail, those that were not are sent on the next one, in order', async () => {
    const { client, open, takeCall, transport, answer } = holdClient()
    open()
    const sent = rejection(client.trigger(request))
    takeCall()
    transport.receiver.closed(false)
    const error = await sent
    expect(error).toBeInstanceOf(ConnectionLostError)
    expect(error).toMatchObject({ code: 'CONNECTION_LOST', function_id: 'f' })

    const unsent = client.trigger({ function_id: 'g' })
    void client.trigger({ function_id: 'v', action: TriggerAction.Void() })
    const last = client.trigger({ function_id: 'h' })
    expect(transport.take()).toEqual([])
    open('W2')
    const [reattach, ...calls] = transport.take()
    expect(reattach?.type).toBe('reattach')
    expect(calls.map(frame => frame.type === 'invokefunction' && frame.functionId)).toEqual(['g', 'v', 'h'])
    for (const frame of calls) if (frame.type === 'invokefunction') answer(frame, frame.functionId)
    expect(await Promise.all([unsent, last])).toEqual(['g', 'h'])
  })

  test('and lost again before a call could be sent, the call still waits', async () => {
    const { client, transport, open, takeCall, answer } = holdClient()
    const result = client.trigger(request)
    transport.receiver.closed(false)
    transport.receiver.closed(false)
    expect(await stateOf(result)).toBe('pending')
    open()
    answer(takeCall(), 1)
    expect(await result).toBe(1)
  })

  test('after a call that had waited was sent, that call fails like any other', async () => {
    const { client, open, takeCall, transport } = holdClient()
    const waited = rejection(client.trigger(request))
    open()
    takeCall()
    transport.receiver.closed(false)
    expect(await waited).toMatchObject({ code: 'CONNECTION_LOST' })
    open('W2')
    expect(transport.take().map(({ type }) => type)).toEqual(['reattach'])
  })

  test('more than ten thousand calls do not wait: the oldest fail', async () => {
    const { client, open, transport } = holdClient()
    const first = rejection(client.trigger(request))
    const second = client.trigger(request)
    for (let count = 0; count < 9999; count++)
      void client.trigger({ ...request, action: TriggerAction.Void() })
    expect(await first).toMatchObject({ code: 'CONNECTION_LOST', detail: expect.stringContaining('10000') })
    expect(await stateOf(second)).toBe('pending')
    open()
    expect(transport.take()).toHaveLength(10_000)
  })

  test('for good, all calls fail, and later ones fail at once and are not sent', async () => {
    for (const engineKeepsDeadlines of [false, true]) {
      const { client, open, takeCall, transport } = holdClient({
        transport: createHeldTransport(engineKeepsDeadlines),
      })
      open()
      const sent = rejection(client.trigger(request))
      takeCall()
      transport.receiver.closed(true)
      expect(await sent).toMatchObject({
        code: 'CONNECTION_LOST',
        detail: expect.stringContaining('was lost'),
      })
      const later = [client.trigger(request), client.trigger({ ...request, action: TriggerAction.Void() })]
      for (const call of later) {
        expect(await rejection(call)).toMatchObject({
          code: 'CONNECTION_LOST',
          detail: expect.stringContaining('closed'),
        })
      }
      expect(transport.take()).toEqual([])
    }
  })

  test('for good, a bare call is answered, and not from within', async () => {
    const { client, transport } = holdClient({ transport: createHeldTransport(true) })
    transport.receiver.closed(true)
    const answers: unknown[] = []
    const cancel = client.call(
      {
        functionId: 'f',
        data: asJsonText('{}'),
        namespace: undefined,
        metadata: undefined,
        timeoutMs: 1,
        traceparent: undefined,
        baggage: undefined,
      },
      error => void answers.push(error?.code),
    )
    expect(answers).toEqual([])
    cancel()
    await Promise.resolve()
    expect(answers).toEqual(['CONNECTION_LOST'])
  })
})

describe('an abort signal', () => {
  test('ends the call and tells the engine', async () => {
    const { client, open, takeCall, transport, clock } = holdClient()
    open()
    const controller = new AbortController()
    const error = rejection(client.trigger({ ...request, signal: controller.signal }))
    const call = takeCall()
    controller.abort()
    expect(await error).toBeInstanceOf(CancelledError)
    expect(transport.take()).toEqual([{ type: 'cancelinvocation', invocationId: call.invocationId! }])
    clock.advance(100_000)
    expect(transport.take()).toEqual([])
  })

  test('that has fired already keeps the call from being sent', async () => {
    const { client, open, transport } = holdClient()
    open()
    transport.take()
    expect(await rejection(client.trigger({ ...request, signal: AbortSignal.abort() }))).toBeInstanceOf(
      CancelledError,
    )
    expect(transport.take()).toEqual([])
  })

  test('takes back a call that could not be sent', async () => {
    const { client, open, transport } = holdClient()
    const controller = new AbortController()
    const error = rejection(client.trigger({ ...request, signal: controller.signal }))
    controller.abort()
    expect(await error).toBeInstanceOf(CancelledError)
    open()
    expect(transport.take()).toEqual([])
  })

  test('after the answer does nothing, and holds on to no call', async () => {
    const { client, open, takeCall, answer, transport } = holdClient()
    open()
    const controller = new AbortController()
    let listeners = 0
    const { signal } = controller
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
    signal.addEventListener = (...args: unknown[]) => {
      listeners++
      add(...(args as Parameters<typeof add>))
    }
    signal.removeEventListener = (...args: unknown[]) => {
      listeners--
      remove(...(args as Parameters<typeof remove>))
    }
    for (const outcome of ['result', 'error'] as const) {
      const result = client.trigger({ ...request, signal }).catch(() => 'failed')
      expect(listeners).toBe(1)
      answer(takeCall(), 1, outcome === 'error' ? { code: 'x', message: 'y' } : undefined)
      await result
      expect(listeners).toBe(0)
    }
    controller.abort()
    expect(transport.take()).toEqual([])
  })
})
