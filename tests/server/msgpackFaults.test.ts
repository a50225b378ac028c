/** What a msgpack connection may do wrong: it is closed with code and reason and counted, its neighbours go on. */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../src/protocol/limits.ts'
import { ownHello, writeHello } from '../../src/protocol/msgpack/hello.ts'
import { SUBPROTOCOL } from '../../src/protocol/msgpack/layout.ts'
import {
  callFrame,
  connectMsgpack,
  frameBytes,
  type MsgpackSocket,
  openMsgpack,
  resultFrame,
  written,
} from '../support/msgpackWorker.ts'
import { createRandom } from '../support/random.ts'
import { opcodes, openRaw } from '../support/rawWebSocket.ts'
import { until } from '../support/waiting.ts'
import { callOver, connectWorker, echo, type Served, serve } from './support.ts'

const helloBytes = written(out => writeHello(out, ownHello('test', [])))

/** Two JSON workers and a msgpack one that must not notice anything. */
async function openNeighbours(served: Served) {
  const echoer = await connectWorker(served.port, 'echo', ['echo'])
  echo(echoer)
  const caller = await connectWorker(served.port, 'json-neighbour')
  const other = await connectMsgpack(served.port, 'msgpack-neighbour')
  let calls = 0
  return {
    async areWell() {
      expect((await callOver(caller, 'echo', 'json')).result).toBe('json')
      const id = 70_000 + ++calls
      other.says(callFrame('echo', '"msgpack"', id))
      expect(await other.hears('invocationresult')).toMatchObject({ invocationId: id, result: '"msgpack"' })
    },
  }
}

const call = frameBytes(callFrame('echo', '{"n":1}', 65_536))

async function greeted(served: Served): Promise<MsgpackSocket> {
  const socket = await openMsgpack(served.port)
  socket.bytes(helloBytes)
  await socket.hears('workerregistered')
  return socket
}

describe('the sub-protocol', () => {
  test.each([[SUBPROTOCOL], [`graphql-ws, ${SUBPROTOCOL}`], [`${SUBPROTOCOL},other`]])(
    'is selected when %j is offered',
    async offered => {
      await using served = serve()
      const socket = await openMsgpack(served.port, offered)
      expect(socket.head.headers.get('sec-websocket-protocol')).toBe(SUBPROTOCOL)
      expect((await socket.hello).versions).toEqual([1])
      socket.destroy()
    },
  )

  test.each([['iii.msgpack.v2'], ['iii.msgpack.v10'], ['x, y']])(
    'is not selected when %j is offered: JSON is spoken',
    async offered => {
      await using served = serve()
      const socket = await openRaw(served.port, '/', { 'Sec-WebSocket-Protocol': offered })
      expect(socket.head.headers.get('sec-websocket-protocol') ?? '').toBe('')
      expect((await socket.nextMessage()).type).toBe('workerregistered')
      socket.destroy()
    },
  )

  test('is not for telemetry connections', async () => {
    await using served = serve()
    const socket = await openRaw(served.port, '/otel', { 'Sec-WebSocket-Protocol': SUBPROTOCOL })
    expect(socket.head.headers.get('sec-websocket-protocol') ?? '').toBe('')
    socket.destroy()
  })
})

describe('the hello', () => {
  test('of the engine says what it can do and takes, before the worker has said anything', async () => {
    await using served = serve()
    const socket = await openMsgpack(served.port)
    expect(await socket.hello).toMatchObject({
      versions: [1],
      capabilities: ['cancel', 'caller', 'deadline', 'credit'],
      limits: { messageBytes: limits.messageBytes, framesPerMessage: 65_536, callsInFlight: 65_536 },
    })
    expect(served.engine.state.connections.size).toBe(0)
    socket.destroy()
  })

  test('and the first frames of the worker may come in one message', async () => {
    await using served = serve()
    const socket = await openMsgpack(served.port)
    socket.bytes(Buffer.concat([helloBytes, frameBytes({ type: 'ping' })]))
    await socket.hears('workerregistered')
    await socket.hears('pong')
    socket.destroy()
  })

  test('that does not come in time ends the connection', async () => {
    await using served = serve({ limits: { helloMs: 20 } })
    const socket = await openMsgpack(served.port)
    expect(await socket.closing).toBe('1002 hello_expected: no hello came within 20 ms')
    expect(served.engine.state.connections.size).toBe(0)
    expect(served.engine.state.counters.faults).toBe(1)
  })

  test.each([
    ['another frame', frameBytes({ type: 'ping' }), '1002 hello_expected: the first frame must be hello'],
    ['no map', [0x92, 0, 1], '1002 invalid_hello: hello must hold a map'],
    ['no versions', [0x92, 0, 0x80], '1002 invalid_hello: versions must be a list of integers'],
    [
      'another version',
      written(out => writeHello(out, { ...ownHello('', []), versions: [2, 3] })),
      '1002 no_common_version: versions here: 1',
    ],
    [
      'too small messages',
      written(out => {
        const own = ownHello('', [])
        writeHello(out, { ...own, limits: { ...own.limits, messageBytes: 1000 } })
      }),
      '1002 invalid_hello: limits.message_bytes must be at least 131072',
    ],
  ])('with %s ends the connection', async (_, bytes, closing) => {
    await using served = serve()
    const socket = await openMsgpack(served.port)
    socket.bytes(bytes)
    expect(await socket.closing).toBe(closing)
    expect(served.engine.state.counters.faults).toBe(1)
    await until('nobody', () => served.engine.state.connections.size === 0)
  })
})

describe('a message that is broken', () => {
  const ext = (type: number): number[] => [0x95, 1, 0xce, 0, 1, 0, 0, 0xa1, 0x66, 0xc0, 0xc7, 1, type, 0x30]

  test.each<[string, readonly number[] | Uint8Array, string]>([
    ['telemetry', Buffer.from('OTLP{}'), '1002 not_a_frame'],
    ['JSON in a binary message', Buffer.from('{"type":"ping"}'), '1002 not_a_frame'],
    ['an unknown ext in a payload', ext(9), '1002 unknown_codec'],
    ['the ext of what is checked already', ext(4), '1002 unknown_codec'],
    ['an array that is longer than it says', [0xdd, 0xff, 0xff, 0xff, 0xff, 1], '1002 truncated'],
    ['a map that is longer than it says', [0x92, 0, 0xdf, 0x7f, 0xff, 0xff, 0xff], '1002 truncated'],
    [
      'a payload that is longer than it says',
      [0x95, 1, 0xce, 0, 1, 0, 0, 0xa1, 0x66, 0xc0, 0xc9, 0xff, 0xff, 0xff, 0xff, 1, 0x30],
      '1002 truncated',
    ],
    ['a text that is longer than it says', [0x93, 17, 0xdb, 0x80, 0, 0, 0, 0x66], '1002 truncated'],
    ['a byte nothing begins with', [0xc1], '1002 invalid_byte'],
    ['a million tiny frames', new Uint8Array(2_000_000).map((_, at) => (at % 2 ? 6 : 0x91)), '1008 too_many'],
  ])('by %s ends its connection, after the frames before it were handled', async (_, bytes, closing) => {
    await using served = serve()
    const neighbours = await openNeighbours(served)
    const socket = await greeted(served)
    const workerId = [...served.engine.state.connections.keys()].at(-1)!
    socket.bytes(Buffer.concat([call, Uint8Array.from(bytes)]))
    expect(await socket.closing).toStartWith(closing)
    await until('its end', () => !served.engine.state.connections.has(workerId))
    expect(served.engine.state.counters).toMatchObject({ faults: 1, calls: 1 })
    expect(served.log.lines.filter(({ level }) => level === 'warn').at(-1)).toMatchObject({
      fields: { worker_id: workerId, count: 1 },
    })
    await neighbours.areWell()
  })

  test('by a mixture of framings: text', async () => {
    await using served = serve()
    const neighbours = await openNeighbours(served)
    const socket = await greeted(served)
    socket.text({ type: 'ping' })
    expect(await socket.closing).toBe('1003 text_message: this connection speaks msgpack, in binary messages')
    await neighbours.areWell()
  })

  test('by a mixture of framings: msgpack where JSON is spoken is a message that is dropped', async () => {
    await using served = serve()
    const neighbours = await openNeighbours(served)
    const socket = await connectWorker(served.port, 'confused')
    socket.send(opcodes.binary, call)
    await until('a problem', () => served.engine.state.counters.problems === 1)
    expect((await callOver(socket, 'echo', 1)).result).toBe(1)
    await neighbours.areWell()
  })

  test('by its size ends its connection', async () => {
    await using served = serve({ limits: { messageBytes: 200_000 } })
    const neighbours = await openNeighbours(served)
    const socket = await greeted(served)
    socket.bytes(frameBytes(callFrame('echo', `"${'x'.repeat(200_000)}"`, 65_536)))
    await socket.over
    await neighbours.areWell()
  })

  test('at any byte, by its end or by a wrong bit, harms nobody else', async () => {
    await using served = serve()
    const neighbours = await openNeighbours(served)
    const random = createRandom()
    const message = Buffer.concat([
      frameBytes(callFrame('echo', '{"a":[1,2]}', 65_536, { namespace: 'default', timeoutMs: 5000 })),
      frameBytes(resultFrame(1 << 20, 'null')),
      frameBytes({ type: 'unregistertrigger', id: 't', triggerType: 'http' }),
    ])
    const ends: Promise<string>[] = []
    for (let at = 1; at < message.length; at++) {
      const cut = await greeted(served)
      cut.bytes(message.subarray(0, at))
      cut.says({ type: 'ping' })
      // Between two frames nothing is wrong.
      ends.push(Promise.race([cut.closing, cut.hears('pong').then(() => 'well')]))
      const bent = await greeted(served)
      const bytes = Uint8Array.from(message)
      bytes[at]! ^= 1 << random.between(0, 8)
      bent.bytes(bytes)
      bent.says({ type: 'ping' })
      ends.push(Promise.race([bent.closing, bent.hears('pong').then(() => 'well')]))
    }
    const outcomes = await Promise.all(ends.map(end => end.catch(() => 'closed')))
    const seed = `III_TEST_SEED=${random.seed}`
    for (const outcome of outcomes) expect(outcome, seed).toMatch(/^(well|closed|1002 [a-z_]+: )/)
    expect(outcomes.filter(outcome => outcome.startsWith('1002 truncated')).length).toBeGreaterThan(50)
    await neighbours.areWell()
    expect(served.log.lines.filter(({ level }) => level === 'error')).toEqual([])
  }, 30_000)
})

describe('a frame that does not fit', () => {
  test('is dropped and counted, the connection stays', async () => {
    await using served = serve()
    const socket = await greeted(served)
    const [workerId] = served.engine.state.connections.keys()
    // A kind nobody knows, a call whose name is no text, and one whose extras are no map.
    socket.bytes([0x92, 99, 1, 0x95, 1, 0xcd, 1, 0, 7, 0xc0, 0xc0, 0x95, 1, 0xcd, 1, 1, 0xa1, 0x66, 3, 0xc0])
    for (const invocationId of [256, 257]) {
      const answer = await socket.hears('invocationresult')
      expect(answer).toMatchObject({ invocationId })
      expect(JSON.parse(answer.error!)).toMatchObject({ code: 'deserialization_error' })
    }
    expect(served.engine.state.counters).toMatchObject({ problems: 3, faults: 0 })
    expect(served.engine.state.connections.get(workerId!)!.counters.problems).toEqual({
      unknown_type: 1,
      wrong_type: 2,
    })
    socket.destroy()
  })
})
