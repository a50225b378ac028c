/** Holding back across threads: the worker that feeds is on one thread, what does not drain on another. */
import { describe, expect, test } from 'bun:test'
import { type CallAction, type InvokeFrame, newCall } from '../../src/protocol/frames.ts'
import { toJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { createOutBuffer } from '../../src/protocol/msgpack/outBuffer.ts'
import { createFrameReader, openMessage } from '../../src/protocol/msgpack/reader.ts'
import { writeArrayHead, writeInteger, writeText } from '../../src/protocol/msgpack/writeValue.ts'
import { createRecordingLink, createRecordingLog, createVirtualClock } from '../support/fakes.ts'
import { until } from '../support/waiting.ts'
import { createThreads, type TestWorker, type Threads } from './threads.ts'

const HIGH = limits.outboundHighWaterBytes

function call(functionId: string, action: CallAction = 'void', data: unknown = {}): InvokeFrame {
  const invocationId = action === 'void' ? undefined : crypto.randomUUID()
  return { ...newCall(functionId, toJsonText(data), invocationId), action }
}

interface Scene {
  readonly threads: Threads
  readonly feeder: TestWorker
  readonly neighbour: TestWorker
  readonly slow: TestWorker
}

/** A feeder and its neighbour on one shard, a worker that does not read on another. */
async function scene(threads: Threads, functions: readonly string[] = ['slow::f']): Promise<Scene> {
  const [feeder, neighbour] = [await threads.worker(0, []), await threads.worker(0, [])]
  const slow = await threads.worker(1, functions)
  slow.link.unreadBytes = HIGH
  return { threads, feeder, neighbour, slow }
}

const isHeld = (worker: TestWorker): Promise<unknown> => until('it is held back', () => worker.link.isPaused)
const goesOn = (worker: TestWorker): Promise<unknown> => until('it goes on', () => !worker.link.isPaused)

describe('a worker that does not read holds back who feeds it from another thread', () => {
  test('and nobody else there, until it has read', async () => {
    using threads = createThreads(2)
    const { feeder, neighbour, slow } = await scene(threads)
    feeder.receiver.receive(call('slow::f'))
    await isHeld(feeder)
    expect(neighbour.link.isPaused).toBe(false)
    slow.link.unreadBytes = 0
    slow.receiver.drained()
    await goesOn(feeder)
  })

  test('and it goes on when the slow one leaves', async () => {
    using threads = createThreads(2)
    const { feeder, slow } = await scene(threads)
    feeder.receiver.receive(call('slow::f'))
    await isHeld(feeder)
    slow.receiver.ended()
    await goesOn(feeder)
  })

  test('asked twice, for two workers: it goes on when both have read', async () => {
    using threads = createThreads(2)
    const { feeder, slow } = await scene(threads)
    const other = await threads.worker(1, ['other::f'])
    other.link.unreadBytes = HIGH
    feeder.receiver.receive(call('slow::f'))
    feeder.receiver.receive(call('other::f'))
    await until('both have it', () => slow.link.take().length + other.link.take().length > 0)
    await isHeld(feeder)
    slow.receiver.drained()
    // What follows over the same ring has come behind whatever was said about the feeder.
    const prompt = await threads.worker(1, ['prompt::f'])
    const { neighbour } = { neighbour: await threads.worker(0, ['back::f']) }
    prompt.receiver.receive(call('back::f'))
    await until('the round trip', () => neighbour.link.take().length > 0)
    expect(feeder.link.isPaused).toBe(true)
    other.receiver.drained()
    await goesOn(feeder)
  })

  test('and it goes on after a second, on both sides by themselves, and is held back again', async () => {
    const clock = createVirtualClock()
    using threads = createThreads(2, { clock })
    const { feeder } = await scene(threads)
    feeder.receiver.receive(call('slow::f'))
    await isHeld(feeder)
    clock.advance(limits.stallMs)
    expect(feeder.link.isPaused).toBe(false)
    feeder.receiver.receive(call('slow::f'))
    await isHeld(feeder)
  })

  test('and it goes on when that thread is gone', async () => {
    const clock = createVirtualClock()
    using threads = createThreads(2, { clock })
    const { feeder } = await scene(threads)
    feeder.receiver.receive(call('slow::f'))
    await isHeld(feeder)
    threads.shards[0]!.disconnectTrunk(2)
    expect(feeder.link.isPaused).toBe(false)
  })

  test('which may be gone by then', async () => {
    const clock = createVirtualClock()
    using threads = createThreads(2, { clock })
    const { feeder, slow } = await scene(threads)
    feeder.receiver.receive(call('slow::f'))
    await isHeld(feeder)
    feeder.receiver.ended()
    slow.receiver.drained()
    const { trunks } = threads.shards[0]!.state
    await until('nobody is remembered', () => trunks.get(2)!.holds.size === 0)
  })
})

test('frames of that kind from a worker are messages that cannot be read, and hold nobody', async () => {
  using threads = createThreads(1)
  const [worker, other] = [await threads.worker(0, []), await threads.worker(0, [])]
  for (const kind of [42, 43]) {
    const out = createOutBuffer()
    writeArrayHead(out, 2)
    writeInteger(out, kind)
    writeText(out, other.id)
    const reader = createFrameReader()
    openMessage(reader, out.bytes, 0, out.length)
    worker.receiver.receiveBatch!(reader)
  }
  const { connections } = threads.shards[0]!.state
  expect(connections.get(worker.id)!.counters.problems).toEqual({ unknown_type: 2 })
  expect(other.link.isPaused).toBe(false)
})

test('a void call that is lost behind a ring is logged with the worker that made it', async () => {
  const log = createRecordingLog()
  using threads = createThreads(2, { log })
  const { feeder, slow } = await scene(threads)
  slow.link.unreadBytes = limits.overloadedBytes
  feeder.receiver.receive(call('slow::f'))
  const said = 'a call that wants no answer was dropped'
  const line = await until('it is said', () => log.lines.find(({ message }) => message === said))
  expect(line.fields).toMatchObject({ worker_id: feeder.id, over: 'thread 1', reason: 'worker_overloaded' })
})

describe('a thread that does not read its ring holds back who answers its workers', () => {
  const ANSWERS = 8

  async function answering(threads: Threads): Promise<TestWorker> {
    const { feeder, slow } = await scene(threads)
    slow.link.unreadBytes = 0
    for (let count = 0; count < ANSWERS; count++) feeder.receiver.receive(call('slow::f', 'plain'))
    const calls: InvokeFrame[] = []
    await until('all calls', () => {
      for (const frame of slow.link.take()) if (frame.type === 'invokefunction') calls.push(frame)
      return calls.length === ANSWERS
    })
    threads.links.get(1)!.get(2)!.pause()
    const result = toJsonText('x'.repeat(HIGH / 4))
    for (const { invocationId, functionId } of calls) {
      const headers = { error: undefined, traceparent: undefined, baggage: undefined }
      slow.receiver.receive({
        type: 'invocationresult',
        invocationId: invocationId!,
        functionId,
        result,
        ...headers,
      })
    }
    return slow
  }

  test('until it reads', async () => {
    using threads = createThreads(2)
    const slow = await answering(threads)
    expect(slow.link.isPaused).toBe(true)
    threads.links.get(1)!.get(2)!.resume()
    await goesOn(slow)
  })

  test('for longer than a second, because it reads whatever its workers do, but not when it is gone', async () => {
    const clock = createVirtualClock()
    using threads = createThreads(2, { clock })
    const slow = await answering(threads)
    clock.advance(3 * limits.stallMs)
    expect(slow.link.isPaused).toBe(true)
    threads.shards[1]!.disconnectTrunk(1)
    expect(slow.link.isPaused).toBe(false)
  })
})

describe('a built-in of the main thread, which answers whatever becomes of its answers,', () => {
  /** Its calls wait until the test answers them. */
  async function scene(threads: Threads): Promise<{
    feeder: TestWorker
    calls: InvokeFrame[]
    come(count: number): Promise<unknown>
    answer(call: InvokeFrame, result: string): void
  }> {
    const link = createRecordingLink()
    const { receiver } = threads.main.connect(link, { builtIn: true, ipAddress: undefined })
    const described = { description: undefined, requestFormat: undefined, responseFormat: undefined }
    const definition = { id: 'built::f', metadata: undefined, invocation: undefined, ...described }
    receiver.receive({ type: 'registerfunction', ...definition })
    const feeder = await threads.worker(0, [])
    const connection = threads.shards[0]!.state.connections.get(feeder.id)!
    await until('its announce is answered', () => connection.unanswered === 0)
    const calls: InvokeFrame[] = []
    return {
      feeder,
      calls,
      come: count =>
        until(`${count} calls`, () => {
          for (const frame of link.take()) if (frame.type === 'invokefunction') calls.push(frame)
          return calls.length === count
        }),
      answer({ invocationId, functionId }, result) {
        const headers = { error: undefined, traceparent: undefined, baggage: undefined }
        const type = 'invocationresult'
        const id = { invocationId: invocationId!, functionId }
        receiver.receive({ type, ...id, result: toJsonText(result), ...headers })
      },
    }
  }

  test('has only so many calls of a shard at once: who makes more is held back until it has answered most', async () => {
    const clock = createVirtualClock()
    using threads = createThreads(1, { clock, limits: { ...limits, callsToBuiltIns: 8 } })
    const { feeder, calls, come, answer } = await scene(threads)
    for (let count = 0; count < 7; count++) feeder.receiver.receive(call('built::f', 'plain'))
    expect(feeder.link.isPaused).toBe(false)
    feeder.receiver.receive(call('built::f', 'plain'))
    expect(feeder.link.isPaused).toBe(true)
    await come(8)
    for (const asked of calls.splice(0, 4)) answer(asked, 'x')
    await goesOn(feeder)
    expect(threads.shards[0]!.callsInFlight()).toBe(4)
  })

  test('may need its caller for the answer: after a second that one goes on', async () => {
    const clock = createVirtualClock()
    using threads = createThreads(1, { clock, limits: { ...limits, callsToBuiltIns: 1 } })
    const { feeder } = await scene(threads)
    feeder.receiver.receive(call('built::f', 'plain'))
    expect(feeder.link.isPaused).toBe(true)
    clock.advance(limits.stallMs)
    expect(feeder.link.isPaused).toBe(false)
  })

  test('keeps no more for a thread that takes nothing than a connection may have; what is beyond is an error', async () => {
    using threads = createThreads(1, { limits: { ...limits, outboundBytes: 3 * HIGH } })
    const { feeder, calls, come, answer } = await scene(threads)
    for (let count = 0; count < 8; count++) feeder.receiver.receive(call('built::f', 'plain'))
    await come(8)
    const { link } = threads.main.state.trunks.get(1)!
    threads.links.get(1)!.get(0)!.pause()
    for (const asked of calls) answer(asked, 'x'.repeat(HIGH))
    expect(link.backlog()).toBeWithin(3 * HIGH, 5 * HIGH)
    threads.links.get(1)!.get(0)!.resume()
    const answers: unknown[] = []
    await until('eight answers', () => {
      for (const frame of feeder.link.take()) {
        if (frame.type === 'invocationresult') answers.push(frame.error && JSON.parse(frame.error).code)
      }
      return answers.length === 8
    })
    expect(answers.slice(0, 3)).toEqual([undefined, undefined, undefined])
    expect(answers.slice(-3)).toEqual(['worker_overloaded', 'worker_overloaded', 'worker_overloaded'])
  })
})
