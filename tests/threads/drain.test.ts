/** The end of an engine with shards, in two stages: what is under way across threads arrives, then everything is free. */
import { expect, test } from 'bun:test'
import { startEngine } from '../support/engineProcess.ts'
import { connectRaw, type RawClient, type WireFrame } from '../support/rawClient.ts'
import { openRaw } from '../support/rawWebSocket.ts'
import { until, within } from '../support/waiting.ts'
import { type AttackedEngine, startAttackedEngine } from './attack/engine.ts'

const PATIENT_MS = 60_000
const CALLS = 200
const STILL_THERE_MS = 500

/** Whether somebody listens. */
async function listens(address: string): Promise<boolean> {
  const { hostname, port } = new URL(address)
  try {
    const socket = await Bun.connect({ hostname, port: Number(port), socket: { data() {} } })
    socket.end()
    return true
  } catch {
    return false
  }
}

/** A worker on the second shard whose function answers when the test says so, and a caller on the first one. */
async function withSlowCalls(engine: AttackedEngine): Promise<{ caller: RawClient; callee: RawClient }> {
  const callee = await engine.connectOn(2)
  const caller = await engine.connectOn(1)
  callee.send({ type: 'registerfunction', id: 'slow::f' })
  callee.serve('quick::f', () => ({ result: 1 }))
  callee.send({
    type: 'registertrigger',
    id: 'T',
    trigger_type: 'http',
    function_id: 'slow::f',
    config: { api_path: '/slow', http_method: 'GET' },
  })
  await callee.settled()
  return { caller, callee }
}

async function heard(callee: RawClient, count: number): Promise<WireFrame[]> {
  const calls: WireFrame[] = []
  while (calls.length < count)
    calls.push(await callee.expect({ type: 'invokefunction', function_id: 'slow::f' }))
  return calls
}

const isDraining = (caller: RawClient): Promise<boolean> =>
  until('the engine drains', async () => (await caller.call('quick::f')).error?.code === 'engine_stopping')

test(
  'the first signal lets every answer arrive that is under way, over sockets and http; then the ports are free',
  async () => {
    await using engine = await startAttackedEngine(2)
    const { caller, callee } = await withSlowCalls(engine)
    const large = 'x'.repeat(20_000)
    const answers = Array.from({ length: CALLS }, () => caller.call('slow::f', {}, { withinMs: PATIENT_MS }))
    const pages = Array.from({ length: 6 }, async () => {
      const response = await fetch(`${engine.http}/slow`, { headers: { connection: 'close' } })
      return [response.status, (await response.text()).length]
    })
    const calls = await heard(callee, CALLS + pages.length)
    const ended = engine.stop()
    await isDraining(caller)
    // The callers' shard comes to them late: the others have done all they have to do by then.
    await engine.attack(1, 'busy')
    for (const call of calls) callee.answer(call, { result: { status_code: 200, body: large } })
    for (const answer of await Promise.all(answers)) {
      expect((answer.result as { body: string } | undefined)?.body.length).toBe(large.length)
    }
    expect(await Promise.all(pages)).toEqual(pages.map(() => [200, large.length + 2]))
    expect(await ended).toBe(0)
    expect([await listens(engine.url), await listens(engine.http)]).toEqual([false, false])
  },
  PATIENT_MS,
)

test(
  'the second signal cuts: its callers hear that the connection is over, exit code 143, the ports are free',
  async () => {
    await using engine = await startAttackedEngine(2)
    const { caller, callee } = await withSlowCalls(engine)
    const answer = caller.call('slow::f', {}, { withinMs: PATIENT_MS }).then(
      ({ error }) => error?.code,
      (reason: Error) => reason.message,
    )
    await heard(callee, 1)
    const first = engine.stop()
    await isDraining(caller)
    expect(await within('the engine ends', engine.stop())).toBe(143)
    await first
    expect(await answer).toMatch(/connection is closed|invocation_stopped/)
    expect([await listens(engine.url), await listens(engine.http)]).toEqual([false, false])
  },
  PATIENT_MS,
)

test(
  'a shard that is stuck when the engine stops does not keep it',
  async () => {
    await using engine = await startAttackedEngine(2)
    await engine.attack(1, 'loop')
    const ended = engine.stop()
    await until('it is told', () => engine.log().includes('stopping: running work may finish'))
    expect(await within('the engine ends', engine.stop())).toBe(143)
    await ended
    expect([await listens(engine.url), await listens(engine.http)]).toEqual([false, false])
  },
  PATIENT_MS,
)

test.each([['kernel'], ['thread']])(
  'an answer that its caller reads slowly arrives whole before the engine ends (acceptor: %s)',
  async acceptor => {
    await using engine = await startEngine({ shape: ['--shards', '1', '--acceptor', acceptor] })
    const callee = await connectRaw(engine.url)
    const big = 'x'.repeat(24 * 1024 * 1024)
    let served = 0
    callee.serve('big::f', () => {
      served++
      return { result: big }
    })
    await callee.settled()
    const caller = await openRaw(Number(new URL(engine.url).port))
    await caller.nextMessage()
    caller.tcp.pause()
    caller.text({
      type: 'invokefunction',
      invocation_id: crypto.randomUUID(),
      function_id: 'big::f',
      data: {},
    })
    await until('it is asked', () => served > 0)
    await callee.settled()
    const ended = engine.stop()
    await until('it is told', () => engine.log().includes('stopping: running work may finish'))
    // An engine that does not wait is gone by then.
    expect(await Promise.race([ended, Bun.sleep(STILL_THERE_MS)])).toBeUndefined()
    caller.tcp.resume()
    const { result } = await caller.nextMessage()
    expect((result as string).length).toBe(big.length)
    expect(await ended).toBe(0)
  },
  PATIENT_MS,
)
