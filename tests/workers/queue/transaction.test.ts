/** Messages that are written together with values of the state, and what an engine that is killed leaves. */
import { expect, test } from 'bun:test'
import { startEngine } from '../../support/engineProcess.ts'
import { connectRaw } from '../../support/rawClient.ts'

const PATIENT_MS = 60_000
const workers = '  - name: iii-state\n  - name: iii-queue'
const value = { op: 'state::set', scope: 's', key: 'k', value: 1 }

test(
  'a message is in its queue if the values are written, and not if they are not',
  async () => {
    await using engine = await startEngine({ workers })
    await using raw = await connectRaw(engine.url)
    const enqueue = { op: 'enqueue', queue: 'default', data: { n: 1 } }
    const refused = { operations: [enqueue, { ...value, if_version: 5 }] }
    expect((await raw.call('state::transact', refused)).error?.code).toBe('VERSION_CONFLICT')
    expect((await raw.call('queue::pop', { queue: 'default' })).result).toEqual({ messages: [] })
    const { result } = await raw.call('state::transact', { operations: [value, enqueue] })
    const { results } = result as { results: { new_value: unknown }[] }
    expect(results[1]!.new_value).toEqual({ messageReceiptId: expect.any(String) })
    expect((await raw.call('queue::pop', { queue: 'default' })).result).toMatchObject({
      messages: [{ data: { n: 1 } }],
    })
  },
  PATIENT_MS,
)

test(
  'where queues are kept elsewhere it is refused',
  async () => {
    const elsewhere = '  - name: iii-state\n  - name: iii-queue\n    config: { adapter: { name: memory } }'
    await using engine = await startEngine({ workers: elsewhere })
    await using raw = await connectRaw(engine.url)
    const operations = [value, { op: 'enqueue', queue: 'default', data: 1 }]
    expect((await raw.call('state::transact', { operations })).error?.code).toBe('NOT_SUPPORTED')
    expect(engine.log()).toContain('queues are kept in memory')
  },
  PATIENT_MS,
)

test(
  'a message that was acknowledged survives the end of the engine in the middle of its handler',
  async () => {
    await using engine = await startEngine({ workers })
    {
      await using raw = await connectRaw(engine.url)
      raw.send({ type: 'registerfunction', id: 'pay' })
      await raw.settled()
      await raw.call('queue::push', { queue: 'default', function_id: 'pay', data: 1 })
      await raw.expect({ type: 'invokefunction', function_id: 'pay' })
    }
    await engine.restart('SIGKILL')
    await using raw = await connectRaw(engine.url)
    raw.send({ type: 'registerfunction', id: 'pay' })
    const call = await raw.expect({ type: 'invokefunction', function_id: 'pay' })
    expect(call).toMatchObject({ data: 1 })
  },
  PATIENT_MS,
)
