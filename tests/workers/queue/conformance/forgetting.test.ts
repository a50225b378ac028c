/** A program that has a queue for each thing that it does does not fill the memory with their names. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { limits } from '../../../../src/protocol/limits.ts'
import { createMeter } from '../../../../workers/queue/core/meter.ts'
import { backends, lane, setStage } from './backends.ts'

const { queueNamesKept } = limits
const set = (remembered: number): void => void Object.assign(limits, { queueNamesKept: remembered })

beforeEach(() => set(10))
afterEach(() => set(queueNamesKept))

describe.each(backends)('lanes that have no messages any more in %s', (_, open) => {
  test('may be forgotten when there are many, those with messages may not', async () => {
    await using stage = setStage(open)
    await stage.publish('left', { queue: 'kept' })
    for (let number = 0; number < 150; number++) {
      const own = { ...lane, queue: `reply-${number}` }
      await stage.publish(number, own)
      await stage.finish((await stage.take(1, { lane: own }))[0])
      await stage.settled()
    }
    expect(stage.idle.length).toBeGreaterThan(60)
    expect(stage.idle).not.toContain('kept')
    expect((await stage.backend.queues(undefined, 1000)).length).toBeLessThan(20)
    expect(await stage.data(9, { lane: { ...lane, queue: 'kept' } })).toEqual(['left'])
  })

  test('and of which nobody has ever published one may, too', async () => {
    await using stage = setStage(open)
    for (let number = 0; number < 150; number++)
      await stage.take(1, { lane: { ...lane, queue: `reply-${number}` } })
    await stage.settled()
    expect(stage.idle.length).toBeGreaterThan(60)
  })
})

test('rates are kept of the queues in which something has happened last', () => {
  let nowMs = 0
  const meter = createMeter(() => nowMs, 3)
  for (const queue of ['a', 'b', 'c']) meter.count(queue, 'done', 60)
  nowMs += 1000
  meter.count('a', 'done', 60)
  meter.count('d', 'done', 60)
  expect(['a', 'b', 'c', 'd'].map(queue => meter.rates(queue).done)).toEqual([2, 0, 1, 1])
})
