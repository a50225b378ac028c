/** What a queue may hold: messages that wait, and dead ones. */
import { describe, expect, test } from 'bun:test'
import { receiptOfNumber } from '../../../src/storage/queue/receipt.ts'
import type { StorageError } from '../../../src/storage/storageError.ts'
import { dataOf, laneOf, type Stage, setQueueStage } from './stage.ts'
import { queueTables } from './tables.ts'

const deadOf = ({ tables }: Stage): string[] => dataOf(tables.dead('q', undefined, 100))

describe.each(queueTables)('queues in %s', (_, open) => {
  describe('a queue with bounds', () => {
    const codeOf = (work: () => unknown): string | undefined => {
      try {
        work()
        return undefined
      } catch (error) {
        return (error as StorageError).code
      }
    }

    test('refuses messages that do not fit, and takes them when there is room again', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.run({ command: 'configure', queue: 'q', bounds: { messages: 2, bytes: 20 } })
      const first = stage.publish('a')
      stage.publish('b', { dueAtMs: 9000 })
      expect(codeOf(() => stage.publish('c'))).toBe('queue_full')
      // The one that is there already is answered.
      expect(codeOf(() => stage.publish('b', { dedupe: { key: 'k', windowMs: 10 } }))).toBe('queue_full')
      expect(codeOf(() => stage.publish('elsewhere', { queue: 'other' }))).toBeUndefined()
      stage.fail(first, 'never')
      expect(codeOf(() => stage.publish('x'.repeat(18)))).toBe('queue_full')
      expect(codeOf(() => stage.publish('x'.repeat(15)))).toBeUndefined()
      expect(opened.tables.counts('q')).toMatchObject({ waiting: 2, bytes: 20, dead: 1 })
    })

    test('that is lossy drops the oldest, whatever its priority, and lets its group go on', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.run({ command: 'configure', queue: 'q', bounds: { messages: 3, isLossy: true } })
      stage.publish('scheduled', { dueAtMs: 9000, functionId: 'f' })
      stage.publish('a1', { group: 'a', priority: 9 })
      stage.publish('a2', { group: 'a', functionId: 'f' })
      const enqueue = (data: string) =>
        stage.run({ command: 'enqueue', queue: 'q', data: JSON.stringify(data) as never })
      expect(enqueue('b')).toMatchObject({ count: 1, dropped: 1 })
      expect(stage.ready()).toEqual(['b'])
      expect(dataOf(opened.tables.ready(laneOf('q', 'f'), undefined, 9))).toEqual(['a2'])
      enqueue('c')
      expect(stage.ready()).toEqual(['b', 'c'])
      stage.run({ command: 'configure', queue: 'q', bounds: { messages: 0, isLossy: true } })
      expect(codeOf(() => enqueue('d'))).toBe('queue_full')
      expect(opened.tables.counts('q').waiting).toBe(3)
      stage.run({ command: 'configure', queue: 'q', bounds: { messages: 1, isLossy: true } })
      expect(enqueue('e').dropped).toBe(3)
      expect(stage.ready()).toEqual(['e'])
    })

    test('keeps the latest dead messages only', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.run({ command: 'configure', queue: 'q', bounds: { dead: 2 } })
      for (const data of ['a', 'b', 'c']) {
        stage.fail(stage.publish(data), 'never')
        stage.nowMs++
      }
      expect(deadOf(stage)).toEqual(['c', 'b'])
    })

    test('keeps dead messages for a time only, and says until when', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.fail(stage.publish('kept'), 'never')
      stage.run({ command: 'configure', queue: 'q', bounds: { deadMs: 50 } })
      stage.publish('a', { dedupe: { key: 'k', windowMs: 70 } })
      const dead = stage.publish('dead')
      stage.fail(dead, 'never')
      stage.fail(stage.publish('redriven'), 'never')
      stage.run({ command: 'redrive', queue: 'q', receipt: receiptOfNumber(dead + 1), limit: 1 })
      expect(stage.expiries).toEqual([1070, 1050, 1050])
      expect(opened.tables.nextExpiryMs()).toBe(1050)
      expect(opened.tables.forgetDead(1049, 10)).toBe(0)
      expect(opened.tables.forgetDead(1050, 10)).toBe(1)
      expect(opened.tables.nextExpiryMs()).toBe(1070)
      expect(opened.tables.forgetDedupes(1070, 10)).toBe(1)
      expect(opened.tables.nextExpiryMs()).toBeUndefined()
      expect(deadOf(stage)).toEqual(['kept'])
      expect(opened.tables.counts('q')).toMatchObject({ waiting: 2, dead: 1 })
    })
  })
})
