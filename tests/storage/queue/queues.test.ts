/** What is done to a queue as a whole, and what is seen of it. */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import { messageOf } from '../../../src/storage/queue/deadLetter.ts'
import { listMessages, type MessageState, stateOf } from '../../../src/storage/queue/list.ts'
import { receiptOfNumber } from '../../../src/storage/queue/receipt.ts'
import { dataOf, laneOf, report, type Stage, setQueueStage } from './stage.ts'
import { queueTables } from './tables.ts'

function listed({ tables, nowMs }: Stage, state: MessageState, limit = 100): string[] {
  return dataOf(listMessages(tables, nowMs, { queue: 'q', state, limit }).messages)
}

/** One of each state. */
function fill(stage: Stage): void {
  stage.publish('ready')
  stage.publish('scheduled', { dueAtMs: 5000 })
  stage.fail(stage.publish('failed'), 5000)
  stage.publish('head', { group: 'a' })
  stage.publish('behind', { group: 'a' })
  stage.publish('behind, too', { group: 'a', dueAtMs: 9000 })
  stage.fail(stage.publish('dead'), 'never')
}

describe.each(queueTables)('queues in %s', (_, open) => {
  describe('a queue', () => {
    test('is paused and resumed, which is told, and twice changes nothing', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      expect(stage.run({ command: 'resume', queue: 'q' })).toEqual({ count: 0 })
      expect(stage.run({ command: 'pause', queue: 'q' })).toEqual({ count: 1 })
      expect(stage.run({ command: 'pause', queue: 'q' })).toEqual({ count: 0 })
      stage.publish('a')
      expect(opened.tables.queue('q')).toMatchObject({ isPaused: true, counts: { waiting: 1 } })
      expect(stage.run({ command: 'resume', queue: 'q' })).toEqual({ count: 1 })
      expect(opened.tables.queue('q')).toMatchObject({ isPaused: false, counts: { waiting: 1 } })
      expect(stage.toldQueues).toEqual([
        { event: 'paused', queue: 'q' },
        { event: 'resumed', queue: 'q' },
      ])
    })

    test('keeps its settings and bounds', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.publish('a')
      const settings = '{"concurrency":5}' as never
      const configure = () =>
        stage.run({ command: 'configure', queue: 'q', settings, bounds: { messages: 9 } })
      expect(configure()).toEqual({ count: 1 })
      expect(configure()).toEqual({ count: 0 })
      expect(opened.tables.queue('q')).toMatchObject({
        settings,
        bounds: { messages: 9 },
        counts: { waiting: 1 },
      })
      expect(stage.run({ command: 'configure', queue: 'q' })).toEqual({ count: 1 })
      expect(opened.tables.queue('q')).toMatchObject({ settings: undefined, bounds: {} })
      expect(stage.run({ command: 'configure', queue: 'new' })).toEqual({ count: 1 })
      expect(opened.tables.queue('new')).toMatchObject({ counts: { waiting: 0 } })
    })

    test('is dropped when it has no messages, and begins anew with the next', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const number = stage.publish('a', { dedupe: { key: 'k', windowMs: 1000 } })
      stage.run({ command: 'pause', queue: 'q' })
      expect(stage.run({ command: 'drop', queue: 'q' })).toEqual({ count: 0 })
      stage.finish(number)
      expect(stage.run({ command: 'drop', queue: 'q' })).toEqual({ count: 1 })
      expect(stage.run({ command: 'drop', queue: 'q' })).toEqual({ count: 0 })
      expect(opened.tables.queue('q')).toBeUndefined()
      expect(opened.tables.lanes('q')).toEqual([])
      stage.publish('b', { dedupe: { key: 'k', windowMs: 1000 } })
      expect(stage.ready()).toEqual(['b'])
      expect(opened.tables.queue('q')).toMatchObject({ isPaused: false, counts: { waiting: 1 } })
    })

    test('that is changed in a transaction that is undone is as it was', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      fill(stage)
      stage.publish('other', { queue: 'other' })
      const states = ['behind', 'ready', 'scheduled', 'backing_off', 'dead'] as const
      const all = () => [
        opened.tables.queues(undefined, 10),
        opened.tables.lanes('q'),
        states.map(state => listed(stage, state)),
      ]
      const before = all()
      opened.undone(() => {
        stage.run({ command: 'configure', queue: 'q', bounds: { messages: 99 } })
        stage.run({ command: 'pause', queue: 'new' })
        stage.run({ command: 'adopt', from: 'q', to: 'to', functionId: 'f', limit: 100 })
        stage.publish('more', { queue: 'to' })
        stage.run({ command: 'purge', queue: 'other', limit: 100 })
        stage.run({ command: 'drop', queue: 'other' })
      })
      expect(all()).toEqual(before)
      stage.publish('late')
      expect(opened.tables.counts('q').waiting).toBe(7)
      expect(opened.tables.counts('other').waiting).toBe(1)
    })
  })

  describe('a queue that takes the place of another', () => {
    test('has its messages, in order, for the function that has come', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      fill(stage)
      const adopt = () =>
        stage.run({ command: 'adopt', from: 'q', to: 'to', functionId: 'f', namespace: 'eu', limit: 1 })
      expect(adopt()).toEqual({ count: 7 })
      expect(opened.tables.queue('q')).toBeUndefined()
      expect(opened.tables.lanes('to')).toEqual([laneOf('to', 'f', 'eu')])
      const ready = opened.tables.ready(laneOf('to', 'f', 'eu'), undefined, 10)
      expect(dataOf(ready)).toEqual(['ready', 'head'])
      expect(ready[0]).toMatchObject({ queue: 'to', functionId: 'f', namespace: 'eu' })
      expect(opened.tables.counts('to')).toMatchObject({ waiting: 6, dead: 1 })
      expect(stage.toldQueues).toEqual([
        { event: 'adopted', queue: 'q', to: laneOf('to', 'f', 'eu'), isPaused: false },
      ])
      expect(adopt()).toEqual({ count: 0 })
      stage.finish(ready[1]!.number)
      expect(stage.told.at(-1)).toMatchObject({ event: 'placed', message: { queue: 'to', data: '"behind"' } })
    })

    test('leaves one without messages alone', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.run({ command: 'pause', queue: 'q' })
      expect(stage.run({ command: 'adopt', from: 'q', to: 'to', limit: 1 })).toEqual({ count: 0 })
      expect(opened.tables.queues(undefined, 9).map(({ name }) => name)).toEqual(['q'])
      expect(stage.toldQueues).toEqual([{ event: 'paused', queue: 'q' }])
    })

    test('keeps the settings that it has', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.publish('a')
      stage.run({ command: 'configure', queue: 'to', settings: '1' as never })
      stage.run({ command: 'adopt', from: 'q', to: 'to', functionId: 'f', limit: 1 })
      expect(opened.tables.queue('to')).toMatchObject({ settings: '1' as never, counts: { waiting: 1 } })
    })

    test('and has messages itself takes them over step by step, groups behind its own', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      fill(stage)
      stage.publish('own head', { queue: 'to', functionId: 'f', group: 'a' })
      let count = 0
      for (let step = 1; step > 0; count += step) {
        step = stage.run({ command: 'adopt', from: 'q', to: 'to', functionId: 'f', limit: 2 }).count
        expect(step).toBeLessThanOrEqual(2)
      }
      expect(count).toBe(7)
      expect(opened.tables.counts('q')).toMatchObject({ waiting: 0, dead: 0, bytes: 0 })
      expect(opened.tables.counts('to')).toMatchObject({ waiting: 7, dead: 1, behind: 3 })
      const ready = dataOf(opened.tables.ready(laneOf('to', 'f'), undefined, 10))
      expect(ready).toEqual(['ready', 'own head'])
    })
  })

  test('the oldest of a lane come in the order of their numbers, whatever their priority', () => {
    using opened = open()
    const stage = setQueueStage(opened.tables)
    const numbers = [3, -1, 0, 3, 7].map((priority, at) => stage.publish(`${at}`, { priority }))
    stage.publish('other', { functionId: 'f' })
    stage.publish('due', { dueAtMs: 2000 })
    const oldest = (after: number, limit: number) =>
      opened.tables
        .oldest(laneOf('q'), after, limit)
        .map(number => JSON.parse(opened.tables.get(number)!.data))
    expect(oldest(0, 3)).toEqual(['0', '1', '2'])
    expect(oldest(numbers[1]!, 9)).toEqual(['2', '3', '4'])
    expect(opened.tables.oldest(laneOf('nobody'), 0, 9)).toEqual([])
  })

  test('a redriven message that is moved keeps the reports of its failures', () => {
    using opened = open()
    const stage = setQueueStage(opened.tables)
    stage.publish('own', { queue: 'to', functionId: 'f' })
    const number = stage.publish('a')
    stage.fail(number, 'never')
    stage.run({ command: 'redrive', queue: 'q', limit: 1 })
    stage.run({ command: 'adopt', from: 'q', to: 'to', functionId: 'f', limit: 9 })
    expect(opened.tables.get(number)).toMatchObject({ queue: 'to', failures: 0, reports: [report(1000)] })
  })

  describe('a list', () => {
    test('has the messages of one state', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      fill(stage)
      expect(listed(stage, 'ready')).toEqual(['ready', 'head'])
      expect(listed(stage, 'scheduled')).toEqual(['scheduled'])
      expect(listed(stage, 'backing_off')).toEqual(['failed'])
      expect(listed(stage, 'behind')).toEqual(['behind', 'behind, too'])
      expect(listed(stage, 'dead')).toEqual(['dead'])
      stage.nowMs = 5000
      expect(listed(stage, 'ready')).toEqual(['ready', 'head', 'scheduled', 'failed'])
      const [first] = opened.tables.due(laneOf('q'), 5000, undefined, 1)
      expect(stateOf(first!, 5000)).toBe('ready')
      expect(stateOf(first!, 4999)).toBe('scheduled')
    })

    test('comes in pages that go on where the one before ended, over all lanes', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      for (let number = 0; number < 40; number++) {
        const functionId = number % 3 === 0 ? 'f' : 'g'
        stage.publish(`${number}`, { functionId, priority: number % 2 })
        stage.publish(`timed ${number}`, { functionId, dueAtMs: 2000 + (number % 4) })
        stage.publish(`group ${number}`, { functionId, group: `${number % 5}` })
      }
      stage.nowMs = 2001
      for (const [state, count] of [
        ['ready', 40 + 20 + 5],
        ['scheduled', 20],
        ['behind', 35],
      ] as const) {
        const found: string[] = []
        let cursor: string | undefined
        do {
          const page = listMessages(opened.tables, 2001, { queue: 'q', state, cursor, limit: 4 })
          expect(page.messages.length).toBeLessThanOrEqual(4)
          found.push(...dataOf(page.messages))
          cursor = page.cursor
        } while (cursor !== undefined)
        expect(found).toHaveLength(count)
        expect(new Set(found).size).toBe(count)
      }
    })

    test('looks at a bounded number of messages for a page, though it is short then', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      for (let number = 0; number < limits.messagesLooked + 100; number++)
        stage.publish('x', { dueAtMs: 5000 })
      stage.fail(stage.publish('failed'), 6000)
      const first = listMessages(opened.tables, 1000, { queue: 'q', state: 'backing_off', limit: 10 })
      expect(first.messages).toEqual([])
      const { cursor } = first
      const second = listMessages(opened.tables, 1000, {
        queue: 'q',
        state: 'backing_off',
        cursor,
        limit: 10,
      })
      expect(dataOf(second.messages)).toEqual(['failed'])
      expect(second.cursor).toBeUndefined()
    })

    test('goes on only from a cursor of its own', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      fill(stage)
      const { cursor } = listMessages(opened.tables, 1000, { queue: 'q', state: 'ready', limit: 1 })
      for (const [state, wrong] of [
        ['dead', cursor],
        ['ready', 'nonsense'],
        ['behind', Buffer.from('["behind",0,7,7]').toString('base64url')],
      ] as const) {
        const list = () => listMessages(opened.tables, 1000, { queue: 'q', state, cursor: wrong, limit: 1 })
        expect(list).toThrow(RangeError)
      }
    })
  })

  describe('a purge', () => {
    test('removes what is in one state, in steps', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      fill(stage)
      for (const data of ['b', 'c']) stage.publish(data, { dueAtMs: 6000 })
      const first = stage.run({ command: 'purge', queue: 'q', state: 'scheduled', limit: 2 })
      const { count, cursor } = first
      expect([count, typeof cursor]).toEqual([2, 'string'])
      expect(stage.run({ command: 'purge', queue: 'q', state: 'scheduled', limit: 2, cursor })).toEqual({
        count: 1,
      })
      expect(listed(stage, 'scheduled')).toEqual([])
      expect(opened.tables.counts('q')).toMatchObject({ waiting: 5, dead: 1 })
      expect(stage.told.filter(({ event }) => event === 'gone').length).toBe(1 + 3)
    })

    test('of everything leaves nothing, and tells of what could have been leased', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      fill(stage)
      stage.told.length = 0
      let removed = 0
      for (let step = 1; step > 0; removed += step)
        step = stage.run({ command: 'purge', queue: 'q', limit: 2 }).count
      expect(removed).toBe(7)
      expect(opened.tables.counts('q')).toEqual({
        waiting: 0,
        ready: 0,
        timed: 0,
        behind: 0,
        dead: 0,
        bytes: 0,
      })
      expect(stage.told.map(({ event, message }) => [event, JSON.parse(message.data)])).toEqual([
        ['gone', 'ready'],
        ['gone', 'head'],
        ['gone', 'scheduled'],
        ['gone', 'failed'],
      ])
    })

    test('of a head lets the next of its group go on', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      fill(stage)
      expect(stage.run({ command: 'purge', queue: 'q', state: 'ready', limit: 10 })).toEqual({ count: 2 })
      expect(stage.ready()).toEqual(['behind'])
    })
  })

  test('a message is cancelled by its receipt or number, if it is not dead', () => {
    using opened = open()
    const stage = setQueueStage(opened.tables)
    const head = stage.publish('head', { group: 'a' })
    stage.publish('next', { group: 'a', receipt: 'r' })
    stage.publish('last', { group: 'a' })
    expect(stage.run({ command: 'cancel', receipt: 'r' })).toEqual({ count: 1 })
    expect(stage.run({ command: 'cancel', receipt: 'r' })).toEqual({ count: 0 })
    expect(stage.run({ command: 'cancel', receipt: receiptOfNumber(head) })).toEqual({ count: 1 })
    expect(stage.ready()).toEqual(['last'])
    const dead = stage.publish('dead')
    stage.fail(dead, 'never')
    expect(stage.run({ command: 'cancel', number: dead })).toEqual({ count: 0 })
    expect(messageOf(opened.tables, receiptOfNumber(dead))).toMatchObject({ number: dead })
  })
})
