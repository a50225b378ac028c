import { describe, expect, test } from 'bun:test'
import { opcodes, openRaw, type RawFrame, type RawWebSocket } from '../support/rawWebSocket.ts'
import { until } from '../support/waiting.ts'
import { answerPing, connectWorker, serve, settled } from './support.ts'

/** Every frame until the connection is over. */
async function untilOver(socket: RawWebSocket): Promise<RawFrame[]> {
  await socket.over
  return socket.frames.takeAll()
}

function closePayload(code: number, reason = ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  return payload
}

describe('a close of the worker', () => {
  test.each([1000, 1001, 1011, 3000, 4999])(
    'with %d is answered with a close, and the worker is gone',
    async code => {
      await using served = serve()
      const worker = await connectWorker(served.port)
      worker.send(opcodes.close, closePayload(code, 'bye'))
      const frames = await untilOver(worker)
      expect(frames.map(({ opcode }) => opcode)).toEqual([opcodes.close])
      expect(frames[0]!.payload.readUInt16BE()).toBe(code)
      await until('nobody', () => served.engine.state.connections.size === 0)
    },
  )

  test('without a code is answered without one', async () => {
    await using served = serve()
    const worker = await connectWorker(served.port)
    worker.send(opcodes.close, '')
    const frames = await untilOver(worker)
    expect(frames.map(({ opcode }) => opcode)).toEqual([opcodes.close])
    await until('nobody', () => served.engine.state.connections.size === 0)
  })

  test('comes after its last message, which still counts', async () => {
    await using served = serve()
    const callee = await connectWorker(served.port, 'callee', ['f'])
    await settled(callee)
    const caller = await connectWorker(served.port)
    caller.text({ type: 'invokefunction', function_id: 'f', data: { last: 1 }, action: { type: 'void' } })
    caller.send(opcodes.close, closePayload(1000))
    expect(await callee.nextMessage()).toMatchObject({ type: 'invokefunction', data: { last: 1 } })
  })

  test.each(['end', 'reset'] as const)('that is a TCP %s counts as well', async how => {
    await using served = serve()
    const worker = await connectWorker(served.port)
    if (how === 'end') worker.tcp.end()
    else worker.tcp.resetAndDestroy()
    await until('nobody', () => served.engine.state.connections.size === 0)
  })
})

describe('a close of the engine has no code', () => {
  test('when a worker name is taken: the refusal, then an empty Close', async () => {
    await using served = serve()
    const first = await connectWorker(served.port, 'orders')
    await settled(first)
    const second = await connectWorker(served.port, 'orders')
    await answerPing(first)
    const frames = await untilOver(second)
    expect(frames.map(({ opcode }) => opcode)).toEqual([opcodes.text, opcodes.close])
    expect(JSON.parse(frames[0]!.payload.toString())).toEqual({
      type: 'registrationrejected',
      code: 'WORKER_NAMESPACE_CONFLICT',
      namespace: 'default',
      worker_name: 'orders',
      owner_worker_id: first.workerId,
    })
    expect(frames[1]!.payload).toHaveLength(0)
    await settled(first)
  })

  test('when it stops: workers see none at all, telemetry sockets an empty one', async () => {
    const served = serve()
    const worker = await connectWorker(served.port)
    const otel = await openRaw(served.port, '/otel')
    await served.listener.stop()
    served.engine.stop()
    expect(await untilOver(worker)).toEqual([])
    const frames = await untilOver(otel)
    expect(frames.map(({ opcode, payload }) => [opcode, payload.length])).toEqual([[opcodes.close, 0]])
  })

  test('when a worker comes back before its old connection is known to be lost: that one is dropped', async () => {
    await using served = serve()
    const old = await openRaw(served.port)
    const { worker_id, reattach_token } = await old.nextMessage()
    const next = await connectWorker(served.port)
    next.text({ type: 'reattach', previous_worker_id: worker_id, reattach_token })
    expect(await untilOver(old)).toEqual([])
    await settled(next)
    expect([...served.engine.state.connections.keys()]).toEqual([next.workerId])
  })
})

describe('what breaks the rules of WebSocket', () => {
  test.each([
    ['a reserved opcode', Buffer.from([0x83, 0x80, 0, 0, 0, 0])],
    ['a compressed frame nobody agreed on', Buffer.from([0xc1, 0x80, 0, 0, 0, 0])],
    ['a continuation of nothing', Buffer.from([0x80, 0x80, 0, 0, 0, 0])],
    ['a ping in fragments', Buffer.from([0x09, 0x80, 0, 0, 0, 0])],
    ['a long ping', Buffer.concat([Buffer.from([0x89, 0xfe, 0, 126, 0, 0, 0, 0]), Buffer.alloc(126)])],
    [
      'a length nobody has',
      Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
    ],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ])('ends that connection and no other: %s', async (_, bytes) => {
    await using served = serve()
    const neighbour = await connectWorker(served.port)
    const worker = await connectWorker(served.port)
    worker.tcp.write(bytes)
    await worker.over
    await settled(neighbour)
    await until('one', () => served.engine.state.connections.size === 1)
  })
})
