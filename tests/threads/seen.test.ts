/** An engine with shards seen from outside: what its discovery says is whole, wherever a worker is connected. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type RunningEngine, startEngine, temporaryFolder } from '../cli/support.ts'
import { connectRaw, type RawClient } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'

const WORKERS = 8

interface Row {
  id: string
  active_invocations: number | null
}

interface Thread {
  name: string
  connections: number
  calls_in_flight: number
}

interface Status {
  connections: number
  calls_in_flight: number
  counters: Record<string, number>
  threads: Thread[]
}

const folder = temporaryFolder()
let engine: RunningEngine
const workers: RawClient[] = []

async function ask<Result>(functionId: string, input: object = {}): Promise<Result> {
  const { result, error } = await workers[0]!.call(functionId, input)
  if (error !== undefined) throw new Error(JSON.stringify(error))
  return result as Result
}

beforeAll(async () => {
  engine = await startEngine(folder.path, { words: ['--shards', '2'] })
  const url = `ws://127.0.0.1:${engine.port}`
  // The kernel chooses the shard; connections are made until both have some.
  await until('both shards have workers', async () => {
    for (let i = 0; i < WORKERS; i++) workers.push(await connectRaw(url, { name: `w${workers.length}` }))
    const { threads } = await ask<Status>('engine::status')
    return threads.filter(({ connections }) => connections > 0).length === 2
  })
  for (const [index, worker] of workers.entries())
    worker.send({ type: 'registerfunction', id: `w${index}::f` })
  for (const worker of workers) await worker.settled()
})

afterAll(async () => {
  for (const worker of workers) await worker[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

describe('with shards', () => {
  test('workers on every shard show the calls they execute, what was dropped and what was warned of', async () => {
    const [caller] = workers
    for (const [index, worker] of workers.entries()) {
      caller!.send({
        type: 'invokefunction',
        invocation_id: crypto.randomUUID(),
        function_id: `w${index}::f`,
        data: {},
      })
      worker.sendText('{')
      worker.send({ type: 'reattach', previous_worker_id: worker.workerId, reattach_token: 'x' })
    }
    const calls = await Promise.all(workers.map(worker => worker.expect({ type: 'invokefunction' })))
    for (const worker of workers) await worker.settled()

    const { workers: rows } = await ask<{ workers: Row[] }>('engine::workers::list', { search: 'w' })
    const active = new Map(rows.map(({ id, active_invocations }) => [id, active_invocations]))
    expect(workers.map(({ workerId }) => active.get(workerId))).toEqual(workers.map(() => 1))
    for (const { workerId } of workers) {
      const { worker } = await ask<{ worker: object }>('engine::workers::info', { id: workerId })
      expect(worker).toMatchObject({
        active_invocations: 1,
        dropped_messages: { invalid_json: 1 },
        warnings: { reattach: 1 },
      })
    }
    const status = await ask<Status>('engine::status')
    // The one of the status itself is executed by the main thread.
    expect(status.calls_in_flight).toBe(workers.length + 1)
    expect(status.connections).toBe(workers.length)
    const { worker } = await ask<{ worker: { counters: Record<string, number> } }>('engine::workers::info', {
      name: 'iii-engine-functions',
    })
    expect(worker.counters.problems).toBe(workers.length)
    expect(worker).not.toHaveProperty('silent_threads')
    for (const [index, call] of calls.entries()) workers[index]!.answer(call, { result: 1 })
  })

  test('every trigger on registry change hears of each event once, on whichever shard', async () => {
    for (const [index, worker] of workers.entries()) {
      worker.send({ type: 'registerfunction', id: `watch::${index}` })
      worker.send({
        type: 'registertrigger',
        id: `T${index}`,
        trigger_type: 'engine::workers-available',
        function_id: `watch::${index}`,
        config: {},
      })
    }
    for (const worker of workers) await worker.settled()
    const isEvent = { type: 'invokefunction' } as const
    const coming = await connectRaw(`ws://127.0.0.1:${engine.port}`, { name: 'coming' })
    await coming.settled()
    await coming.close()
    for (const worker of workers) {
      const heard: unknown[] = []
      while (!heard.includes('worker_disconnected')) {
        const { data } = (await worker.expect(isEvent)) as unknown as { data: Record<string, unknown> }
        if (data.worker_id === coming.workerId) heard.push(data.event)
      }
      expect(heard).toEqual(['worker_connected', 'worker_metadata_updated', 'worker_disconnected'])
    }
  })
})
