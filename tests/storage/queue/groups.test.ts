/** Groups, lanes and dedupe keys: what messages have to do with each other. */
import { describe, expect, test } from 'bun:test'
import { laneId } from '../../../src/storage/queue/message.ts'
import { dataOf, laneOf, setQueueStage } from './stage.ts'
import { queueTables } from './tables.ts'

describe.each(queueTables)('queues in %s', (_, open) => {
  describe('a group', () => {
    test('has one message at a time ready; groups and others go beside it', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const [a1, b1] = [stage.publish('a1', { group: 'a' }), stage.publish('b1', { group: 'b' })]
      stage.publish('a2', { group: 'a' })
      stage.publish('free')
      stage.publish('b2', { group: 'b' })
      expect(stage.ready()).toEqual(['a1', 'b1', 'free'])
      stage.finish(b1)
      expect(stage.ready()).toEqual(['a1', 'free', 'b2'])
      stage.finish(a1)
      expect(stage.ready()).toEqual(['a2', 'free', 'b2'])
    })

    test('waits behind a failed message until it succeeds', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const first = stage.publish('a1', { group: 'a' })
      stage.publish('a2', { group: 'a' })
      stage.fail(first, 2000)
      expect(stage.ready()).toEqual([])
      expect(dataOf(opened.tables.due(laneOf('q'), 2000, undefined, 10))).toEqual(['a1'])
      stage.nowMs = 2000
      stage.finish(first)
      expect(stage.ready()).toEqual(['a2'])
    })

    test('goes on when a message has died', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const first = stage.publish('a1', { group: 'a' })
      stage.publish('a2', { group: 'a' })
      stage.fail(first, 'never')
      expect(stage.ready()).toEqual(['a2'])
    })

    test('waits behind a scheduled message', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.publish('a1', { group: 'a', dueAtMs: 2000 })
      stage.publish('a2', { group: 'a' })
      expect(stage.ready()).toEqual([])
    })

    test('is in order whatever the priorities in it', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const first = stage.publish('a1', { group: 'a' })
      stage.publish('a2', { group: 'a', priority: 9 })
      stage.publish('b1', { group: 'b', priority: 5 })
      expect(stage.ready()).toEqual(['b1', 'a1'])
      stage.finish(first)
      expect(stage.ready()).toEqual(['a2', 'b1'])
    })

    test('takes a redriven message back, not beside the one at its head, but as the next', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const [first, second] = ['a1', 'a2', 'a3'].map(data => stage.publish(data, { group: 'a' }))
      stage.fail(first!, 'never')
      stage.run({ command: 'redrive', queue: 'q', limit: 1 })
      expect(stage.ready()).toEqual(['a2'])
      stage.finish(second!)
      expect(stage.ready()).toEqual(['a1'])
      stage.finish(first!)
      expect(stage.ready()).toEqual(['a3'])
    })

    test('of one name is another in each queue', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.publish('a', { group: 'g' })
      stage.publish('b', { group: 'g', queue: 'other' })
      expect([stage.ready(), stage.ready('other')]).toEqual([['a'], ['b']])
    })
  })

  describe('a lane', () => {
    test('has the messages of one function of one namespace, and hides no other', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.publish('f1', { functionId: 'f' })
      stage.publish('g1', { functionId: 'g' })
      stage.publish('eu', { functionId: 'f', namespace: 'eu' })
      stage.publish('plain')
      stage.publish('f2', { functionId: 'f', dueAtMs: 3000 })
      const readyOf = (...of: Parameters<typeof laneOf>) =>
        dataOf(opened.tables.ready(laneOf(...of), undefined, 10))
      expect(readyOf('q', 'f')).toEqual(['f1'])
      expect(readyOf('q', 'g')).toEqual(['g1'])
      expect(readyOf('q', 'f', 'eu')).toEqual(['eu'])
      expect(readyOf('q')).toEqual(['plain'])
      expect(readyOf('q', 'nobody')).toEqual([])
      expect(dataOf(opened.tables.due(laneOf('q', 'f'), 3000, undefined, 10))).toEqual(['f2'])
      expect(opened.tables.nextDueMs(laneOf('q', 'f'), 0)).toBe(3000)
      expect(opened.tables.nextDueMs(laneOf('q', 'g'), 0)).toBeUndefined()
      expect(opened.tables.lanes('q')).toEqual([
        laneOf('q', 'f'),
        laneOf('q', 'g'),
        laneOf('q', 'f', 'eu'),
        laneOf('q'),
      ])
      expect(new Set(opened.tables.lanes('q').map(laneId)).size).toBe(4)
      expect(opened.tables.lanes('nobody')).toEqual([])
    })

    test('does not end a group: it is in order over the whole queue', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const first = stage.publish('f1', { functionId: 'f', group: 'a' })
      stage.publish('g2', { functionId: 'g', group: 'a' })
      expect(opened.tables.ready(laneOf('q', 'g'), undefined, 10)).toEqual([])
      stage.finish(first)
      expect(dataOf(opened.tables.ready(laneOf('q', 'g'), undefined, 10))).toEqual(['g2'])
      expect(stage.told.at(-1)).toMatchObject({ event: 'placed', message: { functionId: 'g' } })
    })
  })

  describe('a dedupe key', () => {
    const dedupe = { key: 'k', windowMs: 100 }

    test('within its window gives the receipt of the first message', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const publish = (queue = 'q') =>
        stage.run({ command: 'enqueue', queue, data: '1' as never, dedupe }).receipt
      const first = publish()
      stage.nowMs = 1099
      expect(stage.run({ command: 'enqueue', queue: 'q', data: '2' as never, dedupe })).toEqual({
        count: 0,
        receipt: first!,
        isDuplicate: true,
      })
      expect(publish('other')).not.toBe(first)
      stage.nowMs = 1100
      expect(publish()).not.toBe(first)
      expect(opened.tables.counts('q').waiting).toBe(2)
    })

    test('holds when the message is done', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.finish(stage.publish('a', { dedupe }))
      expect(stage.run({ command: 'enqueue', queue: 'q', data: '2' as never, dedupe }).isDuplicate).toBe(true)
    })

    test('of a queue that takes over the messages of another holds', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.finish(stage.publish('a', { dedupe }))
      stage.publish('b', { queue: 'topic' })
      expect(stage.run({ command: 'adopt', from: 'topic', to: 'q', limit: 10 }).count).toBe(1)
      expect(stage.ready()).toEqual(['b'])
      expect(stage.run({ command: 'enqueue', queue: 'q', data: '2' as never, dedupe }).isDuplicate).toBe(true)
    })

    test('is forgotten when its time has passed', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.publish('a', { dedupe })
      stage.publish('b', { dedupe: { key: 'l', windowMs: 500 } })
      expect(opened.tables.forgetDedupes(1099, 10)).toBe(0)
      expect(opened.tables.forgetDedupes(1100, 10)).toBe(1)
      expect(opened.tables.dedupe('q', 'k')).toBeUndefined()
      expect(opened.tables.dedupe('q', 'l')?.untilMs).toBe(1500)
    })
  })
})
