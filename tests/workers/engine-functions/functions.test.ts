/** `engine::functions::list` and `engine::functions::info` (`docs/discovery.md#a-function`). */
import { describe, expect, test } from 'bun:test'
import { registerFunction, registerTrigger, registerType } from '../../support/world.ts'
import { createDiscovery } from './support.ts'

const LIST = 'engine::functions::list'
const INFO = 'engine::functions::info'

interface Listed {
  functions: { function_id: string; namespace: string; worker_name: string }[]
}

const idsOf = ({ functions }: Listed): string[] => functions.map(({ function_id }) => function_id)

describe('the list of functions', () => {
  test('has one row per function, sorted by id, without members that are absent', async () => {
    const world = await createDiscovery()
    const orders = world.join({ name: 'orders' })
    orders.says(
      registerFunction('orders::list'),
      registerFunction('orders::create', {
        description: 'Creates an order',
        metadata: { owner: 'a' },
        request_format: { type: 'object' },
      }),
    )
    world.connect()
    const { result } = await world.ask(LIST, {})
    expect(result).toEqual({
      functions: [
        {
          function_id: 'orders::create',
          namespace: 'default',
          worker_name: 'orders',
          description: 'Creates an order',
          metadata: { owner: 'a' },
        },
        { function_id: 'orders::list', namespace: 'default', worker_name: 'orders' },
      ],
    })
  })

  test.each([[null], [undefined], [{}], [{ unknown: 1, search: null, include_internal: null }]])(
    'takes %p as its input',
    async input => {
      const world = await createDiscovery()
      world.join().says(registerFunction('x::f'))
      const { result } = await world.ask<Listed>(LIST, input)
      expect(idsOf(result)).toEqual(['x::f'])
    },
  )

  test.each([
    ['search', { search: 7 }],
    ['workers', { workers: 'orders' }],
    ['limit', { limit: 0 }],
    ['limit', { limit: 1.5 }],
  ])('refuses a wrong `%s` by name', async (field, input) => {
    const world = await createDiscovery()
    const { error } = await world.ask(LIST, input)
    expect(error?.code).toBe('deserialization_error')
    expect(error?.message).toStartWith(`Failed to deserialize input for ${LIST}: field \`${field}\``)
  })

  test('names a worker that has no name by the first part of the id', async () => {
    const world = await createDiscovery()
    world.join({ name: '' }).says(registerFunction('orders::create'), registerFunction('plain'))
    const { result } = await world.ask<Listed>(LIST)
    expect(result.functions.map(({ worker_name }) => worker_name)).toEqual(['orders', 'plain'])
  })

  test('hides the engine (but not its queue) and what is marked internal, unless asked', async () => {
    const world = await createDiscovery()
    world
      .join()
      .says(
        registerFunction('engine::queue::enqueue'),
        registerFunction('x::hidden', { metadata: { internal: true } }),
        registerFunction('x::shown', { metadata: { internal: 'true' } }),
        registerFunction('x::also', { metadata: 'internal' }),
      )
    const { result } = await world.ask<Listed>(LIST)
    expect(idsOf(result)).toEqual(['engine::queue::enqueue', 'x::also', 'x::shown'])
    const all = await world.ask<Listed>(LIST, { include_internal: true })
    expect(idsOf(all.result)).toContain('x::hidden')
    expect(idsOf(all.result)).toContain(LIST)
    expect(idsOf(all.result)).toContain('engine::workers::register')
  })

  test('shows who answers, not who waits, and every namespace', async () => {
    const world = await createDiscovery()
    const names = ['first', 'second'].map(name => world.join({ name }))
    for (const worker of names) worker.says(registerFunction('x::f'))
    world.join({ name: 'third', namespace: 'team' }).says(registerFunction('x::f'))
    const { result } = await world.ask<Listed>(LIST)
    expect(result.functions.map(({ namespace, worker_name }) => `${namespace} ${worker_name}`)).toEqual([
      'default first',
      'team third',
    ])
  })

  test('can be narrowed by prefix and by worker names, which are exact', async () => {
    const world = await createDiscovery()
    world.join({ name: 'a' }).says(registerFunction('one::f'), registerFunction('two::f'))
    world.join({ name: 'b' }).says(registerFunction('one::g'))
    world.join({ name: 'ab' }).says(registerFunction('one::h'))
    const ask = async (input: object): Promise<string[]> =>
      idsOf((await world.ask<Listed>(LIST, input)).result)
    expect(await ask({ prefix: 'one::' })).toEqual(['one::f', 'one::g', 'one::h'])
    expect(await ask({ worker: 'a' })).toEqual(['one::f', 'two::f'])
    expect(await ask({ worker: 'a', workers: ['b'] })).toEqual(['one::f', 'one::g', 'two::f'])
    expect(await ask({ workers: ['a', 'b'], prefix: 'one' })).toEqual(['one::f', 'one::g'])
    expect(await ask({ workers: [] })).toHaveLength(4)
    expect(await ask({ worker: 'nobody' })).toEqual([])
  })

  test('ranks what it finds: the id starts so or a part is it, then the id has it, then the description', async () => {
    const world = await createDiscovery()
    world
      .join()
      .says(
        registerFunction('z::order'),
        registerFunction('orders::create'),
        registerFunction('a::reorder'),
        registerFunction('b::Order::list'),
        registerFunction('a::other', { description: 'All ORDERS of a day' }),
        registerFunction('a::none'),
      )
    const { result } = await world.ask<Listed>(LIST, { search: 'Order' })
    expect(idsOf(result)).toEqual(['b::Order::list', 'orders::create', 'z::order', 'a::reorder', 'a::other'])
  })
})

describe('the details of a function', () => {
  test('have its schemas, its metadata and its triggers', async () => {
    const world = await createDiscovery()
    const orders = world.join({ name: 'orders' })
    orders.says(
      registerType('tick'),
      registerFunction('orders::create', {
        description: 'Creates',
        request_format: { type: 'object' },
        response_format: { type: 'string' },
        metadata: { a: 1 },
      }),
      registerTrigger('T1', 'tick', 'orders::create', { config: { every: 5 } }),
      registerTrigger('parked', 'nobody::has', 'orders::create'),
      registerTrigger('other', 'tick', 'orders::create', { namespace: 'team' }),
    )
    const { result } = await world.ask(INFO, { function_id: 'orders::create' })
    expect(result).toEqual({
      function_id: 'orders::create',
      namespace: 'default',
      worker_name: 'orders',
      description: 'Creates',
      request_schema: { type: 'object' },
      response_schema: { type: 'string' },
      metadata: { a: 1 },
      registered_triggers: [{ id: 'T1', trigger_type: 'tick', config: { every: 5 } }],
    })
  })

  test('say which built-in lies below and who waits for the id', async () => {
    const world = await createDiscovery()
    world.builtIn('iii-state').says(registerFunction('state::get'))
    for (const name of ['first', 'second']) world.join({ name }).says(registerFunction('state::get'))
    const { result } = await world.ask(INFO, { function_id: 'state::get' })
    expect(result).toMatchObject({ worker_name: 'first', overrides: 'iii-state', waiting: ['second'] })
  })

  test('without a namespace are those in default, else in the only other one', async () => {
    const world = await createDiscovery()
    world.join({ namespace: 'team' }).says(registerFunction('x::f'), registerFunction('x::g'))
    world.join().says(registerFunction('x::f'))
    const namespaceOf = async (input: object): Promise<unknown> =>
      (await world.ask(INFO, input)).result?.namespace
    expect(await namespaceOf({ function_id: 'x::f' })).toBe('default')
    expect(await namespaceOf({ function_id: 'x::g' })).toBe('team')
    expect(await namespaceOf({ function_id: 'x::f', namespace: 'team' })).toBe('team')
  })

  const ambiguous = (id: string, namespaces: string): string =>
    `Function '${id}' is ambiguous: it is registered in namespace(s): ${namespaces}. Pass \`namespace\` to select one.`

  test.each([
    ['unknown', { function_id: 'no::such' }, "Function 'no::such' is not registered."],
    ['in two other namespaces', { function_id: 'x::f' }, ambiguous('x::f', 'a, b')],
    ['not in the one that is named', { function_id: 'x::f', namespace: 'c' }, ambiguous('x::f', 'a, b')],
  ])('of one that is %s are not found', async (_, input, message) => {
    const world = await createDiscovery()
    for (const namespace of ['b', 'a']) world.join({ namespace }).says(registerFunction('x::f'))
    expect((await world.ask(INFO, input)).error).toEqual({ code: 'NOT_FOUND', message })
  })

  test.each([
    [
      { function_id: 'x::f', function_ids: ['x::g'] },
      'pass either `function_id` or `function_ids`, not both',
    ],
    [{}, 'missing field `function_id` (or `function_ids` for a batch)'],
    [null, 'missing field `function_id` (or `function_ids` for a batch)'],
    [{ function_ids: [] }, '`function_ids` must be a non-empty array of function ids'],
    [{ function_ids: Array.from({ length: 33 }, (_, i) => `x::${i}`) }, 'too many function_ids (max 32)'],
  ])('asked for with %j are refused', async (input, message) => {
    const world = await createDiscovery()
    expect((await world.ask(INFO, input)).error).toEqual({ code: 'INVALID_ARGUMENTS', message })
  })

  test('of several come in the order asked for, each once, with those that are not there', async () => {
    const world = await createDiscovery()
    for (const namespace of ['b', 'a']) world.join({ namespace }).says(registerFunction('ambiguous'))
    world.join().says(registerFunction('x::f'), registerFunction('x::g'))
    const function_ids = ['x::g', 'no::such', 'x::f', 'x::g', 'ambiguous', ...Array(30).fill('x::f')]
    const { result } = await world.ask<{ functions: object[] }>(INFO, { function_ids })
    expect(result.functions).toMatchObject([
      { function_id: 'x::g', registered_triggers: [] },
      { function_id: 'no::such', error: 'not_found' },
      { function_id: 'x::f' },
      { function_id: 'ambiguous', error: 'not_found' },
    ])
  })
})
