/** Calls by bytes remember the route found last; it must not outlive the registration. */
import { expect, test } from 'bun:test'
import { registrationFrame } from '../support/frames.ts'
import { callFrame, connectMsgpack, resultFrame } from '../support/msgpackWorker.ts'
import { serve } from './support.ts'

test('a function that is taken back, or taken over, is found anew by the next call', async () => {
  await using served = serve()
  const [one, two, caller] = await Promise.all([
    connectMsgpack(served.port, 'one', { functions: ['f'] }),
    connectMsgpack(served.port, 'two', { functions: ['g'] }),
    connectMsgpack(served.port, 'caller'),
  ])
  const answers: unknown[] = []
  async function ask(id: string, worker: typeof one | undefined): Promise<void> {
    caller.says(callFrame(id, '1', 65_536 + answers.length))
    if (worker !== undefined) {
      const { invocationId } = await worker.hears('invokefunction')
      worker.says(resultFrame(invocationId as number, `"${id} of ${worker === one ? 'one' : 'two'}"`))
    }
    const { result, error } = await caller.hears('invocationresult')
    answers.push(result ?? JSON.parse(error!).code)
  }
  await ask('f', one)
  await ask('g', two)
  await ask('f', one)
  one.says({ type: 'unregisterfunction', id: 'f' }, { type: 'ping' })
  await one.hears('pong')
  await ask('f', undefined)
  two.says(registrationFrame('f'), { type: 'ping' })
  await two.hears('pong')
  await ask('f', two)
  expect(answers).toEqual(['"f of one"', '"g of two"', '"f of one"', 'function_not_found', '"f of two"'])
})
