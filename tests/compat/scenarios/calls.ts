/** Calls from and to a published client; the other side is a connection that shows every frame. */
import { expect } from 'bun:test'
import { failure, type Scenario } from './stage.ts'

const MiB = 1024 * 1024

export const calls: readonly Scenario[] = [
  {
    name: 'its function is called and answers',
    async run({ worker, raw, id, known }) {
      await worker.offer(id('echo'), 'echo')
      await known(id('echo'))
      expect(await raw.call(id('echo'), { n: 1, list: [true, null, 1.5], nested: { a: 'b' } })).toEqual({
        result: { n: 1, list: [true, null, 1.5], nested: { a: 'b' } },
      })
    },
  },
  {
    name: 'it calls a function of another worker, which learns who calls',
    async run({ worker, raw, id, name }) {
      raw.serve(id('twice'), call => ({ result: call.data }))
      await raw.settled()
      const answer = (await worker.call(id('twice'), { n: 21 })) as Record<string, unknown>
      const workers = await raw.call('engine::workers::list', { search: name })
      const [row] = (workers.result as { workers: { id: string }[] }).workers
      expect(answer).toEqual({ n: 21, _caller_worker_id: row?.id })
    },
  },
  {
    name: 'two of its workers call each other through a third',
    async run({ worker, raw, id, known }) {
      await worker.offer(id('relay'), 'relay')
      await known(id('relay'))
      raw.serve(id('end'), ({ data }) => ({ result: (data as { hops: number }).hops }))
      const hop = { function_id: id('relay'), payload: { function_id: id('end'), payload: { hops: 2 } } }
      expect(await raw.call(id('relay'), hop)).toEqual({ result: { relayed: { relayed: 2 } } })
    },
  },
  {
    name: 'a handler that returns nothing is answered without a result',
    async run({ worker, raw, id, known }) {
      await worker.offer(id('nothing'), 'nothing')
      await known(id('nothing'))
      expect(await raw.call(id('nothing'))).toEqual({})
    },
  },
  {
    name: 'an answer without a result, and null, are no value',
    async run({ worker, raw, id }) {
      raw.serve(id('absent'), () => ({}))
      raw.serve(id('null'), () => ({ result: null }))
      await raw.settled()
      expect(await worker.call(id('absent'), {})).toBeUndefined()
      expect(await worker.call(id('null'), {})).toBeUndefined()
    },
  },
  {
    name: 'a null payload is answered',
    async run({ worker, raw, id }) {
      raw.serve(id('given'), ({ data }) => ({ result: { given: data ?? 'null' } }))
      await raw.settled()
      expect(await worker.call(id('given'), null)).toEqual({ given: 'null' })
    },
  },
  {
    name: 'an unknown function is named with its namespace',
    async run({ worker, id }) {
      expect(await failure(worker.call(id('missing'), {}))).toEqual({
        code: 'function_not_found',
        message: `Function ${id('missing')} not found in namespace default.`,
      })
    },
  },
  {
    name: 'a handler that throws is answered with invocation_failed',
    async run({ worker, raw, id, known }) {
      await worker.offer(id('throw'), 'throw')
      await known(id('throw'))
      const { result, error } = await raw.call(id('throw'))
      expect(result).toBeUndefined()
      expect(error?.code).toBe('invocation_failed')
      expect(error?.message).toContain('boom')
    },
  },
  {
    name: 'an error that its handler gave a code reaches the caller',
    async run({ worker, raw, client, id, known }) {
      await worker.offer(id('refuse'), 'refuse')
      await known(id('refuse'))
      const { error } = await raw.call(id('refuse'))
      // Only the crate sends the code on.
      expect(error?.code).toBe(client.language === 'rust' ? 'OUT_OF_STOCK' : 'invocation_failed')
      expect(error?.message).toContain('no tea left')
    },
  },
  {
    name: 'an error reaches it with code and message as they were sent',
    async run({ worker, raw, id }) {
      raw.serve(id('refuse'), () => ({
        error: { code: 'OUT_OF_STOCK', message: 'no tea left – “sencha”', stacktrace: 'at shelf:1' },
      }))
      await raw.settled()
      expect(await failure(worker.call(id('refuse'), {}))).toEqual({
        code: 'OUT_OF_STOCK',
        message: 'no tea left – “sencha”',
      })
    },
  },
  {
    name: 'void calls arrive in both directions and wait for nothing',
    async run({ worker, raw, id, known }) {
      await worker.offer(id('record'), 'record')
      await known(id('record'))
      raw.send({
        type: 'invokefunction',
        function_id: id('record'),
        data: { n: 1 },
        action: { type: 'void' },
      })
      expect((await worker.called(id('record'))).data).toEqual({ n: 1 })

      raw.send({ type: 'registerfunction', id: id('heard') })
      await raw.settled()
      // The function never answers, so a client that waited would fail by its time-out.
      await worker.callVoid(id('heard'), { n: 2 })
      const { data } = await raw.expect({ type: 'invokefunction', function_id: id('heard') })
      expect(data).toMatchObject({ n: 2 })
    },
  },
  {
    name: 'metadata travels beside the payload in both directions',
    async run({ worker, raw, id, known }) {
      await worker.offer(id('metadata'), 'metadata')
      await known(id('metadata'))
      expect(await raw.call(id('metadata'), {}, { metadata: { team: 'x', n: [1] } })).toEqual({
        result: { team: 'x', n: [1] },
      })
      expect(await raw.call(id('metadata'), {})).toEqual({ result: 'none' })

      raw.serve(id('seen'), ({ metadata }) => ({ result: metadata }))
      await raw.settled()
      expect(await worker.call(id('seen'), {}, { metadata: { trace: 'on' } })).toEqual({ trace: 'on' })
    },
  },
  {
    name: 'text of every kind arrives unchanged',
    async run({ worker, raw, id, known }) {
      const text = 'naïve – 日本語 – 👩‍🚀 – \u0000\u001f\u2028 – "quoted" \\ / – \u{10ffff}'
      await worker.offer(id('echo'), 'echo')
      await known(id('echo'))
      expect(await raw.call(id('echo'), { text, [text]: 1 })).toEqual({ result: { text, [text]: 1 } })
      raw.serve(id('raw'), ({ data }) => ({ result: (data as { text: string }).text }))
      await raw.settled()
      expect(await worker.call(id('raw'), { text })).toBe(text)
    },
  },
  {
    name: 'integers beyond 2^53 arrive digit by digit',
    // JavaScript has no such integers, whatever the engine does.
    only: ({ language }) => language !== 'typescript',
    async run({ worker, raw, id, known }) {
      await worker.offer(id('echo'), 'echo')
      await known(id('echo'))
      const answer = await raw.callText(id('echo'), '{"n":9007199254740993,"least":-9223372036854775808}')
      expect(answer).toContain('9007199254740993')
      expect(answer).toContain('-9223372036854775808')
    },
  },
  {
    name: 'a result that is no JSON is an error for the caller',
    only: ({ language }) => language === 'python',
    async run({ worker, raw, id, known }) {
      await worker.offer(id('nan'), 'nan')
      await worker.offer(id('echo'), 'echo')
      await known(id('echo'))
      const { result, error } = await raw.call(id('nan'))
      expect(result).toBeUndefined()
      expect(error?.message).toBeString()
      // The worker lives on.
      expect(await raw.call(id('echo'), { n: 1 })).toEqual({ result: { n: 1 } })
    },
  },
  {
    name: 'its call ends with an error when the worker that executes it leaves',
    async run({ worker, raw, id }) {
      raw.send({ type: 'registerfunction', id: id('hang') })
      await raw.settled()
      const call = failure(worker.call(id('hang'), {}))
      await raw.expect({ type: 'invokefunction', function_id: id('hang') })
      await raw.close('cut')
      expect(await call).toEqual({ code: 'invocation_stopped', message: 'Invocation stopped' })
    },
  },
  {
    name: 'a call that it executes ends with an error when it leaves',
    async run({ worker, raw, id, known }) {
      await worker.offer(id('hang'), 'hang')
      await known(id('hang'))
      const call = raw.call(id('hang'))
      await worker.called(id('hang'))
      await worker.shutdown()
      expect((await call).error).toEqual({ code: 'invocation_stopped', message: 'Invocation stopped' })
    },
  },
  {
    name: 'payloads of 1.5 MiB pass in both directions',
    only: ({ reads }) => reads > 1.5 * MiB,
    run: stage => passLarge(stage, 1.5 * MiB),
  },
  {
    name: 'payloads of 20 MiB pass in both directions',
    only: ({ reads }) => reads > 20 * MiB,
    run: stage => passLarge(stage, 20 * MiB),
  },
  {
    name: 'a message that is too large for it costs that call only',
    only: ({ reads }) => reads <= MiB,
    async run({ worker, raw, id, known }) {
      await worker.offer(id('grow'), 'grow')
      await worker.offer(id('echo'), 'echo')
      await known(id('echo'))
      // It sends more than it reads.
      const large = await raw.call(id('grow'), { characters: 1.5 * MiB })
      expect((large.result as { text: string }).text).toHaveLength(1.5 * MiB)
      // It drops its connection over a message that it cannot read; the caller is told.
      const { error } = await raw.call(id('echo'), { text: 'x'.repeat(1.5 * MiB) })
      expect(error?.code).toBe('invocation_stopped')
      await known(id('echo'))
      expect(await raw.call(id('echo'), { back: true })).toEqual({ result: { back: true } })
    },
  },
]

async function passLarge(
  { worker, raw, id, known }: Parameters<Scenario['run']>[0],
  size: number,
): Promise<void> {
  await worker.offer(id('grow'), 'grow')
  await worker.offer(id('echo'), 'echo')
  await known(id('echo'))
  const grown = await raw.call(id('grow'), { characters: size }, { withinMs: 60_000 })
  expect((grown.result as { text: string }).text).toHaveLength(size)
  const text = 'é'.repeat(size / 2)
  const echoed = await raw.call(id('echo'), { text }, { withinMs: 60_000 })
  expect((echoed.result as { text: string }).text === text).toBeTrue()

  raw.serve(id('length'), ({ data }) => ({ result: (data as { text: string }).text.length }))
  await raw.settled()
  expect(await worker.call(id('length'), { text })).toBe(text.length)
}
