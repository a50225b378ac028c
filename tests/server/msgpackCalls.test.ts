/** Calls over msgpack sockets: payloads on their way to JSON workers, capabilities, and the limits a worker names. */
import { describe, expect, test } from 'bun:test'
import { writeCredit } from '../../src/protocol/msgpack/hello.ts'
import type { BytesPayload } from '../../src/protocol/msgpack/payload.ts'
import {
  callFrame,
  connectMsgpack,
  type MsgpackWorker,
  resultFrame,
  written,
} from '../support/msgpackWorker.ts'
import { until } from '../support/waiting.ts'
import { callOver, connectWorker, echo, serve, settled } from './support.ts'

const raw = (...bytes: number[]): BytesPayload => ({
  codec: 3,
  bytes: Uint8Array.from(bytes),
  start: 0,
  end: bytes.length,
})
const packed = (...bytes: number[]): BytesPayload => ({ ...raw(...bytes), codec: 2 })

let ids = 65_536

/** Calls a function and gives the answer. */
async function ask(
  worker: MsgpackWorker,
  functionId: string,
  data: string | BytesPayload,
  more: Parameters<typeof callFrame>[3] = {},
) {
  const id = ids++
  worker.says(callFrame(functionId, data, id, more))
  for (;;) {
    const answer = await worker.hears('invocationresult')
    if (answer.invocationId === id) return answer
  }
}

const codeOf = (error: string | undefined): string => JSON.parse(error ?? '{}').code

describe('a payload in msgpack that goes to a JSON worker', () => {
  test.each<[string, BytesPayload, string]>([
    ['an integer of 64 bits', packed(0xcf, 255, 255, 255, 255, 255, 255, 255, 255), '18446744073709551615'],
    ['the smallest integer', packed(0xd3, 128, 0, 0, 0, 0, 0, 0, 0), '-9223372036854775808'],
    ['a whole float', packed(0xca, 0x3f, 0x80, 0, 0), '1.0'],
    ['bytes within', packed(0x91, 0xc4, 2, 0xfe, 0xff), '["/v8="]'],
    ['raw bytes', raw(0xfe, 0xff), '"/v8="'],
    ['a time', packed(0xd6, 0xff, 0, 0, 0, 0), '"1970-01-01T00:00:00Z"'],
    ['an object', packed(0x81, 0xa1, 0x6b, 0xc0), '{"k":null}'],
  ])('arrives as it is written in JSON, and so does a result: %s', async (_, payload, json) => {
    await using served = serve()
    const callee = await connectWorker(served.port, 'json', ['echo'])
    const texts: string[] = []
    callee.listen(({ payload: text }) => {
      const message = JSON.parse(text.toString())
      if (message.type !== 'invokefunction') return
      texts.push(text.toString())
      const { invocation_id, function_id } = message
      callee.text({ type: 'invocationresult', invocation_id, function_id, result: 1 })
    })
    const worker = await connectMsgpack(served.port, 'msgpack', { functions: ['give'] })
    expect((await ask(worker, 'echo', payload)).result).toBe('1' as never)
    // The caller is named in objects.
    const named = json.replace('}', `,"_caller_worker_id":"${worker.workerId}"}`)
    expect(texts[0]).toContain(`"data":${named}`)
    const caller = await connectWorker(served.port, 'asks')
    const answer = new Promise<string>(resolve =>
      caller.listen(({ payload: text }) => {
        if (text.includes('invocationresult')) resolve(text.toString())
      }),
    )
    caller.text({
      type: 'invokefunction',
      invocation_id: crypto.randomUUID(),
      function_id: 'give',
      data: null,
    })
    const { invocationId } = await worker.hears('invokefunction')
    worker.says(resultFrame(invocationId as number, payload))
    expect(await answer).toContain(`"result":${json}`)
  })

  test.each<[string, BytesPayload, string]>([
    ['not a number', packed(0x91, 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0), 'byte 1 of the payload'],
    ['a text that is not UTF-8', packed(0x92, 1, 0xa1, 0xff), 'byte 2 of the payload'],
    ['an ext', packed(0x93, 1, 2, 0xd4, 7, 0), 'byte 3 of the payload'],
    ['a key that is a number', packed(0x81, 1, 2), 'byte 1 of the payload'],
    ['two values', packed(1, 2), 'not exactly one msgpack value'],
  ])('and has no form there is an error for the caller: %s', async (_, payload, detail) => {
    await using served = serve()
    const callee = await connectWorker(served.port, 'json', ['echo'])
    echo(callee)
    const worker = await connectMsgpack(served.port, 'msgpack', { functions: ['give'] })
    const refused = JSON.parse((await ask(worker, 'echo', payload)).error!)
    expect(refused.code).toBe('deserialization_error')
    expect(refused.message).toContain(detail)
    const caller = await connectWorker(served.port, 'asks')
    const asked = callOver(caller, 'give')
    const { invocationId } = await worker.hears('invokefunction')
    worker.says(resultFrame(invocationId as number, payload))
    expect((await asked).error).toMatchObject({
      code: 'deserialization_error',
      message: expect.stringContaining(detail),
    })
    // Neither connection has suffered.
    expect(served.engine.state.counters.faults).toBe(0)
    expect((await ask(worker, 'echo', '1')).result).toBe('1' as never)
  })

  test('between two msgpack workers passes whatever it is', async () => {
    await using served = serve()
    const callee = await connectMsgpack(served.port, 'callee', { functions: ['f'] })
    const caller = await connectMsgpack(served.port, 'caller')
    let seen: Uint8Array | undefined
    // What a decoder would refuse: the frames are looked at as they are on the socket.
    callee.listen(({ payload }) => {
      seen = payload
    })
    caller.says(callFrame('f', packed(0xc1, 0xff, 0x00), ids++))
    await until('the call', () => seen !== undefined)
    expect(Buffer.from(seen!).includes(Buffer.from([2, 0xc1, 0xff, 0x00]))).toBe(true)
  })
})

describe('the capability', () => {
  test('caller: each call says who makes it, also one by bytes', async () => {
    await using served = serve()
    const callee = await connectMsgpack(served.port, 'callee', { capabilities: ['caller'], functions: ['f'] })
    const caller = await connectMsgpack(served.port, 'caller')
    const json = await connectWorker(served.port, 'json')
    caller.says(callFrame('f', '1', ids++), callFrame('f', '2', ids++, { metadata: '3' as never }))
    for (const data of ['1', '2']) {
      expect(await callee.hears('invokefunction')).toMatchObject({ data, caller: caller.workerId })
    }
    json.text({ type: 'invokefunction', invocation_id: crypto.randomUUID(), function_id: 'f', data: {} })
    expect(await callee.hears('invokefunction')).toMatchObject({ data: '{}', caller: json.workerId })
  })

  test('deadline: a call says how long its caller waits, if the caller has said', async () => {
    await using served = serve()
    const callee = await connectMsgpack(served.port, 'c', { capabilities: ['deadline'], functions: ['f'] })
    const without = await connectMsgpack(served.port, 'd', { functions: ['g'] })
    const caller = await connectMsgpack(served.port, 'caller')
    for (const id of ['f', 'g']) {
      caller.says(callFrame(id, '1', ids++, { timeoutMs: 1234 }), callFrame(id, '2', ids++))
    }
    expect(await callee.hears('invokefunction')).toMatchObject({ data: '1', timeoutMs: 1234 })
    expect(await callee.hears('invokefunction')).toMatchObject({ data: '2', timeoutMs: undefined })
    expect(await without.hears('invokefunction')).toMatchObject({ data: '1', timeoutMs: undefined })
  })

  test.each(['cancels it', 'leaves', 'has no more time'])(
    'cancel: a worker hears of a call whose caller %s',
    async what => {
      await using served = serve()
      const callee = await connectMsgpack(served.port, 'callee', {
        capabilities: ['cancel'],
        functions: ['f'],
      })
      const caller = await connectMsgpack(served.port, 'caller')
      const id = ids++
      caller.says(callFrame('f', '1', id, what === 'has no more time' ? { timeoutMs: 50 } : {}))
      const { invocationId } = await callee.hears('invokefunction')
      if (what === 'cancels it') caller.says({ type: 'cancelinvocation', invocationId: id })
      if (what === 'leaves') caller.destroy()
      expect(await callee.hears('cancelinvocation')).toMatchObject({ invocationId })
      if (what === 'has no more time')
        expect(codeOf((await caller.hears('invocationresult')).error)).toBe('invocation_timeout')
      expect(served.engine.callsInFlight()).toBe(0)
      // Its late answer is nobody's, also when the place of the call is taken by another.
      const next = await connectMsgpack(served.port, 'next')
      next.says(callFrame('f', '2', ids))
      const other = await callee.hears('invokefunction')
      callee.says(
        resultFrame(invocationId as number, '"late"'),
        resultFrame(other.invocationId as number, '"right"'),
      )
      expect(await next.hears('invocationresult')).toMatchObject({ invocationId: ids++, result: '"right"' })
      expect(served.engine.state.counters.lateResults).toBe(1)
    },
  )

  test('cancel: a JSON worker that announces it hears of it, and one that does not hears nothing', async () => {
    await using served = serve()
    const knows = await connectWorker(served.port)
    const data = { name: 'knows', version: '0.23.0', features: ['cancel.v1'] }
    knows.text({ type: 'invokefunction', function_id: 'engine::workers::register', data })
    knows.text({ type: 'registerfunction', id: 'f' })
    const ignores = await connectWorker(served.port, 'ignores', ['g'])
    await Promise.all([settled(knows), settled(ignores)])
    const caller = await connectMsgpack(served.port, 'caller')
    const [first, second] = [ids++, ids++]
    caller.says(callFrame('f', '1', first), callFrame('g', '1', second))
    const { invocation_id } = await knows.nextMessage()
    expect((await ignores.nextMessage()).type).toBe('invokefunction')
    for (const invocationId of [first, second]) caller.says({ type: 'cancelinvocation', invocationId })
    expect(await knows.nextMessage()).toEqual({ type: 'cancelinvocation', invocation_id })
    caller.says({ type: 'ping' })
    await caller.hears('pong')
    ignores.text({ type: 'ping' })
    expect((await ignores.nextMessage()).type).toBe('pong')
  })

  test('credit: a worker gets no more calls than it has granted, the rest is refused', async () => {
    await using served = serve()
    const callee = await connectMsgpack(served.port, 'callee', { capabilities: ['credit'], functions: ['f'] })
    const caller = await connectMsgpack(served.port, 'caller')
    expect(codeOf((await ask(caller, 'f', '0')).error)).toBe('worker_overloaded')
    callee.bytes(written(out => writeCredit(out, 2)))
    callee.says({ type: 'ping' })
    await callee.hears('pong')
    for (const data of ['1', '2', '3']) caller.says(callFrame('f', data, ids++))
    expect(codeOf((await caller.hears('invocationresult')).error)).toBe('worker_overloaded')
    const granted = [await callee.hears('invokefunction'), await callee.hears('invokefunction')]
    expect(granted.map(({ data }) => String(data))).toEqual(['1', '2'])
    // An answer gives nothing back; a grant does.
    callee.says(resultFrame(granted[0]!.invocationId as number, '1'))
    await caller.hears('invocationresult')
    expect(codeOf((await ask(caller, 'f', '4')).error)).toBe('worker_overloaded')
    callee.bytes(written(out => writeCredit(out, 1)))
    callee.says({ type: 'ping' })
    await callee.hears('pong')
    caller.says(callFrame('f', '5', ids++))
    expect(await callee.hears('invokefunction')).toMatchObject({ data: '5' })
  })
})

describe('the limits a worker names are kept:', () => {
  test('calls in flight', async () => {
    await using served = serve()
    const callee = await connectMsgpack(served.port, 'callee', {
      limits: { callsInFlight: 2 },
      functions: ['f'],
    })
    const caller = await connectMsgpack(served.port, 'caller')
    const json = await connectWorker(served.port, 'json')
    caller.says(callFrame('f', '1', ids++), callFrame('f', '2', ids++), callFrame('f', '3', ids++))
    expect(codeOf((await caller.hears('invocationresult')).error)).toBe('worker_overloaded')
    expect((await callOver(json, 'f')).error).toMatchObject({ code: 'worker_overloaded' })
    const { invocationId } = await callee.hears('invokefunction')
    callee.says(resultFrame(invocationId as number, '1'))
    expect((await caller.hears('invocationresult')).result).toBe('1' as never)
    caller.says(callFrame('f', '4', ids++))
    await callee.hears('invokefunction')
    expect(await callee.hears('invokefunction')).toMatchObject({ data: '4' })
  })

  test('frames in a message', async () => {
    await using served = serve()
    const callee = await connectMsgpack(served.port, 'callee', {
      limits: { framesPerMessage: 3 },
      functions: ['f'],
    })
    const caller = await connectMsgpack(served.port, 'caller')
    callee.batches.length = 0
    caller.says(...Array.from({ length: 100 }, (_, n) => callFrame('f', String(n), ids++)))
    for (let n = 0; n < 100; n++) expect(await callee.hears('invokefunction')).toMatchObject({ data: `${n}` })
    expect(Math.max(...callee.batches)).toBe(3)
    expect(callee.batches.length).toBe(34)
  })

  test('bytes of a message: frames are spread over several, what does not fit into one is refused', async () => {
    await using served = serve()
    const messageBytes = 200_000
    const callee = await connectMsgpack(served.port, 'callee', { limits: { messageBytes }, functions: ['f'] })
    const caller = await connectMsgpack(served.port, 'caller', { functions: ['g'] })
    const json = await connectWorker(served.port, 'json', ['h'])
    const fits = `"${'x'.repeat(100_000)}"`
    const tooLarge = `"${'x'.repeat(messageBytes)}"`
    caller.says(...Array.from({ length: 9 }, () => callFrame('f', fits, ids++)))
    for (let n = 0; n < 9; n++) expect((await callee.hears('invokefunction')).data === fits).toBe(true)
    expect(callee.largest).toBeLessThanOrEqual(messageBytes)
    // A call by bytes, and one that is looked at.
    expect(codeOf((await ask(caller, 'f', tooLarge)).error)).toBe('payload_too_large')
    expect(codeOf((await ask(caller, 'f', tooLarge, { timeoutMs: 5000 })).error)).toBe('payload_too_large')
    expect((await callOver(json, 'f', 'x'.repeat(messageBytes))).error).toMatchObject({
      code: 'payload_too_large',
    })
    // Results, and errors, on their way to it.
    for (const answer of ['result', 'error'] as const) {
      callee.says(callFrame('g', '1', ids++))
      const { invocationId } = await caller.hears('invokefunction')
      const error = JSON.stringify({ code: 'X', message: tooLarge })
      caller.says(
        answer === 'result'
          ? resultFrame(invocationId as number, tooLarge)
          : resultFrame(invocationId as number, undefined, error),
      )
      expect(codeOf((await callee.hears('invocationresult')).error)).toBe('payload_too_large')
    }
    // Metadata counts, too: nobody is left waiting.
    const metadata = tooLarge as never
    expect((await ask(caller, 'f', '1', { metadata })).error).toBeDefined()
    expect(served.engine.callsInFlight()).toBe(9)
  })
})

test('ten thousand calls in two messages are answered once each, in both directions at once', async () => {
  await using served = serve()
  const [a, b] = await Promise.all([
    connectMsgpack(served.port, 'a', { functions: ['a'] }),
    connectMsgpack(served.port, 'b', { functions: ['b'] }),
  ])
  const count = 5000

  /** Answers what is asked and gives the answers to its own calls, by call id. */
  async function exchange(worker: MsgpackWorker, other: string): Promise<Map<number, string>> {
    const answers = new Map<number, string>()
    worker.says(...Array.from({ length: count }, (_, n) => callFrame(other, String(n), 65_536 + n)))
    for (let answered = 0; answered < count || answers.size < count; ) {
      const frame = await worker.heard.next()
      if (frame.type === 'invokefunction') {
        worker.says(resultFrame(frame.invocationId as number, frame.data))
        answered++
      } else if (frame.type === 'invocationresult') {
        expect(answers.has(frame.invocationId as number)).toBe(false)
        answers.set(frame.invocationId as number, String(frame.result))
      }
    }
    return answers
  }

  for (const answers of await Promise.all([exchange(a, 'b'), exchange(b, 'a')])) {
    expect([...answers].filter(([id, result]) => result !== String(id - 65_536))).toEqual([])
  }
  expect(served.engine.callsInFlight()).toBe(0)
})

describe('what needs the input as JSON', () => {
  test('a call through a queue hands it to the provider as such', async () => {
    await using served = serve()
    const provider = await connectWorker(served.port, 'queue', ['engine::queue::enqueue'])
    const asked = new Promise<{ data: { data: unknown } }>(resolve =>
      provider.listen(({ payload }) => {
        const message = JSON.parse(payload.toString())
        if (message.type !== 'invokefunction') return
        const { invocation_id, function_id } = message
        provider.text({ type: 'invocationresult', invocation_id, function_id, result: {} })
        resolve(message)
      }),
    )
    const worker = await connectMsgpack(served.port, 'msgpack')
    const more = { action: 'enqueue', queue: 'orders' } as const
    // {"n": 7} in msgpack.
    const { result } = await ask(worker, 'orders::ship', packed(0x81, 0xa1, 0x6e, 7), more)
    expect((await asked).data.data).toEqual({ n: 7 })
    expect(JSON.parse(String(result))).toEqual({ messageReceiptId: expect.any(String) })
    const { error } = await ask(worker, 'orders::ship', packed(0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0), more)
    expect(codeOf(error)).toBe('deserialization_error')
  })

  test('an announce that has no form in JSON is answered, and so is the call behind it', async () => {
    await using served = serve()
    const worker = await connectMsgpack(served.port, 'msgpack')
    const [announce, call] = [ids++, ids++]
    const notANumber = packed(0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0)
    worker.says(
      callFrame('engine::workers::register', notANumber, announce),
      callFrame('nobody::there', '{}', call),
    )
    const answers = [await worker.hears('invocationresult'), await worker.hears('invocationresult')]
    expect(answers.map(({ invocationId, error }) => [invocationId, codeOf(error)])).toEqual([
      [announce, 'deserialization_error'],
      [call, 'function_not_found'],
    ])
  })
})
