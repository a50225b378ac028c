/** What the state worker relies on, over every store there is. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asJsonText, type JsonText } from '../../../src/protocol/jsonText.ts'
import { createMemoryPartition, openPartition, type PartitionSurroundings } from '../../../src/storage/mod.ts'
import type { Partition } from '../../../src/storage/partition.ts'
import { readOperations } from '../../../src/storage/update/read.ts'
import { createPartitionStore } from '../../../workers/state/adapters/partition.ts'
import type { StateChange, StateStore, Write, WriteOptions, Written } from '../../../workers/state/store.ts'
import { createRecordingLog, createVirtualClock, type VirtualClock } from '../../support/fakes.ts'

const root = mkdtempSync(join(tmpdir(), 'iii-state-'))
afterAll(() => rmSync(root, { recursive: true }))

let folders = 0
const partitions: Readonly<Record<string, (surroundings: PartitionSurroundings) => Partition>> = {
  memory: surroundings => createMemoryPartition(surroundings, 0),
  sqlite: surroundings => openPartition(join(root, `${folders++}`), surroundings),
}

const json = (value: unknown): JsonText => asJsonText(JSON.stringify(value))
const anyTime = { ifVersion: undefined, expiresAtMs: undefined }
const set = (key: string, value: unknown, more = {}): Write => ({
  kind: 'set',
  scope: 's',
  key,
  value: json(value),
  ...anyTime,
  ...more,
})
const remove = (key: string): Write => ({ kind: 'delete', scope: 's', key, ifVersion: undefined })

describe.each(Object.keys(partitions))('a state store over %s', name => {
  let store: StateStore
  let partition: Partition
  let clock: VirtualClock
  let changes: StateChange[]

  beforeEach(() => {
    clock = createVirtualClock()
    changes = []
    const log = createRecordingLog()
    partition = partitions[name]!({ clock, log, wallClock: clock.now })
    store = createPartitionStore(partition)
    store.follow(happened => void changes.push(...happened))
  })

  async function write(...writes: Write[]): Promise<Written> {
    const options: WriteOptions = { level: 'disk', cause: undefined }
    return (await store.write(writes, options)).written.at(-1)!
  }
  const valueAt = async (key: string): Promise<string | undefined> =>
    (await store.get({ scope: 's', key }))?.value
  const keysOf = async (query: object = {}): Promise<string[]> => {
    const all = { scope: 's', prefix: undefined, cursor: undefined, limit: undefined, keysOnly: false }
    return (await store.list({ ...all, ...query })).items.map(({ key }) => key)
  }

  test('keeps values as they were written, under any key', async () => {
    const value = '{ "n":12345678901234567890,"1.0":1.0 , "u":"\\u00fc" }'
    const keys = ['', 'ü😀', '\u0000', '\ud800', '__proto__', 'a"b\\', 'x'.repeat(16_384)]
    for (const key of keys) await write({ ...set(key, 0), value: asJsonText(value) } as Write)
    for (const key of keys) expect(await valueAt(key)).toBe(value)
    expect(await keysOf()).toEqual(keys)
  })

  test('answers with both values, and a version that grows', async () => {
    const first = await write(set('k', 1))
    expect(first).toMatchObject({ oldValue: undefined, newValue: json(1) })
    const second = await write(set('k', 2))
    expect(second).toMatchObject({ oldValue: json(1), newValue: json(2) })
    expect(second.version).toBeGreaterThan(first.version)
    expect(await write(remove('k'))).toMatchObject({ oldValue: json(2), newValue: undefined, version: 0 })
    expect(await write(remove('k'))).toMatchObject({ oldValue: undefined, newValue: undefined })
    expect((await write(set('k', 3))).version).toBeGreaterThan(second.version)
  })

  test('writes for a version only when it is there', async () => {
    const { version } = await write(set('k', 1, { ifVersion: 0 }))
    const refused = expect.objectContaining({ code: 'VERSION_CONFLICT', details: { version } })
    expect(await write(set('k', 2, { ifVersion: version + 1 })).catch((error: unknown) => error)).toEqual(
      refused,
    )
    expect(await write(set('k', 2, { ifVersion: 0 })).catch((error: unknown) => error)).toEqual(refused)
    expect(await valueAt('k')).toBe('1')
  })

  test('does several writes together or none', async () => {
    await write(set('a', 1), set('b', 2))
    const refused = write(set('a', 3), remove('b'), set('c', 1, { ifVersion: 9 }))
    expect(await refused.catch((error: { code: string }) => error.code)).toBe('VERSION_CONFLICT')
    expect([await valueAt('a'), await valueAt('b'), await valueAt('c')]).toEqual(['1', '2', undefined])
    expect(changes).toHaveLength(2)
  })

  test('gives the same answers to operations', async () => {
    const operations = readOperations(
      asJsonText(
        '[{"type":"set","path":"a","value":[]},{"type":"append","path":"a","value":{}},{"type":"increment","path":"n","by":9007199254740993},{"type":"set","path":"f","value":1.0},{"type":"merge","path":["m"],"value":{}},{"type":"increment","path":"a","by":1}]',
      ),
    )
    const update: Write = {
      kind: 'update',
      scope: 's',
      key: 'k',
      operations,
      ...anyTime,
      maxValueBytes: undefined,
    }
    const { newValue, errors } = await write(update)
    expect(newValue as string).toBe('{"a":[{}],"n":9007199254740993,"f":1.0,"m":{}}')
    expect(errors.map(({ code }) => code)).toEqual(['increment.not_number'])
    expect(await valueAt('k')).toBe(newValue!)
    const small = { ...update, maxValueBytes: 10 }
    expect(await write(small).catch((error: { code: string }) => error.code)).toBe('VALUE_TOO_LARGE')
  })

  test('lists in the order of creation, by prefix in that of the keys, in pages', async () => {
    for (const key of ['b', 'a', 'b1', 'c', 'b0']) await write(set(key, 0))
    await write(set('b', 1))
    expect(await keysOf()).toEqual(['b', 'a', 'b1', 'c', 'b0'])
    await write(remove('b'))
    await write(set('b', 2))
    expect(await keysOf()).toEqual(['a', 'b1', 'c', 'b0', 'b'])
    expect(await keysOf({ prefix: 'b' })).toEqual(['b', 'b0', 'b1'])
    for (const prefix of [undefined, 'b']) {
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const page = await store.list({ scope: 's', prefix, cursor, limit: 2, keysOnly: false })
        seen.push(...page.items.map(({ key }) => key))
        cursor = page.cursor
      } while (cursor !== undefined)
      expect(seen).toEqual(await keysOf({ prefix }))
    }
    const wrong = { scope: 's', prefix: undefined, cursor: 'x', limit: 1, keysOnly: false }
    expect(() => store.list(wrong)).toThrow(RangeError)
  })

  test('knows scopes that are empty, sorted', async () => {
    for (const scope of ['b', 'a', 'ab', '']) await write(set('k', 1, { scope }))
    await write({ ...remove('k'), scope: 'a' } as Write)
    const scopes = (query: object) =>
      store.scopes({ prefix: undefined, after: undefined, limit: 100, ...query })
    expect(await scopes({})).toEqual(['', 'a', 'ab', 'b'])
    expect(await scopes({ prefix: 'a', limit: 1 })).toEqual(['a'])
    expect(await scopes({ prefix: 'a', after: 'a' })).toEqual(['ab'])
  })

  test('forgets what has expired, for readers at once and with an event later', async () => {
    await write(set('k', 1, { expiresAtMs: Math.floor(clock.now()) + 1000 }), set('stays', 1))
    clock.advance(1000)
    expect(await valueAt('k')).toBeUndefined()
    expect(await keysOf()).toEqual(['stays'])
    clock.advance(5000)
    await new Promise(resolve => setImmediate(resolve))
    expect(changes.at(-1)).toMatchObject({ key: 'k', event: 'deleted', reason: 'expired', oldValue: json(1) })
  })

  test('tells what happened, in order, and again after any revision', async () => {
    await write(set('a', 1))
    await write(set('a', 2), set('b', 1, { scope: 't' }), remove('a'), remove('a'))
    const told = ({ scope, key, event }: StateChange): string => `${event} ${scope}/${key}`
    expect(changes.map(told)).toEqual([
      'created s/a',
      'updated s/a',
      'created t/b',
      'deleted s/a',
      'deleted s/a',
    ])
    const since = async (scope: string | undefined, revision: number, limit = 10) => {
      const feed = await store.since(scope, revision, limit)
      return feed.kind === 'gone' ? 'gone' : [feed.changes.map(told), feed.revision]
    }
    const last = store.revision()
    expect(await since(undefined, 0)).toEqual([changes.map(told), last])
    expect(await since('s', changes[0]!.revision)).toEqual([
      ['updated s/a', 'deleted s/a', 'deleted s/a'],
      last,
    ])
    expect(await since('s', 0, 1)).toEqual([['created s/a'], changes[0]!.revision])
    expect(await since(undefined, last + 1)).toBe('gone')
  })

  test('tells of messages with the writes they belong to', async () => {
    const told: unknown[] = []
    store.follow((happened, publications) => told.push([happened.length, publications]))
    const cause = { traceparent: undefined, baggage: 'iii-depth=1' }
    await store.write([set('a', 1), { kind: 'publish', topic: 't', data: json([1]) }], { level: 'os', cause })
    expect(told).toEqual([[1, [{ topic: 't', data: json([1]), cause }]]])
    expect(changes[0]?.cause).toEqual(cause)
  })
})
