/** One payload for many functions crosses to each thread once (`src/engine/fanOut.ts`). */
import { describe, expect, test } from 'bun:test'
import { createClient } from '../../sdk/typescript/src/client.ts'
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import { systemClock } from '../../src/clock/clock.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { createLocalLink } from '../../src/engine/links/local.ts'
import { MAIN } from '../../src/engine/registry.ts'
import type { Frame, InvokeFrame, Target } from '../../src/protocol/frames.ts'
import { toJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { readFanOut, writeFanOut } from '../../src/protocol/msgpack/fanOut.ts'
import { CODEC_CHECKED } from '../../src/protocol/msgpack/layout.ts'
import { createOutBuffer } from '../../src/protocol/msgpack/outBuffer.ts'
import { createFrameReader, nextFrame, openMessage } from '../../src/protocol/msgpack/reader.ts'
import { createLocalTransport } from '../../src/threads/localTransport.ts'
import { until } from '../support/waiting.ts'
import { createThreads, type TestWorker } from './threads.ts'

async function builtInOn(engine: Engine): Promise<BuiltInClient> {
  const [engineSide, workerSide] = createLocalLink()
  engineSide.listen(engine.connect(engineSide, { builtIn: true, ipAddress: undefined }).receiver)
  const client = createClient({
    transport: createLocalTransport(workerSide),
    clock: systemClock,
    newId: () => crypto.randomUUID(),
  })
  await client.ready()
  return client
}

const target = (functionId: string, more: Partial<Target> = {}): Target => ({
  functionId,
  namespace: undefined,
  metadata: undefined,
  ...more,
})

const NO_CONTEXT = { traceparent: undefined, baggage: undefined }

/** Ids of the functions a worker was called with so far, in order, and what was said. */
function follow({ link }: TestWorker): () => InvokeFrame[] {
  const calls: InvokeFrame[] = []
  const isCall = (frame: Frame): frame is InvokeFrame => frame.type === 'invokefunction'
  return () => {
    calls.push(...link.take().filter(isCall))
    return calls
  }
}

const idsUpTo = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${name}::${index}`)

describe('a payload for many functions', () => {
  test('crosses to each shard as one frame in one record, and reaches each function once and in order', async () => {
    using threads = createThreads(2)
    const ids = [idsUpTo('a', 100), idsUpTo('b', 100)] as const
    const workers = [await threads.worker(0, ids[0]), await threads.worker(1, ids[1])]
    const [first, second] = [follow(workers[0]!), follow(workers[1]!)]
    const client = await builtInOn(threads.main)
    const before = [1, 2].map(place => ({ ...threads.arrived(place, MAIN) }))
    const mixed = ids[0].flatMap((id, index) => [target(id), target(ids[1][index]!)])
    expect(client.tellAll(mixed, toJsonText({ n: 1 }))).toBe(true)
    await until('all are told', () => first().length === 100 && second().length === 100)
    expect(first().map(({ functionId }) => functionId)).toEqual(ids[0])
    expect(second().map(({ functionId }) => functionId)).toEqual(ids[1])
    expect(new Set(first().map(({ data }) => data as string))).toEqual(new Set(['{"n":1}']))
    for (const [index, { records, frames }] of before.entries()) {
      expect(threads.arrived(index + 1, MAIN)).toEqual({ records: records + 1, frames: frames + 1 })
    }
  })

  test('keeps its place among the other calls of its sender', async () => {
    using threads = createThreads(1)
    const told = follow(await threads.worker(0, ['a::f', 'a::g']))
    const client = await builtInOn(threads.main)
    for (let n = 0; n < 20; n++) {
      void client.trigger({ function_id: 'a::f', payload: { n: 2 * n }, action: { type: 'void' } })
      client.tellAll([target('a::g'), target('a::f')], toJsonText({ n: 2 * n + 1 }))
    }
    await until('all are told', () => told().length === 60)
    const order = told().map(({ functionId, data }) => [functionId, JSON.parse(data as string).n])
    expect(order).toEqual(
      Array.from({ length: 20 }, (_, n) => [
        ['a::f', 2 * n],
        ['a::g', 2 * n + 1],
        ['a::f', 2 * n + 1],
      ]).flat(),
    )
  })

  test('carries the metadata of each target, and finds it in its namespace', async () => {
    using threads = createThreads(1)
    const told = follow(await threads.worker(0, ['a::f', 'a::g']))
    const client = await builtInOn(threads.main)
    const metadata = toJsonText({ text: 'größer' })
    client.tellAll([target('a::f', { metadata }), target('a::g', { namespace: 'default' })], toJsonText([]))
    await until('both are told', () => told().length === 2)
    expect(told().map(frame => frame.metadata as string | undefined)).toEqual([metadata, undefined])
  })

  test('counts what cannot be called, and calls made once, over all threads', async () => {
    using threads = createThreads(2)
    const told = follow(await threads.worker(0, ['a::f']))
    const client = await builtInOn(threads.main)
    const sum = (name: 'voidCalls' | 'lostVoids'): number =>
      [threads.main, ...threads.shards].reduce((total, { state }) => total + state.counters[name], 0)
    const [calls, lost] = [sum('voidCalls'), sum('lostVoids')]
    client.tellAll(
      [target('no::such'), target('a::f'), target('a::f', { namespace: 'none' })],
      toJsonText(null),
    )
    await until('it is told', () => told().length === 1)
    expect([sum('voidCalls') - calls, sum('lostVoids') - lost]).toEqual([1, 2])
  })

  test('that is told from a shard reaches workers of that shard, and of others through the rings', async () => {
    using threads = createThreads(2)
    const [here, there] = [await threads.worker(0, ['a::f']), await threads.worker(1, ['b::f'])].map(follow)
    const client = await builtInOn(threads.shards[0]!)
    client.tellAll([target('a::f'), target('b::f')], toJsonText(1))
    await until('both are told', () => here!().length === 1 && there!().length === 1)
    expect(threads.arrived(2, 1)).toEqual({ records: 1, frames: 1 })
  })

  test('goes in several frames when the names and metadata of its targets are long', async () => {
    using threads = createThreads(1)
    const told = follow(await threads.worker(0, ['a::f']))
    const client = await builtInOn(threads.main)
    const metadata = toJsonText('x'.repeat(limits.fanOutBytes / 4))
    const { frames } = threads.arrived(1, MAIN)
    client.tellAll(
      Array.from({ length: 8 }, () => target('a::f', { metadata })),
      toJsonText(1),
    )
    await until('all are told', () => told().length === 8)
    expect(threads.arrived(1, MAIN).frames - frames).toBe(2)
  })

  test('carries one trace context, and each function is named in its baggage', async () => {
    using threads = createThreads(1)
    const there = follow(await threads.worker(0, ['a::f']))
    const client = await builtInOn(threads.main)
    const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
    client.tellAll([target('a::f')], toJsonText(1), { traceparent, baggage: 'iii-depth=2' })
    client.tellAll([target('a::f')], toJsonText(2), { baggage: 'a=%20, b=2;x' })
    client.tellAll([target('a::f')], toJsonText(3))
    await until('it is told', () => there().length === 3)
    expect(there().map(call => [call.traceparent, call.baggage])).toEqual([
      [traceparent, 'iii-depth=2,iii.function.id=a::f'],
      [undefined, 'a=%20,b=2,iii.function.id=a::f'],
      [undefined, undefined],
    ])
  })

  test('says of each function that could not be called that it was lost', async () => {
    using threads = createThreads(1)
    const there = follow(await threads.worker(0, ['a::f']))
    const client = await builtInOn(threads.main)
    const lost: unknown[] = []
    const targets = [target('nobody::f'), target('a::f'), target('nobody::g')]
    client.tellAll(targets, toJsonText(1), { lost: (index, code) => lost.push([index, code]) })
    await until('it is told', () => there().length === 1)
    expect(lost).toEqual([
      [0, 'function_not_found'],
      [2, 'function_not_found'],
    ])
  })
})

test('a frame of any number of targets is read as it was written', () => {
  for (const count of [0, 1, 15, 16, 70_000]) {
    const targets = idsUpTo('töne', count).map((id, index) =>
      target(id, index % 2 === 0 ? {} : { namespace: 'team', metadata: toJsonText({ index }) }),
    )
    const more =
      count === 15 ? NO_CONTEXT : { traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`, baggage: 'a=1' }
    const frame = { type: 'fanout' as const, targets, data: toJsonText({ count }), ...more }
    const out = createOutBuffer()
    writeFanOut(out, frame)
    const reader = createFrameReader(CODEC_CHECKED)
    openMessage(reader, out.bytes, 0, out.length)
    expect(nextFrame(reader)).toBe(true)
    expect(readFanOut(reader)).toEqual(frame)
    expect(reader.end).toBe(out.length)
  }
})

test('a frame of that kind from a worker is a message that cannot be read, and calls nothing', async () => {
  using threads = createThreads(1)
  const worker = await threads.worker(0, ['a::f'])
  const told = follow(worker)
  const out = createOutBuffer()
  writeFanOut(out, { type: 'fanout', targets: [target('a::f')], data: toJsonText(1), ...NO_CONTEXT })
  const reader = createFrameReader(CODEC_CHECKED)
  openMessage(reader, out.bytes, 0, out.length)
  worker.receiver.receiveBatch!(reader)
  const { state } = threads.shards[0]!
  expect(state.connections.get(worker.id)!.counters.problems).toEqual({ unknown_type: 1 })
  expect(told()).toEqual([])
})

test('a client without a connection tells nobody', async () => {
  const [, workerSide] = createLocalLink()
  const client = createClient({
    transport: createLocalTransport(workerSide),
    clock: systemClock,
    newId: () => crypto.randomUUID(),
  })
  expect(client.tellAll([target('a::f')], toJsonText(1))).toBe(false)
  await client.shutdown()
})
