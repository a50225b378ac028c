import { describe, expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import { numberOfReceipt, receiptOfNumber } from '../../../src/storage/queue/receipt.ts'
import { dataOf, laneOf, report, setQueueStage } from './stage.ts'
import { queueTables } from './tables.ts'

describe.each(queueTables)('queues in %s', (_, open) => {
  describe('a message', () => {
    test('is ready when it is published, the oldest first', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      for (const data of ['a', 'b', 'c']) stage.publish(data)
      stage.publish('other', { queue: 'other' })
      expect(stage.ready()).toEqual(['a', 'b', 'c'])
      expect(stage.ready('other')).toEqual(['other'])
      expect(opened.tables.counts('q')).toMatchObject({ waiting: 3, dead: 0 })
    })

    test('is kept with everything that was said of it', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const said = {
        receipt: 'r-1',
        functionId: 'orders::create',
        namespace: 'eu',
        group: 'customer 7',
        priority: 5,
        dueAtMs: 5000,
        traceparent: '00-a-b-01',
        baggage: 'k=v',
        metadata: '{"by":"test"}' as never,
      }
      const number = stage.publish('a', said)
      expect(opened.tables.get(number)).toEqual({
        ...said,
        number,
        queue: 'q',
        data: '"a"' as never,
        publishedAtMs: 1000,
        failures: 0,
        reports: [],
        isHead: true,
        deadAtMs: undefined,
        keptUntilMs: undefined,
      })
      expect(opened.tables.byReceipt('r-1')?.number).toBe(number)
    })

    test('of higher priority goes first, and within one priority the oldest', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.publish('low', { priority: -1 })
      stage.publish('a')
      stage.publish('high 1', { priority: 9 })
      stage.publish('b')
      stage.publish('high 2', { priority: 9 })
      expect(stage.ready()).toEqual(['high 1', 'high 2', 'a', 'b', 'low'])
    })

    test('is listed in pages', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      for (const [data, priority] of [
        ['a', 0],
        ['b', 1],
        ['c', 0],
        ['d', 1],
      ] as const)
        stage.publish(data, { priority })
      const first = opened.tables.ready(laneOf('q'), undefined, 3)
      expect(dataOf(first)).toEqual(['b', 'd', 'a'])
      expect(dataOf(opened.tables.ready(laneOf('q'), first[1], 3))).toEqual(['a', 'c'])
      expect(opened.tables.ready(laneOf('q'), undefined, 0)).toEqual([])
    })

    test('that is done is gone, and done twice does nothing', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const number = stage.publish('a')
      expect(stage.finish(number)).toEqual({ count: 1 })
      expect(stage.finish(number)).toEqual({ count: 0 })
      expect(stage.ready()).toEqual([])
      expect(opened.tables.get(number)).toBeUndefined()
      expect(opened.tables.counts('q')).toMatchObject({ waiting: 0, dead: 0 })
    })

    test('is told of when it may be leased, and when it may not be any more', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const number = stage.publish('a')
      stage.fail(number, 2000)
      stage.finish(number)
      expect(stage.told.map(({ event, message }) => [event, message.dueAtMs, message.failures])).toEqual([
        ['placed', undefined, 0],
        ['placed', 2000, 1],
        ['gone', 2000, 1],
      ])
    })
  })

  describe('a scheduled message', () => {
    test('is due at its time, and not ready before', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.publish('late', { dueAtMs: 3000 })
      stage.publish('soon', { dueAtMs: 2000.5 })
      stage.publish('past', { dueAtMs: 1000 })
      expect(stage.ready()).toEqual(['past'])
      expect(opened.tables.nextDueMs(laneOf('q'), 0)).toBe(2001)
      expect(opened.tables.nextDueMs(laneOf('q'), 2001)).toBe(3000)
      expect(opened.tables.nextDueMs(laneOf('q'), 3000)).toBeUndefined()
      expect(opened.tables.due(laneOf('q'), 2000, undefined, 10)).toEqual([])
      expect(dataOf(opened.tables.due(laneOf('q'), 2001, undefined, 10))).toEqual(['soon'])
      expect(dataOf(opened.tables.due(laneOf('q'), 3000, undefined, 10))).toEqual(['soon', 'late'])
      const [soon] = opened.tables.due(laneOf('q'), 3000, undefined, 1)
      expect(soon).toMatchObject({ dueAtMs: 2001, data: '"soon"' as never })
      const place = { dueAtMs: 2001, number: soon!.number }
      expect(dataOf(opened.tables.due(laneOf('q'), 3000, place, 1))).toEqual(['late'])
      expect(opened.tables.due(laneOf('other'), 3000, undefined, 1)).toEqual([])
    })
  })

  describe('a failure', () => {
    test('is counted and reported, and the message is due when its holder says so', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const number = stage.publish('a')
      expect(stage.fail(number, 1500)).toEqual({ count: 1 })
      stage.nowMs = 1500
      stage.fail(number, 'now')
      expect(opened.tables.get(number)).toMatchObject({
        failures: 2,
        reports: [report(1000), report(1500)],
        dueAtMs: undefined,
      })
      expect(stage.ready()).toEqual(['a'])
    })

    test('leaves the message its place: it goes before what was published later', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const number = stage.publish('a')
      stage.publish('b')
      stage.fail(number, 'now')
      expect(stage.ready()).toEqual(['a', 'b'])
    })

    test('is one of many: the latest are told, all are counted', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const number = stage.publish('a')
      for (let at = 0; at < limits.queueReportsKept + 3; at++) stage.fail(number, 'now')
      const message = opened.tables.get(number)!
      expect(message.failures).toBe(limits.queueReportsKept + 3)
      expect(message.reports).toHaveLength(limits.queueReportsKept)
    })

    test('of what is not there any more does nothing', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const number = stage.publish('a')
      stage.fail(number, 'never')
      expect(stage.fail(number, 'now')).toEqual({ count: 0 })
      expect(stage.finish(number)).toEqual({ count: 0 })
      expect(stage.fail(number + 1, 'now')).toEqual({ count: 0 })
      expect(opened.tables.counts('q')).toMatchObject({ waiting: 0, dead: 1 })
    })
  })

  describe('a dead message', () => {
    test('is listed, the latest first, in pages', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      for (const data of ['a', 'b', 'c']) {
        stage.fail(stage.publish(data), 'never')
        stage.nowMs += data === 'a' ? 0 : 10
      }
      const [first, second] = opened.tables.dead('q', undefined, 2)
      expect(dataOf([first!, second!])).toEqual(['c', 'b'])
      const place = { deadAtMs: second!.deadAtMs!, number: second!.number }
      expect(dataOf(opened.tables.dead('q', place, 2))).toEqual(['a'])
      expect(opened.tables.dead('nobody', undefined, 2)).toEqual([])
      expect(first).toMatchObject({ deadAtMs: 1010, failures: 1, reports: [report(1010)], isHead: false })
    })

    test('is redriven with no failures, under the receipt it had', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      const number = stage.publish('a')
      stage.fail(number, 'never')
      const redriven = stage.run({
        command: 'redrive',
        queue: 'q',
        receipt: receiptOfNumber(number),
        limit: 1,
      })
      expect(redriven).toEqual({ count: 1 })
      expect(opened.tables.get(number)).toMatchObject({ failures: 0, deadAtMs: undefined })
      expect(stage.ready()).toEqual(['a'])
      expect(opened.tables.counts('q')).toMatchObject({ waiting: 1, dead: 0 })
    })

    test('is redriven with others, those that died first before the others', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      for (const data of ['a', 'b', 'c']) {
        stage.fail(stage.publish(data), 'never')
        stage.nowMs++
      }
      expect(stage.run({ command: 'redrive', queue: 'q', limit: 2 })).toEqual({ count: 2 })
      expect(stage.ready()).toEqual(['a', 'b'])
      expect(stage.run({ command: 'redrive', queue: 'q', limit: 2 })).toEqual({ count: 1 })
      expect(stage.run({ command: 'redrive', queue: 'q', limit: 2 })).toEqual({ count: 0 })
    })

    test('is discarded by its receipt, and only from its own queue', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.fail(stage.publish('a', { receipt: 'r' }), 'never')
      expect(stage.run({ command: 'discard', queue: 'other', receipt: 'r' })).toEqual({ count: 0 })
      expect(stage.run({ command: 'discard', queue: 'q', receipt: 'r' })).toEqual({ count: 1 })
      expect(stage.run({ command: 'discard', queue: 'q', receipt: 'r' })).toEqual({ count: 0 })
      expect(opened.tables.counts('q')).toMatchObject({ waiting: 0, dead: 0 })
    })

    test('is the only kind that is redriven or discarded', () => {
      using opened = open()
      const stage = setQueueStage(opened.tables)
      stage.publish('a', { receipt: 'r' })
      expect(stage.run({ command: 'discard', queue: 'q', receipt: 'r' })).toEqual({ count: 0 })
      expect(stage.run({ command: 'redrive', queue: 'q', receipt: 'r', limit: 1 })).toEqual({ count: 0 })
      expect(stage.ready()).toEqual(['a'])
    })
  })

  test('counts know each message once, by what is written of it', () => {
    using opened = open()
    const stage = setQueueStage(opened.tables)
    stage.publish('ready')
    stage.publish('ä', { dueAtMs: 3000, functionId: 'f' })
    stage.publish('a1', { group: 'a' })
    const behind = stage.publish('a2', { group: 'a', dueAtMs: 4000 })
    stage.fail(stage.publish('dead'), 'never')
    const counts = { waiting: 4, ready: 2, timed: 1, behind: 1, dead: 1, bytes: 7 + 4 + 4 + 4 }
    expect(opened.tables.counts('q')).toEqual(counts)
    expect(opened.tables.queue('q')).toMatchObject({ name: 'q', isPaused: false, counts })
    expect(opened.tables.counts('nobody')).toMatchObject({ waiting: 0, dead: 0 })
    expect(opened.tables.queue('nobody')).toBeUndefined()
    stage.finish(behind)
    expect(opened.tables.counts('q')).toMatchObject({ waiting: 3, behind: 0 })
    for (const queue of ['b', 'ä', 'a']) stage.publish('x', { queue })
    expect(opened.tables.queues(undefined, 2).map(({ name }) => name)).toEqual(['a', 'b'])
    expect(opened.tables.queues('b', 9).map(({ name }) => name)).toEqual(['q', 'ä'])
  })

  test('a receipt that is there already is the same message', () => {
    using opened = open()
    const stage = setQueueStage(opened.tables)
    stage.publish('a', { receipt: 'r' })
    const again = stage.run({ command: 'enqueue', queue: 'q', data: '2' as never, receipt: 'r' })
    expect(again).toEqual({ count: 0, receipt: 'r', isDuplicate: true })
    expect(stage.ready()).toEqual(['a'])
  })

  test('a transaction that is undone leaves nothing', () => {
    using opened = open()
    const stage = setQueueStage(opened.tables)
    const [first, second, third] = ['a1', 'a2', 'a3'].map(data => stage.publish(data, { group: 'a' }))
    stage.fail(stage.publish('dead'), 'never')
    const before = [stage.ready(), opened.tables.get(first!), opened.tables.counts('q')]
    opened.undone(() => {
      stage.finish(first!)
      stage.fail(second!, 5000)
      stage.publish('new', { receipt: 'r', dedupe: { key: 'k', windowMs: 10 } })
      stage.run({ command: 'redrive', queue: 'q', limit: 1 })
    })
    expect([stage.ready(), opened.tables.get(first!), opened.tables.counts('q')]).toEqual(before)
    expect(opened.tables.dedupe('q', 'k')).toBeUndefined()
    expect(opened.tables.byReceipt('r')).toBeUndefined()
    stage.finish(first!)
    stage.finish(second!)
    expect(opened.tables.get(third!)?.isHead).toBe(true)
  })
})

test('a message too large for any frame is refused', () => {
  using opened = queueTables[0]![1]()
  const stage = setQueueStage(opened.tables)
  expect(() => stage.publish('x'.repeat(limits.valueBytes))).toThrow('Keep the value elsewhere')
  expect(stage.ready()).toEqual([])
})

test('a receipt leads to its number', () => {
  for (const number of [1, 255, 256, 2 ** 40 + 3, Number.MAX_SAFE_INTEGER]) {
    const receipt = receiptOfNumber(number)
    expect(receipt).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(numberOfReceipt(receipt)).toBe(number)
  }
  expect(numberOfReceipt('01890a5d-ac96-774b-bcce-b302099a8057')).toBeUndefined()
})
