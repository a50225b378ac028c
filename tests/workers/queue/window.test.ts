/** How much of a lane is read, and kept in memory, to be handed out. */
import { describe, expect, test } from 'bun:test'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import type { Message } from '../../../src/storage/queue/message.ts'
import { createDispatch } from '../../../workers/queue/core/dispatch.ts'
import type { PerKey } from '../../../workers/queue/core/keys.ts'
import { retries, setDispatchStage } from './support.ts'

describe('what is kept in memory of a lane', () => {
  const MOST = 1000
  const lane = { queue: 'q', functionId: undefined, namespace: undefined }

  /** Messages of 100 characters, and who hands them out; `read`: how many were read. */
  function setWindow(perKey?: PerKey) {
    const stage = setDispatchStage()
    const { tables } = stage.queue
    let read = 0
    const counted = (messages: Message[]): Message[] => {
      read += messages.length
      return messages
    }
    const dispatch = createDispatch({
      tables: {
        ready: (...query) => counted(tables.ready(...query)),
        due: (...query) => counted(tables.due(...query)),
        nextDueMs: tables.nextDueMs,
        oldest: tables.oldest,
        get: number => counted([tables.get(number)!])[0],
      },
      concurrencyOf: () => 1000,
      epoch: 'e',
      windowSize: 100,
      mostSetAside: 100,
      mostCharacters: MOST,
      lanesRemembered: 100,
    })
    const take = (max: number) =>
      dispatch.take(
        { lane, holder: 'w', max, leaseMs: 1000, retry: retries, hasPlace: true, perKey },
        stage.queue.nowMs,
      )
    const publish = (count: number, more: object = {}) => {
      for (let each = 0; each < count; each++) stage.queue.publish('x'.repeat(98), more)
    }
    return { stage, dispatch, take, publish, read: () => read, [Symbol.dispose]: stage[Symbol.dispose] }
  }

  test('is bounded by its characters when it is read', () => {
    using window = setWindow()
    window.publish(60)
    expect(window.take(1)).toHaveLength(1)
    expect(window.read()).toBe(11)
    expect(window.take(1000)).toHaveLength(59)
    expect(window.read()).toBe(60)
  })

  test('and when what is due is read', () => {
    using window = setWindow()
    window.publish(60, { dueAtMs: 1100 })
    window.stage.queue.nowMs = 1200
    expect(window.take(1)).toHaveLength(1)
    expect(window.read()).toBe(11)
    expect(window.take(1000)).toHaveLength(59)
  })

  test('and when messages come', () => {
    using window = setWindow()
    expect(window.take(1)).toEqual([])
    window.publish(60)
    window.dispatch.changed(window.stage.queue.told)
    expect(window.read()).toBe(0)
    // Not all of them were kept.
    expect(window.take(1000)).toHaveLength(60)
    expect(window.read()).toBeGreaterThan(30)
  })

  test('and of what is set aside because of its key', () => {
    using window = setWindow({ field: 'key', most: 1 })
    for (let count = 0; count < 40; count++)
      window.stage.queue.run({
        command: 'enqueue',
        queue: 'q',
        data: asJsonText(`{"key":1,"x":"${'x'.repeat(90)}"}`),
      })
    expect(window.take(1000)).toHaveLength(1)
    expect(window.read()).toBeLessThan(25)
  })

  test('for the oldest of many priorities one message is read', () => {
    using window = setWindow()
    for (let priority = 1; priority < 100; priority++) window.publish(1, { priority })
    for (let count = 0; count < 7; count++) expect(window.take(1)).toHaveLength(1)
    const before = window.read()
    const [oldest] = window.take(1)
    expect(oldest?.message.priority).toBe(1)
    expect(window.read()).toBe(before + 1)
  })
})
