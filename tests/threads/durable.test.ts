/** The durable thread of a real engine: it begins, it is seen, it drains, it is lost and comes back; beside all kinds of others. */
import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { limits } from '../../src/protocol/limits.ts'
import { connectRaw, type RawClient } from '../support/rawClient.ts'
import { until, within } from '../support/waiting.ts'
import { type Attack, type AttackedEngine, startAttackedEngine } from './attack/engine.ts'
import { LEDGER } from './attack/ledger.ts'

const PATIENT_MS = 60_000

/** Threads with sockets, who accepts for them, and the place of the durable thread then. */
const shapes: [shape: string, shards: number, accepting: string, place: number][] = [
  ['the main thread alone', 0, 'kernel', 1],
  ['one shard', 1, 'kernel', 2],
  ['two shards', 2, 'kernel', 3],
  ['two shards and an acceptor', 2, 'thread', 4],
]

interface LedgerEngine extends AttackedEngine {
  connect(name?: string): Promise<RawClient>
}

async function startLedger(
  shards: number,
  accepting: string,
  changed: Partial<Record<keyof typeof limits, number>> = {},
): Promise<LedgerEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'iii-ledger-'))
  const workers = `  - name: ${LEDGER}\n    config: { file: ${join(folder, 'sum')} }`
  const engine = await startAttackedEngine(shards, changed, { workers, accepting })
  return {
    ...engine,
    connect: name => connectRaw(engine.url, name === undefined ? {} : { name }),
    async [Symbol.asyncDispose]() {
      await engine[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface Status {
  restarts: number
  threads: { name: string; state: string }[]
}

const statusOf = async (client: RawClient): Promise<Status> =>
  (await client.call('engine::status')).result as Status

function follow(client: RawClient, functionId: string): void {
  client.send({ type: 'registerfunction', id: functionId })
  client.send({
    type: 'registertrigger',
    id: `binding of ${functionId}`,
    trigger_type: 'ledger',
    function_id: functionId,
    config: {},
  })
}

describe.each(shapes)('a durable thread beside %s', (_, shards, accepting, place) => {
  test(
    'has its workers there before anybody can connect, is seen by its name, and stops with the others',
    async () => {
      await using engine = await startLedger(shards, accepting)
      await using worker = await engine.connect()
      expect(await worker.call('ledger::add', { n: 2 })).toMatchObject({ result: { sum: 2 } })
      follow(worker, 'seen::sum')
      await worker.settled()
      worker.send({
        type: 'registertrigger',
        id: 'a route to it',
        trigger_type: 'http',
        function_id: 'ledger::add',
        config: { api_path: 'add', http_method: 'GET' },
      })
      await worker.settled()
      const names = (await statusOf(worker)).threads.map(({ name }) => name)
      expect(names.at(-1)).toBe('durable')
      expect(names).toHaveLength(place + 1)
      const { result } = await worker.call('engine::workers::info', { id: LEDGER })
      expect(result).toMatchObject({ worker: { thread: place, runtime: 'engine' } })
      expect(await worker.call('ledger::add', { n: 3 })).toMatchObject({ result: { sum: 5 } })
      const told = await worker.expect({ type: 'invokefunction', function_id: 'seen::sum' })
      expect(told.data).toMatchObject({ sum: 5 })
      expect((await fetch(`${engine.http}/add`)).status).not.toBe(404)
      expect(await engine.stop()).toBe(0)
      expect(engine.log()).toContain('the ledger has stopped')
    },
    PATIENT_MS,
  )

  test.each<[string, Attack]>([
    ['throws', 'throw'],
    ['does not come back', 'loop'],
  ])(
    'that %s is replaced: its functions are there again, and triggers are bound again',
    async (_, attack) => {
      await using engine = await startLedger(shards, accepting, { silentDurableMs: 2000 })
      await using worker = await engine.connect()
      follow(worker, 'kept::sum')
      await worker.settled()
      expect(await worker.call('ledger::add', { n: 2 })).toMatchObject({ result: { sum: 2 } })
      await worker.expect({ type: 'invokefunction', function_id: 'kept::sum' })
      const stopped = worker.call('ledger::wait', {}, { withinMs: PATIENT_MS })
      await engine.attack(place, attack)
      expect((await stopped).error?.code).toBe('invocation_stopped')
      await until('it is there again', async () => {
        const { result, error } = await worker.call('ledger::add', { n: 1 })
        // Never that it is not there.
        if (error !== undefined) expect(error.code).toBe('invocation_stopped')
        return result !== undefined
      })
      const told = await worker.expect({ type: 'invokefunction', function_id: 'kept::sum' })
      expect(told.data).toMatchObject({ sum: 3 })
      expect(engine.losses()).toBe(1)
      expect(engine.log()).toContain('the durable thread is lost')
      expect(await engine.stop()).toBe(0)
    },
    PATIENT_MS,
  )

  test(
    'drains when the others have: what they still execute may ask it, and what it says at its end arrives',
    async () => {
      await using engine = await startLedger(shards, accepting)
      await using caller = await engine.connect()
      await using worker = await engine.connect()
      follow(worker, 'last::sum')
      worker.send({ type: 'registerfunction', id: 'slow::add' })
      await worker.settled()
      const answer = caller.call('slow::add', {}, { withinMs: PATIENT_MS })
      const asked = await worker.expect({ type: 'invokefunction', function_id: 'slow::add' })
      const ended = engine.stop()
      await until('it is told', () => engine.log().includes('stopping: running work may finish'))
      expect(engine.log()).not.toContain('the ledger has drained')
      const kept = await worker.call('ledger::add', { n: 7 })
      expect(kept).toMatchObject({ result: { sum: 7 } })
      worker.answer(asked, { result: { done: true } })
      expect(await answer).toMatchObject({ result: { done: true } })
      await worker.expect({
        type: 'invokefunction',
        function_id: 'last::sum',
        data: { drained: 7 },
      })
      expect(await within('the engine ends', ended)).toBe(0)
    },
    PATIENT_MS,
  )
})

test(
  'a durable thread that waits for its disk for longer than a shard may be silent is not replaced',
  async () => {
    await using engine = await startLedger(1, 'kernel', { silentShardMs: 1000 })
    await using worker = await engine.connect()
    worker.serve('echo::f', ({ data }) => ({ result: data }))
    await worker.settled()
    const blocked = worker.call('ledger::block', { ms: 3000 }, { withinMs: PATIENT_MS })
    let isOver = false
    void blocked.then(() => {
      isOver = true
    })
    // Nobody else waits for it.
    for (let n = 0; !isOver; n++) expect(await worker.call('echo::f', { n })).toMatchObject({ result: { n } })
    expect(await blocked).toMatchObject({ result: { blocked: 3000 } })
    expect(engine.losses()).toBe(0)
  },
  PATIENT_MS,
)
