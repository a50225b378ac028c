// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders are the subject
/** The functions `configuration::*` as workers call them. */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../src/protocol/limits.ts'
import { refusal, startWorker, type TestWorker } from './support.ts'

const shop = { id: 'shop', name: 'Shop', description: 'Of the shop', schema: { type: 'object' } }

async function withShop(value: unknown = { n: 1 }, more: object = {}): Promise<TestWorker> {
  const worker = await startWorker()
  await worker.call('register', { ...shop, initial_value: value, ...more })
  return worker
}

describe('configuration::register', () => {
  test('answers with the entry and its revision', async () => {
    const worker = await startWorker()
    const input = { ...shop, initial_value: { n: 1 }, metadata: { team: 'a' } }
    expect(await worker.call('register', input)).toEqual({
      id: 'shop',
      name: 'Shop',
      description: 'Of the shop',
      schema: { type: 'object' },
      value: { n: 1 },
      metadata: { team: 'a' },
      revision: 1,
    })
  })

  test('without a value the value is null, and get fails when the schema does not allow that', async () => {
    const worker = await startWorker()
    expect(await worker.call('register', shop)).toMatchObject({ value: null })
    expect(await refusal(worker.call('get', { id: 'shop' }))).toBe(
      'SCHEMA_INVALID: schema validation failed: /: expected object, got null',
    )
    expect(await worker.call('get', { id: 'shop', raw: true })).toEqual({
      id: 'shop',
      value: null,
      revision: 1,
    })
  })

  test('again replaces schema, name, description and metadata, and keeps the value without another one', async () => {
    const worker = await withShop({ n: 1 }, { metadata: { a: 1 } })
    const again = { id: 'shop', name: 'New', description: '', schema: {} }
    expect(await worker.call('register', { ...again, initial_value: null })).toEqual({
      ...again,
      value: { n: 1 },
      revision: 2,
    })
    expect(await worker.call('register', { ...again, initial_value: 5 })).toMatchObject({
      value: 5,
      revision: 3,
    })
  })

  test('with if_absent brings a value where none is stored, and leaves one that is as it is', async () => {
    const worker = await startWorker()
    const input = { ...shop, if_absent: true }
    await worker.call('register', shop)
    expect(await worker.call('register', { ...input, initial_value: { n: 1 } })).toMatchObject({
      value: { n: 1 },
      revision: 2,
    })
    await worker.call('set', { id: 'shop', value: { n: 2 } })
    expect(await worker.call('register', { ...input, initial_value: { n: 1 } })).toMatchObject({
      value: { n: 2 },
      revision: 3,
    })
    // It is looked at all the same.
    expect(await refusal(worker.call('register', { ...input, initial_value: 5 }))).toStartWith(
      'SCHEMA_INVALID',
    )
  })

  test('of the same again changes nothing, and is told of as an update all the same', async () => {
    const worker = await withShop()
    worker.bind({})
    const steps = worker.files.steps()
    expect(await worker.call('register', shop)).toMatchObject({ revision: 1 })
    expect(worker.files.steps()).toBe(steps)
    expect(worker.told().map(({ payload }) => payload.event_type)).toEqual(['configuration:updated'])
  })

  test.each([
    ['Shop', "invalid configuration id 'Shop': must match [a-z0-9_-]{1,64}"],
    ['', "invalid configuration id '': must match [a-z0-9_-]{1,64}"],
    ['../x', "invalid configuration id '../x': must match [a-z0-9_-]{1,64}"],
    ['a\n', "invalid configuration id 'a\n': must match [a-z0-9_-]{1,64}"],
    ['a'.repeat(65), `invalid configuration id '${'a'.repeat(65)}': must match [a-z0-9_-]{1,64}`],
  ])('refuses the id %j', async (id, message) => {
    const worker = await startWorker()
    expect(await refusal(worker.call('register', { ...shop, id }))).toBe(`INVALID_ID: ${message}`)
  })

  test.each(['__proto__', 'constructor', 'tostring', '-', '_'])('takes the id %s', async id => {
    const worker = await startWorker()
    expect(await refusal(worker.call('get', { id }))).toBe(`NOT_FOUND: configuration '${id}' not found`)
    await worker.call('register', { ...shop, id, initial_value: {} })
    expect(await worker.call('get', { id })).toEqual({ id, value: {}, revision: 1 })
  })

  test('refuses an initial value that the schema does not allow', async () => {
    const worker = await startWorker()
    expect(await refusal(worker.call('register', { ...shop, initial_value: [] }))).toBe(
      'SCHEMA_INVALID: schema validation failed: /: expected object, got array',
    )
    expect(await worker.call('list', {})).toEqual({ configurations: [] })
  })

  test.each([
    [{ name: 'x', description: '', schema: {} }, 'field `id`'],
    [{ ...shop, name: 5 }, 'field `name`'],
    [{ id: 'shop', name: 'x', description: '' }, 'field `schema`: it is missing'],
    [{ ...shop, if_revision: -1 }, 'field `if_revision`'],
  ])('refuses the input %j', async (input, reason) => {
    const worker = await startWorker()
    expect(await refusal(worker.call('register', input))).toContain(
      `deserialization_error: Failed to deserialize input for configuration::register: ${reason}`,
    )
  })

  test('refuses what is too large or too deep', async () => {
    const worker = await startWorker()
    const large = 'x'.repeat(limits.configurationValueBytes)
    expect(await refusal(worker.call('register', { ...shop, schema: {}, initial_value: large }))).toBe(
      `VALUE_TOO_LARGE: the value has ${large.length + 2} bytes as JSON, and may have ${large.length}`,
    )
    const deep = JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`)
    expect(await refusal(worker.call('register', { ...shop, schema: {}, initial_value: deep }))).toEndWith(
      'expected no further nesting here, the value is too deep',
    )
    const deeper = JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`)
    expect(await refusal(worker.call('register', { ...shop, schema: deeper }))).toStartWith('SCHEMA_INVALID')
    const bound = { maximum: 2 ** 64 }
    expect(await worker.call('register', { ...shop, schema: bound })).toMatchObject({ schema: bound })
  })
})

describe('configuration::set', () => {
  test('replaces the whole value and answers with both and the revision', async () => {
    const worker = await withShop({ n: 1, m: 2 })
    const value = { n: '${NOT_SET}' }
    expect(await worker.call('set', { id: 'shop', value })).toEqual({
      old_value: { n: 1, m: 2 },
      new_value: value,
      revision: 2,
    })
  })

  test('refuses what is not registered, whatever the id', async () => {
    const worker = await startWorker()
    for (const id of ['shop', 'No Id']) {
      expect(await refusal(worker.call('set', { id, value: 1 }))).toBe(
        `NOT_REGISTERED: configuration '${id}' is not registered; call configuration::register first`,
      )
    }
  })

  test('refuses another revision than the expected one, and tells the present one', async () => {
    const worker = await withShop()
    await worker.call('set', { id: 'shop', value: { n: 2 }, if_revision: 1 })
    expect(await refusal(worker.call('set', { id: 'shop', value: { n: 3 }, if_revision: 1 }))).toBe(
      "REVISION_CONFLICT: configuration 'shop' is at revision 2, not 1; get it again and decide anew",
    )
    expect(await worker.call('get', { id: 'shop' })).toMatchObject({ value: { n: 2 }, revision: 2 })
  })

  test('of many at once with the same expectation exactly one succeeds', async () => {
    const worker = await withShop()
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => worker.call('set', { id: 'shop', value: { n }, if_revision: 1 })),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('refuses whole numbers that would lose digits', async () => {
    const worker = await withShop()
    expect(await refusal(worker.call('set', { id: 'shop', value: { n: 2 ** 53 } }))).toBe(
      'SCHEMA_INVALID: schema validation failed: /n: expected a whole number within ±9007199254740991; a larger one would lose digits, write it as text',
    )
  })

  test('without a value is no input', async () => {
    const worker = await withShop()
    expect(await refusal(worker.call('set', { id: 'shop' }))).toBe(
      'deserialization_error: Failed to deserialize input for configuration::set: field `value`: it is missing',
    )
    await worker.call('register', { ...shop, schema: {} })
    expect(await worker.call('set', { id: 'shop', value: null })).toMatchObject({ new_value: null })
  })
})

describe('configuration::patch, delete, history and rollback', () => {
  test('a patch merges objects, removes what is null, and is checked as a whole', async () => {
    const worker = await withShop({ a: { x: 1, y: 2 }, list: [1, 2] })
    expect(await worker.call('patch', { id: 'shop', patch: { a: { y: null, z: 3 }, list: [9] } })).toEqual({
      old_value: { a: { x: 1, y: 2 }, list: [1, 2] },
      new_value: { a: { x: 1, z: 3 }, list: [9] },
      revision: 2,
    })
    expect(await refusal(worker.call('patch', { id: 'shop', patch: 5 }))).toStartWith('SCHEMA_INVALID')
  })

  test('a deleted one is gone, and its file with it', async () => {
    const worker = await withShop()
    worker.bind({ event_types: ['configuration:deleted'] })
    expect(await worker.call('delete', { id: 'shop' })).toEqual({
      id: 'shop',
      old_value: { n: 1 },
      revision: 2,
    })
    expect(await refusal(worker.call('delete', { id: 'shop' }))).toBe(
      "NOT_FOUND: configuration 'shop' not found",
    )
    expect(worker.files.names('/project/config')).toEqual([])
    expect(worker.told().map(({ payload }) => payload)).toMatchObject([
      { event_type: 'configuration:deleted', old_value: { n: 1 }, new_value: null },
    ])
    expect(await worker.call('register', shop)).toMatchObject({ revision: 3 })
  })

  test('history has the newest value first, with revision, time and author', async () => {
    const worker = await withShop()
    await worker.call('set', { id: 'shop', value: { n: 2 } }, 'stranger')
    await worker.call('set', { id: 'shop', value: { n: 2 } })
    const time = '2026-01-01T00:00:00.000Z'
    expect(await worker.call('history', { id: 'shop' })).toEqual({
      id: 'shop',
      revision: 3,
      history: [
        { revision: 2, value: { n: 2 }, time, author: 'stranger', how: 'set' },
        { revision: 1, value: { n: 1 }, time, author: 'owner', how: 'register' },
      ],
    })
    expect(await worker.call<{ history: [] }>('history', { id: 'shop', limit: 1 })).toMatchObject({
      history: [{ revision: 2 }],
    })
  })

  test('keeps as many values as it is told, the one in force always', async () => {
    const worker = await startWorker({ config: { history: 3 } })
    await worker.call('register', { ...shop, initial_value: { n: 0 } })
    for (let n = 1; n <= 5; n++) await worker.call('set', { id: 'shop', value: { n } })
    const { history } = await worker.call<{ history: { value: unknown }[] }>('history', { id: 'shop' })
    expect(history.map(({ value }) => value)).toEqual([{ n: 5 }, { n: 4 }, { n: 3 }])
    expect(await refusal(worker.call('rollback', { id: 'shop', revision: 1 }))).toBe(
      "NOT_FOUND: revision 1 of configuration 'shop' is not kept; there are 4, 5, 6",
    )
  })

  test('a roll-back makes an earlier value the newest one', async () => {
    const worker = await withShop()
    await worker.call('set', { id: 'shop', value: { n: 2 } })
    expect(await worker.call('rollback', { id: 'shop', revision: 1 })).toEqual({
      old_value: { n: 2 },
      new_value: { n: 1 },
      revision: 3,
    })
    await worker.call('register', { ...shop, schema: { required: ['m'] } })
    expect(await refusal(worker.call('rollback', { id: 'shop', revision: 2 }))).toBe(
      'SCHEMA_INVALID: schema validation failed: /: expected property "m", it is missing',
    )
    expect(await refusal(worker.call('rollback', { id: 'shop', revision: 99 }))).toStartWith('NOT_FOUND')
  })
})

describe('configuration::get, list and schema', () => {
  test('replaces placeholders; raw does not', async () => {
    const worker = await startWorker({ env: { HOST: 'db', PORT: '5432', EMPTY: '' } })
    const value = {
      url: 'pg://${HOST}:${PORT}/x',
      port: '${PORT}',
      some: '${NONE:null}',
      list: ['${ON:true}', '${EMPTY}', '${NOT:}'],
      literal: '$${HOST}',
    }
    const schema = { properties: { port: { type: 'integer' } } }
    await worker.call('register', { ...shop, schema, initial_value: value })
    expect(await worker.call('get', { id: 'shop' })).toMatchObject({
      value: { url: 'pg://db:5432/x', port: 5432, some: null, list: [true, '', ''], literal: '${HOST}' },
    })
    expect(await worker.call('get', { id: 'shop', raw: true })).toMatchObject({ value })
  })

  test('names all variables that are not set', async () => {
    const worker = await startWorker()
    await worker.call('register', { ...shop, initial_value: { a: '${B}${A}', b: '${A}', c: '${C:1}' } })
    expect(await refusal(worker.call('get', { id: 'shop' }))).toBe(
      "EXPAND_FAILED: configuration 'shop' references unset environment variable(s) with no default: B, A",
    )
    expect(await worker.call('get', { id: 'shop', raw: true })).toMatchObject({ revision: 1 })
  })

  test('what variables make of a value is bounded', async () => {
    const worker = await startWorker({ env: { LONG: 'x'.repeat(100_000) } })
    const registering = worker.call('register', {
      ...shop,
      schema: {},
      initial_value: '${LONG}'.repeat(1000),
    })
    expect(await refusal(registering)).toStartWith(
      'SCHEMA_INVALID: schema validation failed: /: expected at most',
    )
  })

  test('an unknown id is not found, also when it cannot be one', async () => {
    const worker = await startWorker()
    for (const name of ['get', 'schema', 'history']) {
      expect(await refusal(worker.call(name, { id: 'No Id' }))).toBe(
        "NOT_FOUND: configuration 'No Id' not found",
      )
    }
  })

  test('list has no values; schema is a row of it', async () => {
    const worker = await withShop({ n: 1 }, { metadata: 5 })
    await worker.call('register', { ...shop, id: 'api' })
    const row = { ...shop, metadata: 5 }
    expect(await worker.call('list', {})).toEqual({ configurations: [{ ...shop, id: 'api' }, row] })
    expect(await worker.call('schema', { id: 'shop' })).toEqual(row)
  })

  test('discovery says what each function takes, without what the engine adds', async () => {
    const worker = await startWorker()
    for (const [id, format] of worker.formats) {
      expect(JSON.stringify(format), id).not.toContain('_caller_worker_id')
    }
    expect(worker.formats.get('configuration::get')).toMatchObject({
      type: 'object',
      properties: { id: { type: 'string' }, raw: { type: 'boolean' } },
      required: ['id'],
    })
  })
})

describe('ttl_seconds', () => {
  test('deletes what was not used for that long, and nothing that a trigger is about', async () => {
    const worker = await startWorker({ config: { ttl_seconds: 60 } })
    for (const id of ['used', 'watched', 'forgotten']) await worker.call('register', { ...shop, id })
    worker.bind({ configuration_id: 'watched' }, { id: 'watch' })
    worker.clock.advance(50_000)
    await worker.call('get', { id: 'used', raw: true })
    worker.clock.advance(20_000)
    await worker.running.drain()
    const left = async () =>
      (await worker.call<{ configurations: { id: string }[] }>('list', {})).configurations.map(({ id }) => id)
    expect(await left()).toEqual(['used', 'watched'])
    worker.unbind('watch')
    worker.clock.advance(50_000)
    await worker.running.drain()
    expect(await left()).toEqual(['watched'])
    worker.clock.advance(20_000)
    await worker.running.drain()
    expect(await left()).toEqual([])
  })

  test('does not delete what is written meanwhile', async () => {
    const worker = await startWorker({ config: { ttl_seconds: 60 } })
    await worker.call('register', { ...shop, initial_value: {} })
    worker.files.before('rename', () => worker.clock.advance(70_000))
    await worker.call('set', { id: 'shop', value: { n: 1 } })
    await worker.running.drain()
    expect(await worker.call('get', { id: 'shop' })).toMatchObject({ value: { n: 1 } })
    expect(worker.log.warnings()).toEqual([])
  })

  test('does not delete what is registered again meanwhile', async () => {
    const worker = await startWorker({ config: { ttl_seconds: 60 } })
    await worker.call('register', shop)
    worker.clock.advance(62_000)
    const again = worker.call('register', shop)
    worker.clock.advance(10_000)
    await again
    await worker.running.drain()
    expect(await worker.call('get', { id: 'shop', raw: true })).toMatchObject({ revision: 1 })
  })

  test('is off without a value', async () => {
    const worker = await withShop()
    worker.clock.advance(365 * 24 * 3_600_000)
    await worker.running.drain()
    expect(await worker.call('get', { id: 'shop' })).toMatchObject({ revision: 1 })
  })
})
