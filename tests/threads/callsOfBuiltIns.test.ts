/** A built-in on its own thread hears who calls without a change to what the caller wrote. */
import { expect, test } from 'bun:test'
import type { CallContext, RawJson } from '../../sdk/typescript/src/worker.ts'
import { createThread, createThreadTurn } from '../../src/threads/thread.ts'
import { createRecordingLog } from '../support/fakes.ts'
import { createWorld } from '../support/world.ts'

const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

async function placed() {
  const world = createWorld()
  const log = createRecordingLog()
  const inputs: unknown[] = []
  const ids: CallContext['invocationId'][] = []
  await createThread(world.engine, createThreadTurn(log), log).place(
    {
      name: 'mirror',
      description: 'gives back what it was given',
      async start(client) {
        client.registerFunction('mirror::value', (input, { invocationId }) => {
          inputs.push(input)
          ids.push(invocationId)
          return { seen: inputs.length }
        })
        client.registerFunction<RawJson>('mirror::text', ({ text }) => void inputs.push(text), {
          rawInput: true,
        })
        await client.ready()
        return { addresses: {}, async drain() {}, async stop() {} }
      },
    },
    'mirror',
  )
  return { world, inputs, ids, caller: world.join() }
}

test('values name their caller, whoever the caller says it is', async () => {
  const { inputs, caller } = await placed()
  for (const data of [{ n: 1 }, { _caller_worker_id: 'forged', n: 2 }, [3], null]) {
    caller.calls('mirror::value', data)
    await settle()
  }
  expect(inputs).toEqual([
    { n: 1, _caller_worker_id: caller.id },
    { n: 2, _caller_worker_id: caller.id },
    [3],
    null,
  ])
})

test('texts are as the caller wrote them, without a name that it gave itself', async () => {
  const { inputs, caller } = await placed()
  const send = async (data: string): Promise<void> => {
    caller.saysText(`{"type":"invokefunction","function_id":"mirror::text","data":${data}}`)
    await settle()
  }
  await send('{ "z": 9007199254740993 }')
  await send('{"n":1,"_caller_worker_id":"forged"}')
  await send('{"\\u005fcaller_worker_id":"forged","n":2}')
  await send('"_caller_worker_id"')
  expect(inputs).toEqual(['{ "z": 9007199254740993 }', '{"n":1}', '{"n":2}', '"_caller_worker_id"'])
})

test('answers find their callers, also those of callers with the same ids', async () => {
  const { world, ids, caller } = await placed()
  const other = world.join()
  const id = caller.calls('mirror::value', {})
  other.calls('mirror::value', {}, { invocation_id: id })
  await settle()
  expect(caller.hears()).toMatchObject([{ invocation_id: id, result: { seen: 1 } }])
  expect(other.hears()).toMatchObject([{ invocation_id: id, result: { seen: 2 } }])
  expect(ids[0]).not.toBe(ids[1])
})
