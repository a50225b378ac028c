/** The first stop signal lets running work end, and what it ends with arrives. */
import { expect, test } from 'bun:test'
import { startEngine } from '../support/engineProcess.ts'
import { connectRaw, type WireFrame } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'

const CALLS = 300
const REQUESTS = 50

test('answers that come all at once while the engine stops arrive, every one', async () => {
  await using engine = await startEngine()
  await using worker = await connectRaw(engine.url, { name: 'worker' })
  await using caller = await connectRaw(engine.url, { name: 'caller' })
  worker.send({ type: 'registerfunction', id: 'slow::go' })
  worker.send({
    type: 'registertrigger',
    id: 'route',
    trigger_type: 'http',
    function_id: 'slow::go',
    config: { api_path: '/slow', http_method: 'GET' },
  })
  await until(
    'the route is there',
    async () => (await fetch(`${engine.http}/slow`, { method: 'POST' })).status === 405,
  )
  const requests = Array.from({ length: REQUESTS }, () => fetch(`${engine.http}/slow`))
  const outcomes = Promise.allSettled(
    Array.from({ length: CALLS }, (_, index) => caller.call('slow::go', { text: 'x'.repeat(10_000), index })),
  )
  const calls: WireFrame[] = []
  while (calls.length < CALLS + REQUESTS) {
    calls.push(await worker.expect({ type: 'invokefunction', function_id: 'slow::go' }))
  }
  const stopped = engine.stop()
  await until('the engine stops', () => engine.log().includes('stopping'))
  for (const call of calls) worker.answer(call, { result: { body: 'x'.repeat(10_000) } })
  const answered = (await outcomes).filter(outcome => outcome.status === 'fulfilled')
  expect(answered).toHaveLength(CALLS)
  expect((await Promise.all(requests)).map(({ status }) => status)).toEqual(Array(REQUESTS).fill(200))
  expect(await stopped).toBe(0)
}, 30_000)

test('a worker that goes on calling does not hold the end up', async () => {
  await using engine = await startEngine()
  await using worker = await connectRaw(engine.url, { name: 'worker' })
  await using caller = await connectRaw(engine.url, { name: 'caller' })
  worker.serve('quick::go', () => ({ result: 1 }))
  worker.send({ type: 'registerfunction', id: 'slow::go' })
  // An answer on the same connection: what was sent before it has happened.
  await worker.call('nobody::there')
  const underWay = caller.call('slow::go')
  const slow = await worker.expect({ type: 'invokefunction', function_id: 'slow::go' })
  const stopped = engine.stop()
  await until('the engine stops', () => engine.log().includes('stopping'))
  // Its own connection executes nothing, so this is new work; the worker of the slow call may still call. Shards hear of
  // the end a moment after the log.
  await until('new work is refused', async () => {
    const { error } = await caller.call('quick::go')
    return error?.code === 'engine_stopping'
  })
  expect(await worker.call('quick::go')).toMatchObject({ result: 1 })
  worker.answer(slow, { result: 'done' })
  expect(await underWay).toMatchObject({ result: 'done' })
  expect(await stopped).toBe(0)
}, 30_000)
