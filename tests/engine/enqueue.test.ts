/** Calls that go through a queue (`docs/protocol/json.md#calls-through-a-queue`). */
import { describe, expect, test } from 'bun:test'
import { answerTo, createWorld, type Puppet, registerFunction, type World } from '../support/world.ts'
import { deliveredAs, errorOf, leftovers } from './support.ts'

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const ENQUEUE = { action: { type: 'enqueue', queue: 'payment' } }

function withQueue(options?: Parameters<typeof createWorld>[0]): {
  world: World
  caller: Puppet
  queue: Puppet
} {
  const world = createWorld(options)
  const [caller, queue] = [world.join(), world.join()]
  queue.says(registerFunction('engine::queue::enqueue'))
  return { world, caller, queue }
}

describe('an enqueue call', () => {
  test("calls the queue's provider and is answered with a receipt, whatever the provider returns", () => {
    const { caller, queue } = withQueue()
    const id = caller.calls('pay::process', { n: 1 }, ENQUEUE)
    const heard = queue.hears()
    expect(heard).toEqual([
      {
        type: 'invokefunction',
        invocation_id: deliveredAs(id),
        function_id: 'engine::queue::enqueue',
        data: {
          queue: 'payment',
          function_id: 'pay::process',
          data: { n: 1 },
          messageReceiptId: expect.stringMatching(/^[0-9a-f-]{36}$/),
          traceparent: null,
          baggage: 'iii.function.id=pay::process',
        },
        baggage: 'iii.function.id=pay::process',
      },
    ])
    queue.says(answerTo(heard[0], { result: { something: 'else' } }))
    const { messageReceiptId } = heard[0]!.data as { messageReceiptId: string }
    expect(caller.hears()).toEqual([
      {
        type: 'invocationresult',
        invocation_id: id,
        function_id: 'pay::process',
        result: { messageReceiptId },
      },
    ])
  })

  test('has a receipt that its engine makes for messages', () => {
    const { caller, queue } = withQueue({ receiptId: () => '0190a0b0-0000-7000-8000-000000000001' })
    caller.calls('pay::process', { n: 1 }, ENQUEUE)
    expect(queue.hears()).toMatchObject([
      { data: { messageReceiptId: '0190a0b0-0000-7000-8000-000000000001' } },
    ])
  })

  test('passes its data on character by character and does not name its caller in it', () => {
    const { caller, queue } = withQueue()
    caller.saysText(
      '{"type":"invokefunction","invocation_id":"c2a40000-0000-4000-8000-000000000001","function_id":"pay::process","data":{ "z":9007199254740993,"a":1.0 },"action":{"type":"enqueue","queue":"q\\"1"}}',
    )
    const [text] = queue.hearsText()
    expect(text).toContain('"data":{ "z":9007199254740993,"a":1.0 }')
    expect(text).toContain('"queue":"q\\"1"')
    expect(text).not.toContain('_caller_worker_id')
  })

  test('hands the trace on, in its data and on its way, and the metadata in its data', () => {
    const { caller, queue } = withQueue()
    caller.calls(
      'pay::process',
      {},
      { ...ENQUEUE, traceparent: TRACE, baggage: 'user.id=1', metadata: { a: 1 } },
    )
    const baggage = 'user.id=1,iii.function.id=pay::process'
    const [call] = queue.hears()
    expect(call).toMatchObject({
      traceparent: TRACE,
      baggage,
      data: { traceparent: TRACE, baggage, metadata: { a: 1 } },
    })
    expect(call).not.toHaveProperty('metadata')
    queue.says(answerTo(call))
    expect(caller.hears()).toMatchObject([{ traceparent: TRACE, baggage: 'user.id=1' }])
  })

  test('names its target in the baggage also when that is a built-in, and once', () => {
    const { caller, queue } = withQueue()
    caller.calls('state::set', {}, { ...ENQUEUE, baggage: 'iii.function.id=forged,a=1' })
    expect(queue.hears()).toMatchObject([{ data: { baggage: 'a=1,iii.function.id=state::set' } }])
  })

  test.each([
    ['default', {}],
    ['team', { namespace: 'team' }],
  ])('names the namespace %s of its target only when it is not the default one', (namespace, expected) => {
    const { caller, queue } = withQueue()
    caller.calls('pay::process', {}, { ...ENQUEUE, namespace })
    const data = queue.hears()[0]?.data as object
    expect('namespace' in data ? { namespace: data.namespace } : {}).toEqual(expected)
  })

  test('that the provider refuses fails with code and message of the provider in one text', () => {
    const { caller, queue } = withQueue()
    const id = caller.calls('pay::process', {}, ENQUEUE)
    queue.says(
      answerTo(queue.hears()[0], { error: { code: 'NO_QUEUE', message: "Queue 'payment' not found" } }),
    )
    expect(caller.hears()).toEqual([
      {
        type: 'invocationresult',
        invocation_id: id,
        function_id: 'pay::process',
        error: { code: 'enqueue_error', message: "NO_QUEUE: Queue 'payment' not found" },
      },
    ])
  })

  test('that the provider dies on fails', () => {
    const { world, caller, queue } = withQueue()
    caller.calls('pay::process', {}, ENQUEUE)
    queue.leaves()
    expect(errorOf(caller.hears()[0])).toEqual({
      code: 'enqueue_error',
      message: 'invocation_stopped: Invocation stopped',
    })
    caller.leaves()
    expect(leftovers(world)).toEqual({})
  })

  test('that the provider does not answer in time fails', () => {
    const { world, caller } = withQueue()
    caller.calls('pay::process', {}, { ...ENQUEUE, timeout_ms: 1000 })
    world.clock.advance(1100)
    const { code, message } = errorOf(caller.hears()[0])
    expect(code).toBe('enqueue_error')
    expect(message).toStartWith('invocation_timeout: ')
  })

  test('without a provider says how to get one', () => {
    const world = createWorld()
    const caller = world.join()
    const id = caller.calls('pay::process', {}, ENQUEUE)
    expect(caller.hears()).toEqual([
      {
        type: 'invocationresult',
        invocation_id: id,
        function_id: 'pay::process',
        error: {
          code: 'enqueue_error',
          message:
            'No queue provider is installed. `TriggerAction::Enqueue` routes through the `engine::queue::enqueue` provider, which the standalone queue worker registers. Add it with `- name: iii-queue` in `workers:` of config.yaml. (underlying: Function engine::queue::enqueue not found in namespace default)',
        },
      },
    ])
  })

  test('without an id gets no answer', () => {
    const { world, caller, queue } = withQueue()
    caller.says({ type: 'invokefunction', function_id: 'pay::process', data: {}, ...ENQUEUE })
    queue.says(answerTo(queue.hears()[0], { error: { code: 'x', message: 'y' } }))
    queue.leaves()
    caller.says({ type: 'invokefunction', function_id: 'pay::process', data: {}, ...ENQUEUE })
    expect(caller.hears()).toEqual([])
    expect(world.engine.state.counters.lostVoids).toBe(1)
  })

  test('with a blank namespace is refused before it reaches the queue', () => {
    const { caller, queue } = withQueue()
    caller.calls('pay::process', {}, { ...ENQUEUE, namespace: '' })
    expect(errorOf(caller.hears()[0]).code).toBe('INVALID_NAMESPACE')
    expect(queue.hears()).toEqual([])
  })

  test('needs no function behind it: that is the business of the queue', () => {
    const { caller, queue } = withQueue()
    caller.calls('no::such', {}, ENQUEUE)
    expect(queue.hears()).toHaveLength(1)
  })
})
