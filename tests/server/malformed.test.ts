import { describe, expect, test } from 'bun:test'
import type { ProblemReason } from '../../src/protocol/frames.ts'
import { opcodes } from '../support/rawWebSocket.ts'
import { callOver, connectWorker, echo, serve, settled } from './support.ts'

const ID = 'c2a4a5a6-0000-4000-8000-0000000000aa'

/** A call whose other members are given as text. */
const call = (members: string): string =>
  `{"type":"invokefunction","invocation_id":"${ID}","function_id":"echo",${members}}`

interface Case {
  readonly what: string
  readonly text: string
  readonly reason: ProblemReason
  /** The engine can tell who waits, and says so. */
  readonly answered?: true
}

const deep = `${'['.repeat(200)}${']'.repeat(200)}`

const cases: readonly Case[] = [
  { what: 'no JSON', text: 'hello', reason: 'invalid_json' },
  { what: 'a number', text: '17', reason: 'not_an_object' },
  { what: 'a list of messages', text: '[{"type":"ping"}]', reason: 'not_an_object' },
  { what: 'an empty object', text: '{}', reason: 'missing_field' },
  { what: 'an unknown type', text: '{"type":"observe","id":"x"}', reason: 'unknown_type' },
  { what: 'a type by prototype', text: '{"type":"__proto__"}', reason: 'unknown_type' },
  { what: 'members by prototype', text: '{"__proto__":{"type":"ping"}}', reason: 'missing_field' },
  {
    what: 'a message only the engine sends',
    text: '{"type":"workerregistered","worker_id":"x"}',
    reason: 'unknown_type',
  },
  {
    what: 'a call cut off',
    text: call('"data":{"a":1').slice(0, -1),
    reason: 'invalid_json',
    answered: true,
  },
  { what: 'NaN', text: call('"data":NaN'), reason: 'invalid_json', answered: true },
  { what: 'a control character', text: call('"data":"\u0001"'), reason: 'invalid_json', answered: true },
  { what: 'deep nesting', text: call(`"data":${deep}`), reason: 'too_deep', answered: true },
  {
    what: 'a million levels',
    text: call(`"data":${'['.repeat(1_000_000)}`),
    reason: 'too_deep',
    answered: true,
  },
  { what: 'a lone surrogate', text: call('"data":"\\ud800"'), reason: 'lone_surrogate', answered: true },
  {
    what: 'a number beyond a double',
    text: call('"data":1e400'),
    reason: 'number_out_of_range',
    answered: true,
  },
  {
    what: 'a call without a function',
    text: `{"type":"invokefunction","invocation_id":"${ID}"}`,
    reason: 'missing_field',
    answered: true,
  },
  { what: 'a number as traceparent', text: call('"traceparent":1'), reason: 'wrong_type', answered: true },
  {
    what: 'an unknown action',
    text: call('"action":{"type":"later"}'),
    reason: 'wrong_type',
    answered: true,
  },
  {
    what: 'a member given twice',
    text: call('"data":1,"data":2'),
    reason: 'duplicate_field',
    answered: true,
  },
  { what: 'a blank invocation id', text: call('"data":1').replace(ID, ''), reason: 'invalid_uuid' },
  {
    what: 'an invocation id that is no UUID',
    text: call('"data":1').replace(ID, 'x'.repeat(36)),
    reason: 'invalid_uuid',
  },
  {
    what: 'an invocation id that is a number',
    text: call('"data":1').replace(`"${ID}"`, '17'),
    reason: 'wrong_type',
  },
  { what: 'a function without an id', text: '{"type":"registerfunction"}', reason: 'missing_field' },
  {
    what: 'a function with a number as id',
    text: '{"type":"registerfunction","id":1}',
    reason: 'wrong_type',
  },
  {
    what: 'a trigger without a function',
    text: '{"type":"registertrigger","id":"t","trigger_type":"x"}',
    reason: 'missing_field',
  },
]

describe('a malformed message', () => {
  test.each(cases.map(each => [each.what, each] as const))(
    '%s: counted, answered if it can be, and the connection stays',
    async (_, { text, reason, answered }) => {
      await using served = serve()
      const worker = await connectWorker(served.port)
      worker.text(text)
      if (answered) {
        expect(await worker.nextMessage()).toMatchObject({
          type: 'invocationresult',
          invocation_id: ID,
          error: { code: 'deserialization_error', message: expect.stringContaining('Failed to deserialize') },
        })
      }
      await settled(worker)
      expect(served.engine.state.connections.get(worker.workerId)?.counters.problems).toEqual({ [reason]: 1 })
      expect(served.engine.state.counters.problems).toBe(1)
      expect(served.log.warnings()).toHaveLength(1)
    },
  )
})

test('all of them one after the other harm neither their connection nor a neighbour', async () => {
  await using served = serve()
  const callee = await connectWorker(served.port, 'callee', ['echo'])
  echo(callee)
  const worker = await connectWorker(served.port)
  const neighbour = await connectWorker(served.port)
  for (const { text } of cases) {
    worker.text(text)
    worker.send(opcodes.binary, text)
  }
  expect(await callOver(worker, 'echo', { n: 1 })).toMatchObject({ result: { n: 1 } })
  expect(await callOver(neighbour, 'echo', { n: 2 })).toMatchObject({ result: { n: 2 } })
  expect(served.engine.state.counters.problems).toBe(2 * cases.length)
})

describe('a malformed answer', () => {
  test.each([
    ['NaN', '"result": {"x": NaN}'],
    ['a lone surrogate', '"result":"\\ud800"'],
    ['a number beyond a double', '"result":1e999'],
    ['deep nesting', `"result":${deep}`],
    ['an answer given twice', '"result":1,"result":2'],
    ['a number as baggage', '"result":1,"baggage":1'],
  ])('reaches the caller as an error: %s', async (_, members) => {
    await using served = serve()
    const callee = await connectWorker(served.port, 'callee', ['f'])
    const caller = await connectWorker(served.port)
    await settled(callee)
    const answer = callOver(caller, 'f')
    const { invocation_id } = await callee.nextMessage()
    callee.text(
      `{"invocation_id": "${invocation_id}", "function_id": "f", ${members}, "type": "invocationresult"}`,
    )
    expect(await answer).toMatchObject({
      error: { code: 'deserialization_error', message: expect.stringContaining('result of f') },
    })
    await settled(callee)
  })

  test('of an error that is a string is made readable', async () => {
    await using served = serve()
    const callee = await connectWorker(served.port, 'callee', ['f'])
    const caller = await connectWorker(served.port)
    await settled(callee)
    const answer = callOver(caller, 'f')
    const { invocation_id } = await callee.nextMessage()
    callee.text({ type: 'invocationresult', invocation_id, function_id: 'f', error: 'boom' })
    expect(await answer).toMatchObject({ error: { code: 'invocation_failed', message: 'boom' } })
  })

  test('of someone who was not asked changes nothing', async () => {
    await using served = serve()
    const callee = await connectWorker(served.port, 'callee', ['f'])
    const caller = await connectWorker(served.port)
    const stranger = await connectWorker(served.port)
    await settled(callee)
    const answer = callOver(caller, 'f')
    const { invocation_id } = await callee.nextMessage()
    stranger.text(`{"type":"invocationresult","invocation_id":"${invocation_id}","result":NaN}`)
    stranger.text({ type: 'invocationresult', invocation_id, function_id: 'f', result: 'forged' })
    await settled(stranger)
    callee.text({ type: 'invocationresult', invocation_id, function_id: 'f', result: 'true' })
    expect(await answer).toMatchObject({ result: 'true' })
  })
})

test('a flood of malformed messages is logged sparsely', async () => {
  await using served = serve()
  const worker = await connectWorker(served.port)
  for (let count = 0; count < 2000; count++) worker.text('nonsense')
  await settled(worker)
  expect(served.engine.state.counters.problems).toBe(2000)
  expect(served.log.lines.length).toBeLessThan(10)
})
