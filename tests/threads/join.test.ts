/** A connection that begins on a shard while the main thread is busy. */
import { describe, expect, test } from 'bun:test'
import type { Frame } from '../../src/protocol/frames.ts'
import { decodeJson } from '../../src/protocol/json/decode.ts'
import { limits } from '../../src/protocol/limits.ts'
import { createRecordingLink, createVirtualClock } from '../support/fakes.ts'
import { until } from '../support/waiting.ts'
import { createThreads, type TestWorker, type Threads } from './threads.ts'

const says = ({ receiver }: Pick<TestWorker, 'receiver'>, message: object): void =>
  receiver.receive(decodeJson(JSON.stringify(message)) as Frame)

const calls = (worker: Pick<TestWorker, 'receiver'>, function_id: string): void =>
  says(worker, { type: 'invokefunction', function_id, data: {}, action: { type: 'void' } })

/** The end of the main thread's ring from shard 1. */
const mainEar = ({ links }: Threads) => links.get(0)!.get(1)!

function connect(threads: Threads): Pick<TestWorker, 'id' | 'receiver' | 'link'> {
  const link = createRecordingLink()
  const { workerId: id, receiver } = threads.shards[0]!.connect(link, {
    builtIn: false,
    ipAddress: undefined,
  })
  return { id, receiver, link }
}

describe('a connection that the main thread has not heard of', () => {
  test('calls nobody on another thread who could not ask who it is', async () => {
    using threads = createThreads(2)
    const known = await threads.worker(0, [])
    const callee = await threads.worker(1, ['b::f'])
    const heard: Frame[] = []
    mainEar(threads).pause()
    const stranger = connect(threads)
    calls(stranger, 'b::f')
    calls(known, 'b::f')
    await until('the call of a known one', () => heard.push(...callee.link.take()) > 0)
    expect(heard.map(frame => 'caller' in frame && frame.data)).toEqual([
      expect.stringContaining(known.id) as never,
    ])
    mainEar(threads).resume()
    await until('the call of the stranger', () => heard.push(...callee.link.take()) > 1)
    expect(threads.main.state.directory.workers.has(stranger.id)).toBe(true)
  })

  test('and that never announces itself has its grace cut short all the same', async () => {
    const clock = createVirtualClock()
    using threads = createThreads(1, { clock })
    mainEar(threads).pause()
    const browser = connect(threads)
    says(browser, { type: 'registerfunction', id: 'page::f' })
    mainEar(threads).resume()
    await until('it has joined', () => threads.main.state.directory.workers.has(browser.id))
    clock.advance(limits.quietGraceMs)
    await until('its function is known', () => threads.main.state.routes.find(undefined, 'page::f'))
  })
})
