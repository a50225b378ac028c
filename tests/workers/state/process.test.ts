/** The state of a real engine: on its threads, killed and started again. */
import { expect, test } from 'bun:test'
import { startEngine } from '../../support/engineProcess.ts'
import { connectRaw, type RawClient } from '../../support/rawClient.ts'

const PATIENT_MS = 60_000

interface Watched {
  readonly events: { readonly key: string; readonly new_value: unknown }[]
  readonly revision: number
}

async function done<Result>(raw: RawClient, name: string, input: unknown): Promise<Result> {
  const { result, error } = await raw.call(`state::${name}`, input)
  if (error !== undefined) throw new Error(`${error.code}: ${error.message}`)
  return result as Result
}

test(
  'what was answered is there after a kill, with its version, and watching goes on',
  async () => {
    await using engine = await startEngine({ workers: '  - name: iii-state' })
    let seen = 0
    let version = 0
    {
      await using raw = await connectRaw(engine.url)
      await done(raw, 'set', { scope: 's', key: 'a', value: { n: 1 } })
      seen = (await done<Watched>(raw, 'watch', { since: 0 })).revision
      const ops = [{ type: 'increment', path: 'n', by: 1 }]
      version = (await done<{ version: number }>(raw, 'update', { scope: 's', key: 'a', ops })).version
      await done(raw, 'set', { scope: 'gone', key: 'k', value: 1 })
      await done(raw, 'delete', { scope: 'gone', key: 'k' })
    }
    await engine.restart('SIGKILL')
    await using raw = await connectRaw(engine.url)
    expect(await done(raw, 'get', { scope: 's', key: 'a', with_meta: true })).toMatchObject({
      value: { n: 2 },
      version,
    })
    expect(await done(raw, 'list_groups', {})).toEqual({ groups: ['gone', 's'] })
    const { events } = await done<Watched>(raw, 'watch', { since: seen })
    expect(events.map(({ key, new_value }) => [key, new_value])).toEqual([
      ['a', { n: 2 }],
      ['k', 1],
      ['k', null],
    ])
    const again = await done<{ version: number }>(raw, 'set', { scope: 'gone', key: 'k', value: 2 })
    expect(again.version).toBeGreaterThan(version + 2)
  },
  PATIENT_MS,
)

test(
  'in memory it is gone with the engine, which has said so',
  async () => {
    const config = '{ adapter: { name: kv, config: { store_method: in_memory } } }'
    await using engine = await startEngine({ workers: `  - name: state\n    config: ${config}` })
    {
      await using raw = await connectRaw(engine.url)
      await done(raw, 'set', { scope: 's', key: 'a', value: 1 })
      expect(await done<number>(raw, 'get', { scope: 's', key: 'a' })).toBe(1)
    }
    expect(engine.log()).toContain('the state is kept in memory')
    await engine.restart()
    await using raw = await connectRaw(engine.url)
    expect((await raw.call('state::get', { scope: 's', key: 'a' })).result).toBeUndefined()
  },
  PATIENT_MS,
)

test(
  'the status of the engine says how its data folder is',
  async () => {
    await using engine = await startEngine({ workers: '  - name: iii-state' })
    await using raw = await connectRaw(engine.url)
    const { folders } = (await raw.call('engine::storage::status')).result as { folders: object[] }
    const { mode, threads, storage } = (await raw.call('engine::status')).result as {
      [member: string]: unknown
      threads: object[]
      storage: object[]
    }
    if (threads.length === 2) expect(mode).toBe('one thread and a durable one')
    expect(storage).toMatchObject([{ health: 'ok' }])
    expect(folders).toMatchObject(storage)
  },
  PATIENT_MS,
)

const inMemory = 'config: { port: 0, adapter: { config: { store_method: in_memory } } }'

test.each([
  ['with the streams beside it', '  - name: iii-stream\n    config: { port: 0 }', undefined, 1],
  ['with the streams elsewhere', `  - name: iii-stream\n    ${inMemory}`, 'NOT_SUPPORTED', undefined],
])(
  'a transaction %s writes what can be read, or nothing',
  async (_, streams, code, value) => {
    await using engine = await startEngine({ workers: `  - name: iii-state\n${streams}` })
    await using raw = await connectRaw(engine.url)
    const item = { stream_name: 's', group_id: 'g', item_id: 'i' }
    const operations = [{ op: 'stream::set', ...item, data: 1 }]
    const { error } = await raw.call('state::transact', { operations })
    expect(error?.code).toBe(code!)
    expect((await raw.call('stream::get', item)).result).toBe(value!)
    const message = { operations: [{ op: 'publish', topic: 't', data: 1 }] }
    expect((await raw.call('state::transact', message)).error?.code).toBe('NOT_SUPPORTED')
  },
  PATIENT_MS,
)

test(
  'every function, and the trigger, tells what it takes',
  async () => {
    await using engine = await startEngine({ workers: '  - name: iii-state' })
    await using raw = await connectRaw(engine.url)
    const { result } = await raw.call('engine::functions::list', { prefix: 'state::' })
    const ids = (result as { functions: { function_id: string }[] }).functions.map(row => row.function_id)
    expect(ids).toHaveLength(9)
    for (const function_id of ids) {
      const info = (await raw.call('engine::functions::info', { function_id })).result
      expect(info).toMatchObject({
        description: expect.any(String),
        request_schema: { type: 'object', properties: expect.any(Object) },
        response_schema: expect.any(Object),
      })
    }
    const type = (await raw.call('engine::triggers::info', { id: 'state' })).result
    const { properties } = (type as { configuration_schema: { properties: object } }).configuration_schema
    expect(Object.keys(properties)).toContain('only_changes')
  },
  PATIENT_MS,
)

test(
  'behind an acceptor every connection is one of a shard, none of the thread that keeps the values',
  async () => {
    const shape = ['--shards', '2', '--acceptor', 'thread']
    await using engine = await startEngine({ workers: '  - name: iii-state', shape })
    for (let number = 0; number < 6; number++) {
      await using raw = await connectRaw(engine.url)
      expect(await done(raw, 'get', { scope: 's', key: 'a' })).toBeUndefined()
    }
  },
  PATIENT_MS,
)
