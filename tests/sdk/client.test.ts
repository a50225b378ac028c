import { describe, expect, test } from 'bun:test'
import { RegistrationRejectedError } from '../../sdk/typescript/src/mod.ts'
import type { Frame } from '../../src/protocol/frames.ts'
import { callFrame, holdClient, stateOf } from './support.ts'

const typesOf = (frames: readonly Frame[]): string[] => frames.map(({ type }) => type)
const provider = { bind() {}, unbind() {} }

describe('on a connection', () => {
  test('the announce comes first, then trigger types, functions, triggers, and calls that waited', () => {
    const { client, transport } = holdClient({ announcement: () => ({ name: 'orders' }) })
    void client.trigger({ function_id: 'later' })
    client.registerTrigger({ type: 'my::tick', function_id: 'f' })
    client.registerFunction('f', () => 1)
    client.registerTriggerType({ id: 'my::tick', description: 'ticks' }, provider)
    expect(transport.take()).toEqual([])
    transport.receiver.opened()
    const frames = transport.take()
    expect(typesOf(frames)).toEqual([
      'invokefunction',
      'registertriggertype',
      'registerfunction',
      'registertrigger',
      'invokefunction',
    ])
    expect(frames[0]).toMatchObject({
      functionId: 'engine::workers::register',
      action: 'void',
      data: '{"name":"orders"}',
    })
  })

  test('that stands, registrations are sent at once', () => {
    const { client, open, transport } = holdClient()
    open()
    const registered = client.registerFunction('f', () => 1, {
      description: 'd',
      request_format: { type: 'object' },
      metadata: { owner: 'a' },
    })
    expect(transport.take()).toEqual([
      {
        type: 'registerfunction',
        id: 'f',
        description: 'd',
        requestFormat: '{"type":"object"}' as never,
        responseFormat: undefined,
        metadata: '{"owner":"a"}' as never,
        invocation: undefined,
      },
    ])
    registered.unregister()
    registered.unregister()
    expect(transport.take()).toEqual([{ type: 'unregisterfunction', id: 'f' }])
  })

  test('after another one, the worker proves first who it was, and registers everything that still counts', () => {
    const { client, open, transport } = holdClient({ announcement: () => ({ name: 'orders' }) })
    open('W1')
    client.registerFunction('f', () => 1)
    const gone = client.registerFunction('gone', () => 1)
    const { id } = client.registerTrigger({ type: 'http', function_id: 'f', config: { api_path: 'x' } })
    gone.unregister()
    transport.take()
    transport.receiver.closed(false)
    open('W2')
    const frames = transport.take()
    expect(frames[0]).toEqual({ type: 'reattach', previousWorkerId: 'W1', reattachToken: 'token of W1' })
    expect(typesOf(frames)).toEqual(['reattach', 'invokefunction', 'registerfunction', 'registertrigger'])
    expect(frames.at(-1)).toMatchObject({ id })
    transport.receiver.closed(false)
    // No `workerregistered` came on this one: the worker is still W2.
    transport.receiver.opened()
    transport.receiver.closed(false)
    transport.take()
    open('W4')
    expect(transport.take()[0]).toMatchObject({ previousWorkerId: 'W2', reattachToken: 'token of W2' })
  })

  test('a ping is answered', () => {
    const { open, transport } = holdClient()
    open()
    transport.take()
    transport.receiver.received({ type: 'ping' })
    expect(transport.take()).toEqual([{ type: 'pong' }])
  })
})

describe('its state', () => {
  test('goes from connecting over connected and reconnecting to disconnected', async () => {
    const { client, open, transport } = holdClient()
    expect(client.getConnectionState()).toBe('connecting')
    const ready = client.ready()
    transport.receiver.opened()
    expect(await stateOf(ready)).toBe('pending')
    open('W1')
    await ready
    expect(client.getConnectionState()).toBe('connected')
    expect(client.workerId()).toBe('W1')
    transport.receiver.closed(false)
    expect(client.getConnectionState()).toBe('reconnecting')
    expect(await stateOf(client.ready())).toBe('pending')
    open('W2')
    await client.ready()
    await client.shutdown()
    await client.shutdown()
    expect(client.getConnectionState()).toBe('disconnected')
    expect(transport.isClosed).toBe(true)
    await expect(client.ready()).rejects.toThrow('closed')
  })

  test('is failed for good when another worker has its name', async () => {
    const { client, open, transport, warnings } = holdClient()
    open()
    const call = client.trigger({ function_id: 'f' })
    const ready = client.ready()
    transport.receiver.received({
      type: 'registrationrejected',
      code: 'WORKER_NAMESPACE_CONFLICT',
      namespace: 'default',
      workerName: 'orders',
      functionId: undefined,
      ownerWorkerId: 'W9',
    })
    await ready
    expect(client.getConnectionState()).toBe('failed')
    expect(client.getFatalError()).toBeInstanceOf(RegistrationRejectedError)
    expect(client.getFatalError()?.message).toContain('W9')
    expect(transport.isClosed).toBe(true)
    expect(warnings).toHaveLength(1)
    await expect(call).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    await expect(client.ready()).rejects.toBe(client.getFatalError()!)
    await expect(client.trigger({ function_id: 'f' })).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    transport.receiver.closed(true)
    expect(client.getConnectionState()).toBe('failed')
  })

  test('stays connected when one function is refused; the program is told', () => {
    const { client, open, transport, warnings } = holdClient()
    open()
    transport.receiver.received({
      type: 'registrationrejected',
      code: 'FUNCTION_NAMESPACE_CONFLICT',
      namespace: 'default',
      workerName: undefined,
      functionId: 'f',
      ownerWorkerId: '',
    })
    expect(client.getConnectionState()).toBe('connected')
    expect(warnings[0]?.message).toBe('FUNCTION_NAMESPACE_CONFLICT: f is held by worker (engine)')
  })

  test('is told why the only dial failed', async () => {
    const { client, transport } = holdClient()
    const ready = client.ready()
    const error = new Error('no engine answers')
    transport.receiver.closed(true, error)
    await expect(ready).rejects.toBe(error)
    expect(client.getFatalError()).toBe(error)
  })
})

describe('a refused trigger', () => {
  test('is a warning that says which one and why', () => {
    const { open, transport, warnings } = holdClient()
    open()
    const frame = {
      type: 'triggerregistrationresult',
      id: 'T1',
      triggerType: 'http',
      functionId: 'f',
    } as const
    transport.receiver.received({ ...frame, error: undefined })
    transport.receiver.received({
      ...frame,
      error: { code: 'trigger_registration_failed', message: 'conflict' },
    })
    expect(warnings.map(({ message }) => message)).toEqual([
      'trigger T1 (http) refused: trigger_registration_failed: conflict',
    ])
  })
})

describe('a registration', () => {
  test.each(['', ' ', '\n'])('under the blank id %j is refused', id => {
    const { client } = holdClient()
    expect(() => client.registerFunction(id, () => 1)).toThrow('not blank')
    expect(() => client.registerTriggerType({ id, description: '' }, provider)).toThrow('not blank')
    expect(() => client.registerTrigger({ type: id, function_id: 'f' })).toThrow('not blank')
    expect(() => client.registerTrigger({ type: 'http', function_id: id })).toThrow('not blank')
  })

  test('of a function that is registered already is refused; after unregister it is not', () => {
    const { client, transport, open } = holdClient()
    open()
    const first = client.registerFunction('f', () => 1)
    expect(() => client.registerFunction('f', () => 2)).toThrow("function 'f' is registered already")
    first.unregister()
    client.registerFunction('f', () => 2)
    first.unregister()
    expect(typesOf(transport.take())).toEqual(['registerfunction', 'unregisterfunction', 'registerfunction'])
  })

  test('of a trigger goes to the home namespace unless it names one', () => {
    const { client, open, transport } = holdClient({ namespace: 'home' })
    open()
    client.registerTrigger({ type: 'http', function_id: 'f' })
    client.registerTrigger({
      type: 'http',
      function_id: 'f',
      namespace: 'other',
      trigger_namespace: 'third',
      id: 'T',
    })
    expect(transport.take()).toMatchObject([
      { namespace: 'home', triggerNamespace: undefined, config: '{}' },
      { id: 'T', namespace: 'other', triggerNamespace: 'third' },
    ])
  })
})

describe('calls to the worker', () => {
  test('reach the handler with what it may want to know, and the answer goes back', () => {
    const { client, open, transport } = holdClient()
    client.registerFunction('f', (input, context) => ({ input, context }))
    open()
    transport.take()
    transport.receiver.received(
      callFrame('f', '{"n":1}', { metadata: '{"m":1}' as never, traceparent: 'tp', baggage: 'b=1' }),
    )
    const [answer] = transport.take()
    expect(answer).toMatchObject({ type: 'invocationresult', functionId: 'f', error: undefined })
    expect(JSON.parse((answer as { result: string }).result)).toEqual({
      input: { n: 1 },
      context: {
        invocationId: 'c2a4a5a6-0000-4000-8000-0000000000aa',
        metadata: { m: 1 },
        traceparent: 'tp',
        signal: {},
        baggage: 'b=1',
      },
    })
  })

  test('that end while there is no connection are not answered on the next one before it stands', async () => {
    const { client, open, transport } = holdClient()
    const work = Promise.withResolvers<number>()
    client.registerFunction('f', () => work.promise)
    open()
    transport.receiver.received(callFrame('f', '{}'))
    transport.receiver.closed(false)
    transport.take()
    work.resolve(1)
    await work.promise
    expect(transport.take()).toEqual([])
  })
})

describe('messages that cannot be read', () => {
  test('are told of: the first, and then every power of ten with their number', () => {
    const { open, transport, warnings } = holdClient()
    open()
    const problem = {
      type: 'problem',
      reason: 'invalid_json',
      detail: 'it is no JSON',
      about: undefined,
      invocationId: undefined,
      functionId: undefined,
    } as const
    for (let count = 0; count < 500; count++) transport.receiver.problem(problem)
    const said = 'a message of the engine could not be read and is lost: it is no JSON'
    expect(warnings.map(({ message }) => message)).toEqual([
      said,
      `${said} (10 messages so far)`,
      `${said} (100 messages so far)`,
    ])
  })
})
