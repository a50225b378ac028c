/** A worker name across threads: who has just left on one of them does not keep it from its successor on another. */
import { describe, expect, test } from 'bun:test'
import type { Frame } from '../../src/protocol/frames.ts'
import { decodeJson } from '../../src/protocol/json/decode.ts'
import { limits } from '../../src/protocol/limits.ts'
import { createRecordingLink, createVirtualClock, type RecordingLink } from '../support/fakes.ts'
import { connectRaw } from '../support/rawClient.ts'
import { until } from '../support/waiting.ts'
import { startAttackedEngine } from './attack/engine.ts'
import { createThreads, type TestWorker, type Threads } from './threads.ts'

type Named = Pick<TestWorker, 'id' | 'receiver'> & { readonly link: RecordingLink; readonly heard: Frame[] }

const says = ({ receiver }: Named, message: object): void =>
  receiver.receive(decodeJson(JSON.stringify(message)) as Frame)

/** A client of 0.23 that announces itself as `same` and registers a function. */
function begin(threads: Threads, shard: number, functionId: string, reattach?: object): Named {
  const link = createRecordingLink()
  const { workerId: id, receiver } = threads.shards[shard]!.connect(link, {
    builtIn: false,
    ipAddress: undefined,
  })
  const worker = { id, receiver, link, heard: [] }
  const data = { name: 'same', version: '0.23.0' }
  if (reattach !== undefined) says(worker, { type: 'reattach', ...reattach })
  says(worker, {
    type: 'invokefunction',
    invocation_id: crypto.randomUUID(),
    function_id: 'engine::workers::register',
    data,
  })
  says(worker, { type: 'registerfunction', id: functionId })
  return worker
}

/** Resolves when a frame of this type has come. */
async function hears(worker: Named, type: Frame['type']): Promise<Frame> {
  return await until(`a ${type}`, () => {
    worker.heard.push(...worker.link.take())
    return worker.heard.find(frame => frame.type === type)
  })
}

/** The end of the main thread's ring from a shard. */
const mainEar = ({ links }: Threads, shard: number) => links.get(0)!.get(shard + 1)!

describe('a name whose holder is on another thread', () => {
  test('is free when that one has left, though the main thread has not heard of it', async () => {
    using threads = createThreads(2)
    const old = begin(threads, 0, 'old::f')
    await hears(old, 'invocationresult')
    mainEar(threads, 0).pause()
    old.receiver.ended()
    const young = begin(threads, 1, 'young::f')
    // A call behind the announce waits with it.
    says(young, {
      type: 'invokefunction',
      invocation_id: crypto.randomUUID(),
      function_id: 'young::f',
      data: {},
    })
    const asked = await threads.worker(1, ['asked::f'])
    expect(asked.link.isPaused).toBe(false)
    mainEar(threads, 0).resume()
    expect(await hears(young, 'invocationresult')).toMatchObject({ result: '{"success":true}' })
    await hears(young, 'invokefunction')
    const { workers } = threads.main.state.directory
    expect(workers.has(old.id)).toBe(false)
    expect(workers.get(young.id)).toMatchObject({ announcement: { name: 'same' }, refusals: [] })
  })

  test('is refused while that one stands', async () => {
    using threads = createThreads(2)
    const old = begin(threads, 0, 'old::f')
    await hears(old, 'invocationresult')
    const young = begin(threads, 1, 'young::f')
    expect(await hears(young, 'registrationrejected')).toMatchObject({ ownerWorkerId: old.id })
    await until('it has left', () => !threads.main.state.directory.workers.has(young.id))
    expect(threads.main.state.directory.workers.get(old.id)!.refusals).toHaveLength(1)
    expect(threads.main.state.routes.find(undefined, 'young::f')).toBeUndefined()
  })

  test('is decided about in the end if that thread does not say', async () => {
    const clock = createVirtualClock()
    using threads = createThreads(2, { clock })
    const old = begin(threads, 0, 'old::f')
    await hears(old, 'invocationresult')
    threads.links.get(1)!.get(0)!.pause()
    const young = begin(threads, 1, 'young::f')
    const connection = threads.shards[1]!.state.connections.get(young.id)!
    await until('it is doubted', () => connection.doubted.length > 0)
    young.heard.push(...young.link.take())
    expect(young.heard.map(({ type }) => type)).toEqual(['workerregistered'])
    clock.advance(limits.signOfLifeMs + limits.threadAnswerMs)
    await hears(young, 'registrationrejected')
  })
})

test('a worker that was cut off on one thread before it had read who it is there is known on another', async () => {
  using threads = createThreads(2)
  const { directory } = threads.main.state
  const old = begin(threads, 0, 'same::f')
  await hears(old, 'invocationresult')
  const proof = { previous_worker_id: old.id, reattach_token: directory.workers.get(old.id)!.token }
  const unread = begin(threads, 0, 'same::f', proof)
  await hears(unread, 'invocationresult')
  const young = begin(threads, 1, 'same::f', proof)
  expect(await hears(young, 'invocationresult')).toMatchObject({ result: '{"success":true}' })
  await until('the others have ended', () => old.link.ended === 'cut' && unread.link.ended === 'cut')
  expect(directory.workers.has(unread.id)).toBe(false)
})

test('a client that connects anew at once has its name, however busy the shard of its last connection is', async () => {
  await using engine = await startAttackedEngine(2)
  await using other = await engine.connectOn(2)
  for (let round = 0; round < 5; round++) {
    const before = await engine.connectOn(1, { name: 'same' })
    await before.settled()
    await engine.attack(1, 'busy')
    const closed = before.close()
    // On either shard.
    await using after = await connectRaw(engine.url, { name: 'same' })
    await after.settled()
    await closed
  }
  await other.settled()
}, 30_000)
