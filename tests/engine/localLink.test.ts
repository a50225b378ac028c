/** What is special to the link on one thread; what holds for every link is in the conformance suite. */
import { describe, expect, test } from 'bun:test'
import { createLocalLink, type Scheduler } from '../../src/engine/links/local.ts'
import type { Frame } from '../../src/protocol/frames.ts'
import { limits } from '../../src/protocol/limits.ts'
import { createLocalTransport } from '../../src/threads/localTransport.ts'

/** Runs what was scheduled when the test says so. */
function manualScheduler(): Scheduler & { turn(): void; waiting(): number } {
  let tasks: (() => void)[] = []
  return {
    soon: task => void tasks.push(task),
    later: task => void tasks.push(task),
    turn() {
      const now = tasks
      tasks = []
      for (const task of now) task()
    },
    waiting: () => tasks.length,
  }
}

const PING: Frame = { type: 'ping' }
/** Frames a link delivers before the event loop has its turn. */
const IN_A_ROW = 512
const deaf = { problem() {}, drained() {}, ended() {} }

describe('a local link', () => {
  test('gives way to the event loop in a long exchange, and keeps nothing of what was delivered', () => {
    const scheduler = manualScheduler()
    const [left, right] = createLocalLink(limits, scheduler)
    const delivered: WeakRef<Frame>[] = []
    right.listen({ ...deaf, receive: frame => void delivered.push(new WeakRef(frame)) })
    left.send({ type: 'ping' })
    // As much comes in as goes out: the inbox is never empty.
    for (let turn = 0; turn < 100; turn++) {
      for (let i = 0; i < IN_A_ROW; i++) left.send({ type: 'ping' })
      scheduler.turn()
      expect(delivered).toHaveLength((turn + 1) * IN_A_ROW)
    }
    Bun.gc(true)
    const kept = delivered.filter(frame => frame.deref() !== undefined).length
    expect(kept).toBeLessThan(delivered.length / 10)
    scheduler.turn()
    expect(delivered).toHaveLength(100 * IN_A_ROW + 1)
    expect(left.backlog()).toBe(0)
  })

  test('delivers nothing after the receiver paused in the middle of a burst, and all of it afterwards', () => {
    const scheduler = manualScheduler()
    const [left, right] = createLocalLink(limits, scheduler)
    const received: Frame[] = []
    right.listen({
      ...deaf,
      receive(frame) {
        received.push(frame)
        if (received.length === 2) right.pause()
      },
    })
    for (let i = 0; i < 5; i++) left.send(PING)
    scheduler.turn()
    scheduler.turn()
    expect(received).toHaveLength(2)
    right.resume()
    scheduler.turn()
    expect(received).toHaveLength(5)
  })

  test('is full and drained again at the bounds it was given', () => {
    const scheduler = manualScheduler()
    const [left, right] = createLocalLink({ outboundHighWaterBytes: 1000, drainedBytes: 400 }, scheduler)
    let drains = 0
    const backlogs: number[] = []
    left.listen({ receive: () => {}, problem: () => {}, drained: () => void drains++, ended: () => {} })
    right.listen({
      receive: () => void backlogs.push(left.backlog() * 10 + drains),
      problem: () => {},
      drained: () => {},
      ended: () => {},
    })
    for (let i = 0; i < 5; i++) left.send(PING)
    scheduler.turn()
    // Each of these frames counts as 200: full at 1000, drained below 400.
    expect([backlogs, drains]).toEqual([[8000, 6000, 4000, 2000, 1], 1])
  })
})

describe('the transport of a built-in worker', () => {
  const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

  test('opens before it delivers what the engine had sent already', async () => {
    const [engineSide, workerSide] = createLocalLink()
    engineSide.send(PING)
    const events: string[] = []
    createLocalTransport(workerSide).open({
      opened: () => void events.push('opened'),
      received: frame => void events.push(frame.type),
      problem: () => {},
      closed: final => void events.push(`closed ${final}`),
    })
    expect(events).toEqual([])
    await settle()
    expect(events).toEqual(['opened', 'ping'])
    engineSide.end('cut')
    await settle()
    expect(events).toEqual(['opened', 'ping', 'closed true'])
  })

  test('that is closed at once never opens', async () => {
    const [, workerSide] = createLocalLink()
    const events: string[] = []
    const transport = createLocalTransport(workerSide)
    transport.open({
      opened: () => void events.push('opened'),
      received: () => {},
      problem: () => {},
      closed: () => void events.push('closed'),
    })
    transport.close()
    await settle()
    expect(events).toEqual(['closed'])
  })
})
