/** What a lease is, and what becomes of a message when it ends. */

import { describe, expect, test } from 'bun:test'
import { limits } from '../../../../src/protocol/limits.ts'
import { backends, dataOf, lane, report, retry, setStage } from './backends.ts'

describe.each(backends)('leases of %s', (_, open) => {
  test('a message is with one holder at a time', async () => {
    await using stage = setStage(open)
    for (const data of ['a', 'b', 'c']) await stage.publish(data)
    expect(await stage.data(2, { holder: 'one' })).toEqual(['a', 'b'])
    expect(await stage.data(9, { holder: 'other' })).toEqual(['c'])
    expect(await stage.data()).toEqual([])
  })

  test('who has it says that it is done, and it is gone', async () => {
    await using stage = setStage(open)
    const receipt = await stage.publish('a')
    const [lease] = await stage.take()
    expect(await stage.finish(lease)).toBe('done')
    expect(await stage.backend.find(receipt)).toBeUndefined()
    expect(await stage.backend.state('q')).toMatchObject({ waiting: 0, dead: 0, leased: 0 })
  })

  test('only the token of the lease ends it, and once', async () => {
    await using stage = setStage(open)
    await stage.publish('a')
    const [lease] = await stage.take()
    expect(await stage.backend.finish('another')).toBe('over')
    expect(await stage.finish(lease)).toBe('done')
    expect(await stage.finish(lease)).toBe('over')
    expect(await stage.fail(lease)).toBe('over')
    expect(await stage.backend.giveBack(lease!.token)).toBe(false)
    expect(await stage.backend.extend(lease!.token, 10)).toBeUndefined()
  })

  test('a token of a lease that is over is refused when somebody else has the message', async () => {
    await using stage = setStage(open)
    await stage.publish('a')
    const [old] = await stage.take()
    await stage.pass(1000)
    await stage.pass(50)
    const [lease] = await stage.take()
    expect(dataOf([lease!])).toEqual(['a'])
    expect(await stage.finish(old)).toBe('over')
    expect(await stage.finish(lease)).toBe('done')
  })

  test('its time is over: a failed attempt, and the holder is told', async () => {
    await using stage = setStage(open)
    const receipt = await stage.publish('a')
    const [lease] = await stage.take(1, { leaseMs: 500 })
    await stage.pass(499)
    expect(stage.expired).toEqual([])
    await stage.pass(1)
    expect(stage.expired).toEqual([lease!])
    const found = await stage.backend.find(receipt)
    expect(found).toMatchObject({ reason: 'backing_off', message: { failures: 1 } })
    expect(found?.message.reports).toMatchObject([{ code: 'lease_expired' }])
  })

  test('whoever goes on with it extends it', async () => {
    await using stage = setStage(open)
    await stage.publish('a')
    const [lease] = await stage.take(1, { leaseMs: 500 })
    await stage.pass(400)
    expect(await stage.backend.extend(lease!.token, 500)).toBe(stage.nowMs() + 500)
    await stage.pass(499)
    expect(stage.expired).toEqual([])
    expect(await stage.finish(lease)).toBe('done')
  })

  test('it is given back as it was: no attempt is burned, and it has its old place', async () => {
    await using stage = setStage(open)
    for (const data of ['a', 'b']) await stage.publish(data)
    const [a] = await stage.take(1)
    expect(await stage.backend.giveBack(a!.token)).toBe(true)
    const again = await stage.take()
    expect(dataOf(again)).toEqual(['a', 'b'])
    expect(again[0]!.attempt).toBe(1)
    expect(again[0]!.token).not.toBe(a!.token)
  })

  test('a crash of the engine: what was leased is ready at once, no attempt is burned, and no old token counts', async () => {
    await using stage = setStage(open)
    for (const data of ['a', 'b']) await stage.publish(data)
    const [before] = await stage.take()
    await stage.restart()
    const after = await stage.take()
    expect(dataOf(after)).toEqual(['a', 'b'])
    expect(after.map(({ attempt }) => attempt)).toEqual([1, 1])
    expect(await stage.finish(before)).toBe('over')
    expect(await stage.finish(after[0])).toBe('done')
  })

  test('a crash of the worker: what it had is ready at once, an attempt later', async () => {
    await using stage = setStage(open)
    for (const data of ['a', 'b']) await stage.publish(data)
    await stage.take(1, { holder: 'dead' })
    await stage.take(1, { holder: 'other' })
    stage.backend.leave('dead', report(1, 'GONE'))
    await stage.settled()
    const [again] = await stage.take()
    expect(dataOf([again!])).toEqual(['a'])
    expect(again).toMatchObject({ attempt: 2, message: { reports: [{ code: 'GONE' }] } })
  })

  test('the attempt moves before anybody looks at the message: poison ends among the dead', async () => {
    await using stage = setStage(open)
    const receipt = await stage.publish('poison')
    for (const attempt of [1, 2, 3]) {
      const [lease] = await stage.take(1, { holder: 'victim' })
      expect(lease!.attempt).toBe(attempt)
      stage.backend.leave('victim', report(attempt))
      await stage.settled()
    }
    expect(await stage.reason(receipt)).toBe('dead')
    expect(await stage.data()).toEqual([])
  })

  test('no more are leased than there are places', async () => {
    await using stage = setStage(open, { concurrency: 2 })
    for (const data of ['a', 'b', 'c', 'd']) await stage.publish(data)
    const [a] = await stage.take()
    expect(await stage.data()).toEqual([])
    await stage.finish(a)
    expect(await stage.data()).toEqual(['c'])
  })

  test('who takes without a place is not bounded by the places', async () => {
    await using stage = setStage(open, { concurrency: 1 })
    for (const data of ['a', 'b', 'c']) await stage.publish(data)
    expect(await stage.data(9, { hasPlace: false })).toEqual(['a', 'b', 'c'])
  })

  test('lanes of a queue share its places, and one that nobody takes from is in nobody’s way', async () => {
    await using stage = setStage(open, { concurrency: 2 })
    const away = { queue: 'q', functionId: 'away', namespace: undefined }
    const here = { queue: 'q', functionId: 'here', namespace: undefined }
    for (let count = 0; count < 600; count++) void stage.publish(count, away)
    for (const data of ['a', 'b', 'c']) await stage.publish(data, here)
    expect(await stage.data(9, { lane: here })).toEqual(['a', 'b'])
    expect(await stage.data(9, { lane: away })).toEqual([])
  })

  test('a push is told: nobody has to ask again and again', async () => {
    await using stage = setStage(open)
    expect(await stage.data()).toEqual([])
    await stage.publish('a')
    expect(stage.told).toEqual(['q'])
  })

  test('a time that comes is told', async () => {
    await using stage = setStage(open)
    await stage.publish('later', { dueAtMs: stage.nowMs() + 5000 })
    expect(await stage.data()).toEqual([])
    stage.told.length = 0
    await stage.pass(4999)
    expect(stage.told).toEqual([])
    await stage.pass(2)
    expect(stage.told).toEqual(['q'])
    expect(await stage.data()).toEqual(['later'])
  })

  test('only of the lanes in which one has come', async () => {
    await using stage = setStage(open)
    const lanes = ['q', 'r', 's'].map(queue => ({ ...lane, queue }))
    for (const [place, each] of lanes.entries()) {
      await stage.publish('later', { ...each, dueAtMs: stage.nowMs() + 5000 * (place + 1) })
      expect(await stage.data(1, { lane: each })).toEqual([])
    }
    stage.told.length = 0
    await stage.pass(5001)
    expect(stage.told).toEqual(['q'])
    await stage.pass(5000)
    expect(stage.told).toEqual(['q', 'r'])
  })

  test('also when the clock on the wall is set forward, soon', async () => {
    await using stage = setStage(open)
    await stage.publish('tomorrow', { dueAtMs: stage.nowMs() + 86_400_000 })
    expect(await stage.data()).toEqual([])
    stage.told.length = 0
    stage.setWall(86_400_000)
    await stage.pass(limits.queueLookMs)
    expect(stage.told).toEqual(['q'])
    expect(await stage.data()).toEqual(['tomorrow'])
  })

  test.each([86_400_000, -86_400_000])(
    'a lease lasts as long as it was to, also when the clock is set by %p ms',
    async setMs => {
      await using stage = setStage(open)
      for (const data of ['one', 'other']) await stage.publish(data)
      const [lease, other] = await stage.take(2, { leaseMs: 20_000 })
      await stage.pass(5000)
      stage.setWall(setMs)
      await stage.pass(3000)
      expect(stage.backend.extend(other!.token, 60_000)).toBe(stage.nowMs() + 60_000)
      await stage.pass(11_999)
      expect(stage.expired).toEqual([])
      await stage.pass(1 + limits.queueLookMs)
      expect(stage.expired.map(({ token }) => token)).toEqual([lease!.token])
      await stage.pass(60_000)
      expect(stage.expired).toHaveLength(2)
    },
  )

  test('also one that had come already, before the clock on the wall was set back', async () => {
    await using stage = setStage(open)
    for (const data of ['one', 'other']) await stage.publish(data, { dueAtMs: stage.nowMs() + 100 })
    await stage.pass(101)
    const [lease] = await stage.take(1)
    stage.setWall(-5000)
    await stage.finish(lease)
    expect(await stage.data()).toEqual([])
    stage.told.length = 0
    await stage.pass(4998)
    expect(await stage.data()).toEqual([])
    expect(stage.told).toEqual([])
    await stage.pass(2)
    expect(stage.told).toEqual(['q'])
    expect(await stage.data()).toEqual(['other'])
  })

  test('messages wait for whoever takes them, however long nobody does', async () => {
    await using stage = setStage(open)
    for (let count = 0; count < 20; count++) await stage.publish(count)
    await stage.pass(30 * 24 * 3_600_000)
    await stage.restart()
    expect(await stage.data(3)).toEqual([0, 1, 2])
  })

  test('every sentence of a policy goes with the lease: attempts in total', async () => {
    await using stage = setStage(open)
    await stage.publish('a')
    const [lease] = await stage.take(1, { retry: { ...retry, maxAttempts: 0 } })
    expect(await stage.fail(lease)).toBe('dead')
    expect(lane.queue).toBe(lease!.message.queue)
  })
})
