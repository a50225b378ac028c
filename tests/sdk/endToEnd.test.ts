/** The SDK against a real listener: what a program sees of restarts, losses and its own mistakes. */
import { describe, expect, test } from 'bun:test'
import {
  HandlerError,
  type InitOptions,
  registerWorker,
  TriggerAction,
} from '../../sdk/typescript/src/mod.ts'
import type { WorkerClient } from '../../sdk/typescript/src/worker.ts'
import { type Served, serve } from '../server/support.ts'
import { until } from '../support/waiting.ts'

const quick = { initialDelayMs: 10, maxDelayMs: 20 }

/** Calls until the function is there. */
function callWhenThere(client: WorkerClient, functionId: string, payload: unknown): Promise<unknown> {
  return until(`an answer of ${functionId}`, async () => ({
    result: await client.trigger({ function_id: functionId, payload }),
  })).then(({ result }) => result)
}

describe.each(['json', 'msgpack'] as const)('over %s', framing => {
  function connect(served: Served, name: string, options: InitOptions = {}): WorkerClient & AsyncDisposable {
    const client = registerWorker(`ws://127.0.0.1:${served.port}`, {
      workerName: name,
      reconnectionConfig: quick,
      framing,
      ...options,
    })
    return { ...client, [Symbol.asyncDispose]: () => client.shutdown() }
  }

  interface Hanging extends AsyncDisposable {
    readonly caller: WorkerClient
    /** How often `hangs` was called. */
    started(): number
  }

  /** A caller, and a worker whose function `hangs` never answers while its `echo` does. */
  async function hanging(served: Served): Promise<Hanging> {
    const callee = connect(served, 'callee')
    const caller = connect(served, 'caller')
    let started = 0
    callee.registerFunction('hangs', () => {
      started++
      return new Promise(() => {})
    })
    callee.registerFunction('echo', input => input)
    await callWhenThere(caller, 'echo', {})
    return {
      caller,
      started: () => started,
      async [Symbol.asyncDispose]() {
        await caller.shutdown()
        await callee.shutdown()
      },
    }
  }

  describe('two workers', () => {
    test('call each other, with results, errors, void calls and metadata', async () => {
      await using served = serve()
      await using orders = connect(served, 'orders')
      await using stock = connect(served, 'stock')
      const taken: unknown[] = []
      stock.registerFunction<{ n: number }>('stock::take', ({ n }, { metadata }) => ({
        left: 10 - n,
        metadata,
      }))
      stock.registerFunction('stock::fail', () => {
        throw new HandlerError('out_of_stock', 'none left')
      })
      stock.registerFunction('stock::note', input => void taken.push(input))
      await stock.ready()
      await callWhenThere(orders, 'stock::note', { first: true })
      expect(
        await orders.trigger<unknown>({ function_id: 'stock::take', payload: { n: 3 }, metadata: 'm' }),
      ).toEqual({
        left: 7,
        metadata: 'm',
      })
      await expect(orders.trigger({ function_id: 'stock::fail' })).rejects.toMatchObject({
        code: 'out_of_stock',
        detail: 'none left',
      })
      await expect(orders.trigger({ function_id: 'nobody' })).rejects.toMatchObject({
        code: 'function_not_found',
      })
      expect(
        await orders.trigger({ function_id: 'stock::note', payload: { n: 1 }, action: TriggerAction.Void() }),
      ).toBeNull()
      await until('the note', () => taken.length === 2)
      expect(taken[1]).toEqual({ n: 1, _caller_worker_id: orders.workerId() })
    })

    test('of one process may have the same function in two namespaces', async () => {
      await using served = serve()
      await using one = connect(served, 'a', { namespace: 'one' })
      await using two = connect(served, 'a', { namespace: 'two' })
      one.registerFunction('where', () => 'one')
      two.registerFunction('where', () => 'two')
      expect([await callWhenThere(one, 'where', {}), await callWhenThere(two, 'where', {})]).toEqual([
        'one',
        'two',
      ])
      expect(await one.trigger<string>({ function_id: 'where', namespace: 'two' })).toBe('two')
    })
  })

  describe('a lost connection', () => {
    test('fails the calls under way, and everything is there again afterwards', async () => {
      await using served = serve()
      await using workers = await hanging(served)
      const { caller } = workers
      const lost = caller.trigger({ function_id: 'hangs' })
      await until('its start', () => workers.started() === 1)
      const first = caller.workerId()!
      served.engine.state.connections.get(first)!.link.end('cut')
      await expect(lost).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
      await until('another connection', () => caller.workerId() !== first)
      expect(await callWhenThere(caller, 'echo', { n: 1 })).toMatchObject({ n: 1 })
      expect(served.engine.callsInFlight()).toBe(0)
    })

    test('of the callee is an answer for the caller, and the callee comes back by itself', async () => {
      await using served = serve()
      await using callee = connect(served, 'callee')
      await using caller = connect(served, 'caller')
      let started = 0
      callee.registerFunction('f', () => (started++ === 0 ? new Promise(() => {}) : 'second'))
      await until(
        'the function',
        () => served.engine.state.directory.workers.get(callee.workerId() ?? '')?.functions.size,
      )
      const lost = caller.trigger({ function_id: 'f' })
      await until('its start', () => started === 1)
      served.engine.state.connections.get(callee.workerId()!)!.link.end('cut')
      await expect(lost).rejects.toMatchObject({ code: 'invocation_stopped' })
      expect(await callWhenThere(caller, 'f', {})).toBe('second')
    })

    test('by a restart of the engine brings all registrations back; what could not be sent is sent then', async () => {
      const before = serve()
      const { port } = before
      await using worker = connect(before, 'worker')
      worker.registerFunction('f', () => 1)
      await callWhenThere(worker, 'f', {})
      await before.listener.stop()
      before.engine.stop()
      await until('the loss', () => worker.getConnectionState() === 'reconnecting')
      worker.registerFunction('g', () => 2)
      const unsent = worker.trigger<number>({ function_id: 'g' })
      await using after = serve({ settings: { port } })
      await worker.ready()
      // The call leaves behind the registrations, so its function is there.
      expect(await unsent).toBe(2)
      expect(await worker.trigger<number>({ function_id: 'f' })).toBe(1)
      expect(after.engine.state.connections.size).toBe(1)
    })
  })

  describe('a call that its caller gives up', () => {
    test.each(['by a signal', 'by its time-out'])('%s is freed in the engine', async how => {
      await using served = serve()
      await using workers = await hanging(served)
      const { caller } = workers
      const controller = new AbortController()
      const call = caller.trigger({
        function_id: 'hangs',
        signal: controller.signal,
        timeoutMs: how === 'by its time-out' ? 100 : 10_000,
      })
      const outcome = call.catch((error: { code: string }) => error.code)
      await until('its start', () => workers.started() === 1)
      if (how === 'by a signal') controller.abort()
      expect(await outcome).toBe(how === 'by a signal' ? 'CANCELLED' : 'TIMEOUT')
      await until('its end', () => served.engine.callsInFlight() === 0)
    })
  })

  describe('a worker', () => {
    test('whose name is taken fails for good and says who has it', async () => {
      await using served = serve()
      await using first = connect(served, 'orders')
      await first.ready()
      const warnings: Error[] = []
      await using second = connect(served, 'orders', { onWarning: error => void warnings.push(error) })
      await until('its failure', () => second.getConnectionState() === 'failed')
      expect(second.getFatalError()?.message).toContain(first.workerId()!)
      expect(warnings).toHaveLength(1)
      await until('one connection', () => served.engine.state.connections.size === 1)
    })

    test('that must not reconnect rejects ready when there is no engine', async () => {
      const served = serve()
      await served.listener.stop()
      await using worker = connect(served, 'w', { reconnect: false })
      await expect(worker.ready()).rejects.toThrow(`no engine answers at ws://127.0.0.1:${served.port}`)
    })

    test('that shuts down is gone', async () => {
      await using served = serve()
      const worker = connect(served, 'w')
      await worker.ready()
      await worker.shutdown()
      await until('nobody', () => served.engine.state.connections.size === 0)
    })

    test.each(['', '  '])('with the namespace %j is refused', namespace => {
      expect(() => registerWorker('ws://127.0.0.1:1', { namespace })).toThrow('namespace is blank')
    })
  })
})
