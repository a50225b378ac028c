// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders are the subject
/** The trigger type `configuration`. */
import { describe, expect, test } from 'bun:test'
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { limits } from '../../src/protocol/limits.ts'
import { startWorker, type TestWorker } from './support.ts'

const shop = { id: 'shop', name: 'Shop', description: 'd', schema: { type: 'object' } }

const types = (worker: TestWorker) =>
  worker.told().map(({ payload }) => `${payload.id} ${payload.event_type}`)

describe('a trigger', () => {
  test('is told of everything, with metadata and namespace', async () => {
    const worker = await startWorker({ env: { N: '5' } })
    worker.bind({}, { metadata: { tag: 1 }, namespace: 'shop' })
    await worker.call('register', {
      ...shop,
      initial_value: { n: '${N:1}', m: '${M:7}' },
      metadata: { team: 'a' },
    })
    expect(worker.told()).toEqual([
      {
        functionId: 'on::change',
        namespace: 'shop',
        metadata: { tag: 1 },
        payload: {
          type: 'configuration',
          event_type: 'configuration:registered',
          ...shop,
          old_value: null,
          new_value: { n: '***', m: 7 },
          metadata: { team: 'a' },
          revision: 1,
        },
      },
    ])
  })

  test('fires again for the same value, and not for what was refused', async () => {
    const worker = await startWorker()
    await worker.call('register', { ...shop, initial_value: {} })
    worker.bind({})
    await worker.call('set', { id: 'shop', value: {} })
    await worker.call('set', { id: 'shop', value: 1 }).catch(() => {})
    expect(types(worker)).toEqual(['shop configuration:updated'])
  })

  test.each([
    [
      { configuration_id: 'shop' },
      ['shop configuration:registered', 'shop configuration:updated', 'shop configuration:deleted'],
    ],
    [{ configuration_id: 'other' }, ['other configuration:registered']],
    [{ configuration_id: null, event_types: ['configuration:deleted'] }, ['shop configuration:deleted']],
    [{ event_types: [] }, []],
    [{ event_types: ['something:else'] }, []],
  ])('with the config %j hears what it wants', async (config, heard) => {
    const worker = await startWorker()
    worker.bind(config)
    await worker.call('register', shop)
    await worker.call('register', { ...shop, id: 'other' })
    await worker.call('set', { id: 'shop', value: {} })
    await worker.call('delete', { id: 'shop' })
    expect(types(worker)).toEqual(heard)
  })

  test.each([
    [null],
    ['x'],
    [[]],
    [{ configuration_id: 5 }],
    [{ event_types: 'configuration:updated' }],
    [{ event_types: [1] }],
    [{ condition_function_id: {} }],
    [{ condition: 'n >' }],
  ])('with the config %j is refused', async config => {
    const worker = await startWorker()
    let thrown: unknown
    try {
      worker.bind(config)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(HandlerError)
    expect((thrown as Error).message).toStartWith('Failed to parse configuration trigger config: ')
  })

  test('is told what it has named for nothing', async () => {
    const worker = await startWorker()
    expect(worker.bind({ configuraton_id: 'x', event_types: ['updated'] })).toEqual([
      "unknown config key 'configuraton_id' has no effect; did you mean 'configuration_id'?",
      "there is no event 'updated'; it never fires",
    ])
    expect(worker.log.warnings().join()).toContain("did you mean 'configuration_id'?")
  })

  test('is gone when it is unbound, and replaced when it comes again', async () => {
    const worker = await startWorker()
    worker.bind({ event_types: [] }, { id: 't' })
    worker.bind({}, { id: 't', functionId: 'on::second' })
    await worker.call('register', shop)
    expect(worker.told().map(({ functionId }) => functionId)).toEqual(['on::second'])
    worker.unbind('t')
    await worker.call('delete', { id: 'shop' })
    expect(worker.told()).toEqual([])
  })
})

test('a trigger that comes again and is refused is gone', async () => {
  const worker = await startWorker()
  worker.bind({ configuration_id: 'shop' }, { id: 't' })
  expect(() => worker.bind({ configuration_id: 'shop', condition: '((' }, { id: 't' })).toThrow(HandlerError)
  await worker.call('register', shop)
  expect(worker.told()).toEqual([])
})

test('what was delivered is counted at each trigger', async () => {
  const worker = await startWorker()
  worker.bind({}, { id: 't' })
  await worker.call('register', shop)
  const { triggers } = await worker.call<{ triggers: unknown[] }>('triggers', {})
  expect(triggers).toMatchObject([{ id: 't', trigger_type: 'configuration', delivered: 1, dropped: 0 }])
})

describe('a condition', () => {
  test('decides by false and by nothing else', async () => {
    const worker = await startWorker()
    worker.bind({ condition_function_id: 'is::wanted' }, { namespace: 'shop' })
    const asked: string[] = []
    const answers = [
      { result: false },
      { result: null },
      { result: 0 },
      {},
      { error: { code: 'x', message: 'y' } },
    ]
    worker.condition = call => {
      asked.push(`${call.namespace} ${call.functionId}`)
      return answers.shift()!
    }
    await worker.call('register', { ...shop, schema: {} })
    for (let n = 1; n < 5; n++) await worker.call('set', { id: 'shop', value: n })
    await worker.running.drain()
    expect(worker.told().map(({ payload }) => payload.new_value)).toEqual([1, 2, 3])
    expect(asked).toEqual(Array.from({ length: 5 }, () => 'shop is::wanted'))
    expect(worker.log.warnings()).toEqual(['the condition of a trigger failed'])
  })

  test('may be an expression', async () => {
    const worker = await startWorker()
    worker.bind({ condition: 'new_value.n > 1' })
    await worker.call('register', { ...shop, initial_value: { n: 1 } })
    await worker.call('set', { id: 'shop', value: { n: 2 } })
    expect(types(worker)).toEqual(['shop configuration:updated'])
  })
})

describe('a handler that changes what it hears of', () => {
  test('is stopped when the chain is too long', async () => {
    const worker = await startWorker()
    await worker.call('register', shop)
    worker.bind({})
    worker.cause = { traceparent: undefined, baggage: `iii-depth=${limits.deliveryDepth - 1}` }
    await worker.call('set', { id: 'shop', value: {} })
    worker.cause = { traceparent: undefined, baggage: `iii-depth=${limits.deliveryDepth}` }
    await worker.call('set', { id: 'shop', value: {} })
    expect(types(worker)).toHaveLength(1)
    expect(worker.log.warnings()).toEqual(['an event was not delivered: too deep in a chain'])
  })
})
