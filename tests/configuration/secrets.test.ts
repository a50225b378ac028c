// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders are the subject
/** Who sees what came from the environment, and what a schema calls a secret. */
import { describe, expect, test } from 'bun:test'
import type { Json } from '../../workers/configuration/json.ts'
import { maskSecrets } from '../../workers/configuration/secrets.ts'
import { startWorker, type TestWorker } from './support.ts'

const schema = {
  type: 'object',
  properties: {
    password: { type: 'string', writeOnly: true },
    pin: { type: 'string', format: 'password' },
    key: { 'x-secret': true },
  },
}
const entry = { id: 'shop', name: 'Shop', description: '', schema }
const value = {
  host: '${HOST:localhost}',
  url: 'pg://u:${PW}@db',
  password: 'pa55',
  pin: '${PIN:x1234}',
  n: 1,
}

async function withSecrets(): Promise<TestWorker> {
  const worker = await startWorker({ env: { PW: 'hunter2' }, config: { reveal_to: ['console'] } })
  worker.bind({})
  await worker.call('register', { ...entry, initial_value: value })
  return worker
}

const SHOWN = { host: 'localhost', url: 'pg://u:hunter2@db', password: 'pa55', pin: 'x1234', n: 1 }
const MASKED = { host: 'localhost', url: 'pg://u:***@db', password: '***', pin: '***', n: 1 }
const RAW_MASKED = { ...value, password: '***', pin: '${PIN:***}' }

describe('a caller', () => {
  test.each(['owner', 'console', 'builtin'])('%s sees secrets', async caller => {
    const worker = await startWorker({ env: { PW: 'hunter2' }, config: { reveal_to: ['console'] } })
    await worker.call('register', {
      ...entry,
      schema: { properties: schema.properties },
      initial_value: value,
    })
    expect(await worker.call('get', { id: 'shop' }, caller)).toMatchObject({ value: SHOWN })
  })

  test.each(['stranger', 'nobody'])('%s does not', async caller => {
    const worker = await startWorker({ env: { PW: 'hunter2' } })
    await worker.call('register', {
      ...entry,
      schema: { properties: schema.properties },
      initial_value: value,
    })
    expect(await worker.call('get', { id: 'shop' }, caller)).toMatchObject({ value: MASKED })
    expect(await worker.call('get', { id: 'shop', raw: true }, caller)).toMatchObject({ value: RAW_MASKED })
    const changed = await worker.call('set', { id: 'shop', value: { ...value, password: 'new' } }, caller)
    expect(changed).toMatchObject({ old_value: RAW_MASKED, new_value: RAW_MASKED })
    expect(JSON.stringify(await worker.call('history', { id: 'shop' }, caller))).not.toMatch(
      /pa55|hunter2|1234/,
    )
    expect(JSON.stringify(await worker.call('delete', { id: 'shop' }, caller))).not.toMatch(
      /pa55|hunter2|1234/,
    )
  })
})

describe('a stranger who registers the entry', () => {
  const other = { ...entry, schema: {} }
  const open = async (): Promise<TestWorker> => {
    const worker = await startWorker({ env: { PW: 'hunter2' } })
    await worker.call('register', { ...entry, initial_value: value })
    return worker
  }
  const seenBy = async (worker: TestWorker, caller: string) =>
    (await worker.call('get', { id: 'shop' }, caller)).value

  test.each(['stranger', 'nobody'])('(%s) sees no secrets, and shows none to others', async caller => {
    const worker = await open()
    worker.bind({})
    const answer = await worker.call('register', other, caller)
    expect(answer).toMatchObject({ schema: {}, value: RAW_MASKED })
    await worker.call('register', { ...other, schema: { type: 'object' } }, caller)
    for (const each of ['stranger', 'nobody']) expect(await seenBy(worker, each)).toMatchObject(MASKED)
    expect(await seenBy(worker, 'owner')).toMatchObject(SHOWN)
    expect(JSON.stringify(worker.told())).not.toMatch(/pa55|hunter2|1234/)
    const again = await startWorker({ env: { PW: 'hunter2' }, files: worker.files })
    expect(await seenBy(again, 'stranger')).toMatchObject(MASKED)
  })

  test('sees no secrets for a value that does not replace the one that is there', async () => {
    const worker = await open()
    const asked = { ...other, initial_value: { password: 'mine' }, if_absent: true }
    expect(await worker.call('register', asked, 'stranger')).toMatchObject({ value: RAW_MASKED })
    expect(await seenBy(worker, 'stranger')).toMatchObject(MASKED)
  })

  test('with a value of its own sees that, and what was secret is so for others', async () => {
    const worker = await open()
    await worker.call('register', { ...other, initial_value: { password: 'mine' } }, 'stranger')
    expect(await seenBy(worker, 'stranger')).toEqual({ password: 'mine' })
    expect(await seenBy(worker, 'nobody')).toEqual({ password: '***' })
    expect(JSON.stringify(await worker.call('history', { id: 'shop' }, 'nobody'))).not.toMatch(/pa55|1234/)
  })

  test('may be the same program under another name', async () => {
    const worker = await open()
    await worker.call('register', entry, 'stranger')
    expect(await seenBy(worker, 'stranger')).toMatchObject(SHOWN)
  })

  test('may be the first one, of an entry that somebody has written by hand', async () => {
    const worker = await startWorker()
    worker.files.edit('/project/config/shop.yaml', 'id: shop\nvalue: { password: pa55 }\n')
    const again = await startWorker({ files: worker.files })
    await again.call('register', entry, 'owner')
    expect(await seenBy(again, 'owner')).toEqual({ password: 'pa55' })
  })

  test('is followed by its owner, who decides what is secret', async () => {
    const worker = await open()
    await worker.call('register', other, 'stranger')
    await worker.call('register', other, 'owner')
    expect(await seenBy(worker, 'stranger')).toMatchObject({ password: 'pa55', url: 'pg://u:***@db' })
  })
})

describe('everybody', () => {
  test('hears of values without their secrets, and no log line has one', async () => {
    const worker = await withSecrets()
    await worker.call('set', { id: 'shop', value: { ...value, n: 2 } })
    expect(worker.told().map(({ payload }) => [payload.old_value, payload.new_value])).toEqual([
      [null, MASKED],
      [MASKED, { ...MASKED, n: 2 }],
    ])
    expect(JSON.stringify(worker.log.lines)).not.toMatch(/pa55|hunter2|1234/)
  })

  test('reads no value in what is wrong with it', async () => {
    const worker = await startWorker({ env: { PW: '7777' } })
    const properties = { n: { type: 'integer', maximum: 5, enum: [1] }, s: { pattern: '^x$', minLength: 90 } }
    const given = { n: '${PW}', s: 'tops3cret' }
    const failing = worker.call('register', { ...entry, schema: { properties }, initial_value: given })
    const error = await failing.then(
      () => undefined,
      (thrown: Error) => thrown.message,
    )
    expect(error).toStartWith('schema validation failed: /n: ')
    expect(error).not.toMatch(/7777|tops3cret/)
  })

  test('finds nothing expanded on the disk', async () => {
    const worker = await withSecrets()
    for (const name of worker.files.names('/project/config/.history')) {
      expect(worker.files.text(`/project/config/.history/${name}`)).not.toContain('hunter2')
    }
    expect(worker.files.text('/project/config/shop.yaml')).not.toContain('hunter2')
  })
})

describe('a secret is found', () => {
  const secret = { writeOnly: true }
  const cases: [string, Json, Json, Json][] = [
    ['at the top', secret, { a: 1 }, '***'],
    ['in lists', { items: secret }, ['a', 'b'], ['***', '***']],
    ['in tuples', { prefixItems: [{}, secret] }, ['a', 'b'], ['a', '***']],
    [
      'by reference',
      { $defs: { s: secret }, properties: { a: { $ref: '#/$defs/s' } } },
      { a: 1, b: 2 },
      { a: '***', b: 2 },
    ],
    [
      'in references in a circle',
      { $ref: '#', properties: { a: { $ref: '#' }, s: secret } },
      { a: { s: 1 } },
      { a: { s: '***' } },
    ],
    ['in an alternative', { anyOf: [{}, { properties: { a: secret } }] }, { a: 1 }, { a: '***' }],
    ['in additional properties', { additionalProperties: secret }, { a: 1 }, { a: '***' }],
    ['in pattern properties', { patternProperties: { '^x': secret } }, { a: 1 }, { a: '***' }],
    [
      'under a strange name',
      { properties: { constructor: secret } },
      { constructor: 1 },
      { constructor: '***' },
    ],
    ['unless there is nothing', { properties: { a: secret } }, { a: null }, { a: null }],
  ]
  test.each(cases)('%s', (_, schema, value, masked) => {
    expect(maskSecrets(value, schema, false)).toEqual(masked as never)
  })

  test('a schema that takes too long to look through hides everything', () => {
    const wide = { allOf: Array.from({ length: 1000 }, () => ({ items: {} })) }
    expect(
      maskSecrets(
        Array.from({ length: 1000 }, () => 1),
        wide,
        false,
      ),
    ).toBe('***')
  })
})
