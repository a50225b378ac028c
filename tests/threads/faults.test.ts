/** A fault of ours while a thread reads what another one has sent: it costs one frame. */
import { afterEach, describe, expect, test } from 'bun:test'
import { newCall } from '../../src/protocol/frames.ts'
import { JSON_EMPTY_OBJECT } from '../../src/protocol/jsonText.ts'
import type { LinkReceiver } from '../../src/protocol/link.ts'
import { createTurn } from '../../src/server/turn.ts'
import { createRingLink } from '../../src/threads/ringLink.ts'
import { listenToRing } from '../../src/threads/ringListener.ts'
import { createRingBuffer, openRingMemory } from '../../src/threads/ringMemory.ts'
import { createRingSender } from '../../src/threads/ringSender.ts'
import { createVirtualClock } from '../support/fakes.ts'
import { until } from '../support/waiting.ts'
import { createThreads } from './threads.ts'

const FAULT = 'a test asked for this'
const FRAMES = 1
const clock = createVirtualClock()

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

test('calls behind one that fails on another thread are made', async () => {
  using threads = createThreads(2)
  const callee = await threads.worker(0, ['f'])
  const caller = await threads.worker(1, [])
  const { send } = callee.link
  callee.link.send = frame => {
    callee.link.send = send
    expect(frame.type).toBe('invokefunction')
    throw new Error(FAULT)
  }
  for (let call = 0; call < 3; call++)
    caller.receiver.receive(newCall('f', JSON_EMPTY_OBJECT, crypto.randomUUID()))
  const came: unknown[] = []
  await until('the other calls', () => {
    came.push(...callee.link.take())
    return came.length === 2
  })
  expect(came).toMatchObject([{ type: 'invokefunction' }, { type: 'invokefunction' }])
})

describe('a listener whose reader throws', () => {
  /** The tasks for later, in the hands of the test. */
  function createLater(): { later(task: () => void): void; run(): void } {
    let tasks: (() => void)[] = []
    return {
      later: task => void tasks.push(task),
      run() {
        const due = tasks
        tasks = []
        for (const task of due) task()
      },
    }
  }

  test('goes on with what came behind', () => {
    const memory = openRingMemory(createRingBuffer(1024))
    const sender = createRingSender(memory, clock, () => {})
    const { later, run } = createLater()
    const tags: number[] = []
    const listener = listenToRing(memory, {
      onRecord(tag) {
        if (tag === 2) throw new Error(FAULT)
        tags.push(tag)
      },
      afterBatch() {},
      clock,
      later,
    })
    stops.push(sender.stop, listener.stop)
    for (const tag of [1, 2, 3]) sender.send(tag, new Uint8Array(1), 0, 1)
    expect(run).toThrow(FAULT)
    run()
    expect(tags).toEqual([1, 3])
  })
})

describe('a record that is broken', () => {
  const receiver: LinkReceiver = { receive() {}, problem() {}, drained() {}, ended() {} }
  const RUBBISH = new Uint8Array([0xc1, 0xc1, 0xc1])

  test('ends what is read from that thread, and is told of by itself', async () => {
    const [incoming, outgoing] = [createRingBuffer(1024), createRingBuffer(1024)]
    const sender = createRingSender(openRingMemory(incoming), clock, () => {})
    const link = createRingLink({ incoming, outgoing, clock, turn: createTurn() })
    stops.push(sender.stop, link.drop)
    const broken: string[] = []
    let notes = 0
    link.listen(receiver, {
      note: () => void notes++,
      broken: ({ message }) => void broken.push(message),
    })
    sender.send(FRAMES, RUBBISH, 0, RUBBISH.length)
    sender.send(3, RUBBISH, 0, RUBBISH.length)
    await until('it is told of', () => broken.length > 0)
    expect(broken).toEqual([expect.stringContaining('A record of another thread is broken')])
    expect(notes).toBe(0)
  })
})
