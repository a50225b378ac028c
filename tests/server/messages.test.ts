import { describe, expect, test } from 'bun:test'
import { limits } from '../../src/protocol/limits.ts'
import { clientFrame, type Opcode, opcodes, openRaw } from '../support/rawWebSocket.ts'
import { until } from '../support/waiting.ts'
import { callOver, connectWorker, echo, serve, settled } from './support.ts'

const CALL_ID = 'c2a4a5a6-0000-4000-8000-0000000000aa'

/** A call to a function that does not exist: it is answered at once. */
function callText(payload: string): string {
  return `{"type":"invokefunction","invocation_id":"${CALL_ID}","function_id":"nobody","data":${payload}}`
}

/** A call whose text is exactly `bytes` long. */
function callOfSize(bytes: number): Buffer {
  const [head, tail] = callText('"*"').split('*') as [string, string]
  const text = Buffer.alloc(bytes, 'x')
  text.write(head, 0)
  text.write(tail, bytes - tail.length)
  return text
}

function fragments(payload: Buffer, size: number): [Opcode, Buffer, boolean][] {
  const count = Math.ceil(payload.length / size)
  return Array.from({ length: count }, (_, index) => [
    index === 0 ? opcodes.text : opcodes.continuation,
    payload.subarray(index * size, (index + 1) * size),
    index === count - 1,
  ])
}

describe('small talk', () => {
  test('a WebSocket ping is answered once, with its own payload, on / and on /otel', async () => {
    await using served = serve()
    for (const target of ['/', '/otel']) {
      const socket = await openRaw(served.port, target)
      if (target === '/') await socket.nextMessage()
      socket.send(opcodes.ping, 'are you there? é')
      socket.send(opcodes.ping, '')
      socket.send(opcodes.ping, 'last')
      const answers = [await socket.frames.next(), await socket.frames.next(), await socket.frames.next()]
      expect(answers.map(({ opcode }) => opcode)).toEqual([opcodes.pong, opcodes.pong, opcodes.pong])
      expect(answers.map(({ payload }) => payload.toString())).toEqual(['are you there? é', '', 'last'])
    }
  })

  test('a ping message is answered with a pong message, a pong is ignored', async () => {
    await using served = serve()
    const worker = await connectWorker(served.port)
    worker.text('{"type":"pong"}')
    worker.text(' { "type" : "ping" }\n')
    expect(await worker.nextMessage()).toEqual({ type: 'pong' })
    expect(served.engine.state.counters.problems).toBe(0)
  })

  test.each(['', ' ', '\n', '\t\r\n  '])('a message of %j means nothing', async blank => {
    await using served = serve()
    const worker = await connectWorker(served.port)
    worker.text(blank)
    worker.send(opcodes.binary, blank)
    await settled(worker)
    expect(served.engine.state.counters.problems).toBe(0)
  })
})

describe('a binary message', () => {
  test.each(['OTLP', 'MTRC', 'LOGS'])(
    'that starts with %s is telemetry: counted, not answered, on / and /otel',
    async tag => {
      await using served = serve()
      const worker = await connectWorker(served.port)
      worker.send(opcodes.binary, `${tag}{"resourceSpans":[]}`)
      worker.send(opcodes.binary, Buffer.concat([Buffer.from(tag), Buffer.from([0xff, 0xfe])]))
      worker.send(opcodes.binary, tag)
      await settled(worker)
      const otel = await openRaw(served.port, '/otel')
      otel.send(opcodes.binary, `${tag}{}`)
      await until('all four', () => served.engine.state.counters.telemetryFrames === 4)
      expect(served.engine.state.counters.problems).toBe(0)
      expect(worker.frames.takeAll()).toEqual([])
    },
  )

  test('of another kind on /otel is counted and logged sparsely; text there means nothing', async () => {
    await using served = serve()
    const otel = await openRaw(served.port, '/otel')
    for (let count = 0; count < 20; count++) otel.send(opcodes.binary, '{"type":"ping"}')
    otel.text('{"type":"ping"}')
    await until('all of them', () => served.engine.state.counters.strangeTelemetry === 20)
    expect(served.log.warnings()).toEqual(Array(2).fill('telemetry of an unknown kind was dropped'))
    expect(otel.frames.takeAll()).toEqual([])
  })

  test('that is JSON counts as text, and the answer is text', async () => {
    await using served = serve()
    const worker = await connectWorker(served.port)
    worker.send(opcodes.binary, '{"type":"ping"}')
    const answer = await worker.frames.next()
    expect(answer).toMatchObject({ opcode: opcodes.text, final: true })
    expect(answer.payload.toString()).toBe('{"type":"pong"}')
  })

  test.each([
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'not_utf8'],
    ['cut inside a code point', Buffer.from([0x22, 0xc3]), 'not_utf8'],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'not_utf8'],
    ['no JSON', Buffer.from('OTL'), 'invalid_json'],
    ['a tag in lower case', Buffer.from('otlp{}'), 'invalid_json'],
    ['zeros', Buffer.alloc(100), 'invalid_json'],
  ])('that is %s is a counted problem, and the connection stays', async (_, payload, reason) => {
    await using served = serve()
    const worker = await connectWorker(served.port)
    worker.send(opcodes.binary, payload)
    await settled(worker)
    expect(served.engine.state.connections.get(worker.workerId)?.counters.problems).toEqual({ [reason]: 1 })
  })
})

test('on /otel text and other binary messages are dropped, and nobody is registered', async () => {
  await using served = serve()
  const otel = await openRaw(served.port, '/otel')
  otel.text({ type: 'ping' })
  otel.text('nonsense')
  otel.send(opcodes.binary, '{"type":"ping"}')
  otel.send(opcodes.binary, Buffer.from([0xff]))
  otel.send(opcodes.ping, 'still there')
  expect((await otel.frames.next()).opcode).toBe(opcodes.pong)
  expect(served.engine.state.connections.size).toBe(0)
})

describe('text that is not UTF-8 ends the connection, and no other', () => {
  test.each([
    ['a stray byte', Buffer.from([0x7b, 0xff, 0x7d])],
    ['an overlong form', Buffer.from([0xc0, 0xaf])],
    ['a surrogate', Buffer.from([0xed, 0xa0, 0x80])],
    ['a code point cut off', Buffer.from([0x22, 0xe2, 0x82])],
  ])('%s', async (_, payload) => {
    await using served = serve()
    const neighbour = await connectWorker(served.port)
    const worker = await connectWorker(served.port)
    worker.send(opcodes.text, payload)
    await worker.over
    await settled(neighbour)
    expect([...served.engine.state.connections.keys()]).toEqual([neighbour.workerId])
  })
})

describe('a message in fragments', () => {
  test('is one message, also when it is cut inside of a code point', async () => {
    await using served = serve()
    const callee = await connectWorker(served.port, 'callee', ['echo'])
    echo(callee)
    const caller = await connectWorker(served.port)
    await settled(caller)
    const data = '"é€😀 \\u00e9"'
    const payload = Buffer.from(callText(data).replace('nobody', 'echo'))
    for (let size = 1; size < 8; size++) {
      for (const fragment of fragments(payload, size)) caller.send(...fragment)
      expect(await caller.nextMessage()).toMatchObject({ invocation_id: CALL_ID, result: JSON.parse(data) })
    }
    expect(served.engine.state.counters.problems).toBe(0)
  })

  test('may have a ping in its middle', async () => {
    await using served = serve()
    const worker = await connectWorker(served.port)
    worker.send(opcodes.text, '{"type":', false)
    worker.send(opcodes.ping, 'now')
    worker.send(opcodes.continuation, '"ping"}')
    expect(await worker.frames.next()).toMatchObject({ opcode: opcodes.pong })
    expect(await worker.nextMessage()).toEqual({ type: 'pong' })
  })

  test('is checked as a whole: broken UTF-8 across two of them ends the connection', async () => {
    await using served = serve()
    const worker = await connectWorker(served.port)
    worker.send(opcodes.text, Buffer.from([0x22, 0xe2, 0x82]), false)
    worker.send(opcodes.continuation, Buffer.from([0x41, 0x22]))
    await worker.over
  })

  test('that never ends keeps no neighbour waiting', async () => {
    await using served = serve()
    const neighbour = await connectWorker(served.port)
    const worker = await connectWorker(served.port)
    worker.send(opcodes.text, 'x'.repeat(1_000_000), false)
    await settled(neighbour)
    expect(served.engine.state.connections.size).toBe(2)
  })
})

describe('the largest message', () => {
  test.each([
    ['in one frame', limits.messageBytes],
    ['in fragments of 1 MiB', 1024 * 1024],
  ])(
    'of exactly 64 MiB %s is accepted',
    async (_, size) => {
      await using served = serve()
      const worker = await connectWorker(served.port)
      for (const fragment of fragments(callOfSize(limits.messageBytes), size)) worker.send(...fragment)
      expect(await worker.nextMessage()).toMatchObject({
        invocation_id: CALL_ID,
        error: { code: 'function_not_found' },
      })
    },
    20_000,
  )

  test.each([
    ['in one frame', limits.messageBytes + 1],
    ['in fragments of 1 MiB', 1024 * 1024],
  ])(
    'of one byte more %s ends the connection, and the neighbour lives',
    async (_, size) => {
      await using served = serve()
      const neighbour = await connectWorker(served.port)
      const worker = await connectWorker(served.port)
      const payload = callOfSize(limits.messageBytes + 1)
      if (size > payload.length - 1) {
        // The header alone says how much will come.
        worker.tcp.write(clientFrame(opcodes.text, payload).subarray(0, 1000))
      } else {
        for (const fragment of fragments(payload, size)) worker.send(...fragment)
      }
      await worker.over
      await settled(neighbour)
      expect(served.engine.state.counters.calls).toBe(0)
    },
    20_000,
  )

  test('crosses the engine: 60 MiB there and back, byte for byte, past a neighbour who is served meanwhile', async () => {
    await using served = serve()
    const callee = await connectWorker(served.port, 'callee', ['length'])
    callee.listen(({ payload }) => {
      const { type, invocation_id, function_id, data } = JSON.parse(payload.toString())
      if (type !== 'invokefunction') return
      const result = { text: data.text, big: 1 }
      callee.text({ type: 'invocationresult', invocation_id, function_id, result })
    })
    const neighbour = await connectWorker(served.port)
    const caller = await connectWorker(served.port)
    await settled(caller)
    const text = 'aé€'.repeat(10 * 1024 * 1024)
    const answer = callOver(caller, 'length', { text })
    await settled(neighbour)
    const { result } = (await answer) as { result: { text: string } }
    expect(result.text === text).toBe(true)
  }, 30_000)
})

test('payloads cross the engine byte for byte', async () => {
  await using served = serve()
  const callee = await connectWorker(served.port, 'callee', ['exact'])
  const caller = await connectWorker(served.port)
  await settled(caller)
  await settled(callee)
  const payloads = [
    '9007199254740993',
    '1.0',
    '-0.10E+2',
    '{"z":1, "a":2 ,"10":3}',
    '"\\u00fc\\/\\ud83d\\ude00 \u2028"',
    '[{ }]',
    'null',
  ]
  for (const payload of payloads) {
    caller.text(callText(payload).replace('nobody', 'exact'))
    const call = (await callee.frames.next()).payload.toString()
    const inner = payload.startsWith('{')
      ? `${payload.slice(0, -1)},"_caller_worker_id":"${caller.workerId}"}`
      : payload
    expect(call).toBe(
      `{"type":"invokefunction","invocation_id":"${CALL_ID}","function_id":"exact","data":${inner}}`,
    )
    callee.text(
      `{"result": ${payload} ,"invocation_id":"${CALL_ID}","function_id":"exact","type":"invocationresult"}`,
    )
    const answer = (await caller.frames.next()).payload.toString()
    const result = payload === 'null' ? '' : `,"result":${payload}`
    expect(answer).toBe(
      `{"type":"invocationresult","invocation_id":"${CALL_ID}","function_id":"exact"${result}}`,
    )
  }
})
