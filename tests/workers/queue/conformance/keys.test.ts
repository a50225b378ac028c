/** At most so many messages of one key are under way at once; they are in no order. */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../../../src/protocol/limits.ts'
import type { Lane } from '../../../../src/storage/queue/message.ts'
import type { Lease } from '../../../../workers/queue/core/lease.ts'
import { createRandom } from '../../../support/random.ts'
import { backends, lane, retry, type Stage, setStage } from './backends.ts'

const perKey = { field: 'shop', most: 2 }
const message = (shop: unknown, n: number) => ({ shop, n })

async function publishAll(stage: Stage, shops: string): Promise<void> {
  for (const [n, shop] of [...shops].entries()) await stage.publish(message(shop, n))
}

/** As `a0`: the shop, and the place among all. */
const shown = (leases: readonly Lease[]): string =>
  leases
    .map(({ message: { data } }) => JSON.parse(data) as ReturnType<typeof message>)
    .map(({ shop, n }) => `${shop}${n}`)
    .join(' ')

describe.each(backends)('keys in %s', (_, open) => {
  const take = (stage: Stage, max = 100, of: Lane = lane) =>
    stage.take(max, { perKey, hasPlace: false, lane: of })

  test('whose key is full is passed over, and comes at its old place when there is room', async () => {
    await using stage = setStage(open)
    await publishAll(stage, 'aaaabca')
    const leases = await take(stage)
    expect(shown(leases)).toBe('a0 a1 b4 c5')
    expect(shown(await take(stage))).toBe('')
    await stage.publish(message('b', 7))
    await stage.finish(leases[0])
    expect(shown(await take(stage))).toBe('a2 b7')
    await stage.finish(leases[1])
    await stage.finish(leases[2])
    expect(shown(await take(stage))).toBe('a3')
  })

  test('who was passed over because of a key comes for a taker to whom keys are nothing', async () => {
    await using stage = setStage(open)
    await publishAll(stage, 'aaab')
    const leases = await take(stage)
    expect(shown(leases)).toBe('a0 a1 b3')
    expect(shown(await stage.take(100, { hasPlace: false }))).toBe('a2')
  })

  test('its reason is its key', async () => {
    await using stage = setStage(open)
    const receipts = [
      await stage.publish(message('a', 0)),
      await stage.publish(message('a', 1)),
      await stage.publish(message('a', 2)),
      await stage.publish(message('b', 3)),
    ]
    await take(stage, 2)
    expect(await Promise.all(receipts.map(stage.reason))).toEqual(['leased', 'leased', 'key', 'ready'])
  })

  test('who waits is told when a key has room again: done, failed, given back, expired, its holder gone', async () => {
    await using stage = setStage(open)
    await publishAll(stage, 'aaaaaaaaaa')
    const ends: ((lease: Lease) => unknown)[] = [
      lease => stage.finish(lease),
      lease => stage.fail(lease, 60_000),
      lease => stage.backend.giveBack(lease.token),
      () => stage.pass(1000),
      () => stage.backend.leave('w', { atMs: 0, code: 'GONE', message: 'gone' }),
    ]
    for (const end of ends) {
      const [lease] = await take(stage)
      expect(await take(stage)).toEqual([])
      stage.told.length = 0
      await end(lease!)
      await stage.settled()
      expect(stage.told).toContain('q')
    }
  })

  test('numbers and texts are the same key, and messages without one are not counted', async () => {
    await using stage = setStage(open)
    for (const shop of [1, '1', 1, null, undefined, null]) await stage.publish({ shop })
    await stage.publish('no object')
    expect(await take(stage)).toHaveLength(6)
  })

  test('a key counts over all functions of a queue', async () => {
    await using stage = setStage(open)
    const lanes = ['f', 'g'].map(functionId => ({ ...lane, functionId }))
    for (const of of lanes) for (const n of [0, 1]) await stage.publish(message('a', n), of)
    const first = await take(stage, 100, lanes[0])
    expect(shown(first)).toBe('a0 a1')
    expect(await take(stage, 100, lanes[1])).toEqual([])
    await stage.finish(first[0])
    expect(shown(await take(stage, 100, lanes[1]))).toBe('a0')
  })

  test('one that was passed over and is cancelled is gone; one that is under way makes room', async () => {
    await using stage = setStage(open)
    const receipts: string[] = []
    for (const n of [0, 1, 2, 3]) receipts.push(await stage.publish(message('a', n)))
    const [first] = await take(stage)
    await stage.backend.cancel(receipts[2]!)
    await stage.finish(first)
    expect(shown(await take(stage))).toBe('a3')
  })

  test('one that came back and is cancelled makes room for the next', async () => {
    await using stage = setStage(open)
    const receipts: string[] = []
    for (const n of [0, 1, 2, 3]) receipts.push(await stage.publish(message('a', n)))
    const [first] = await take(stage)
    await stage.finish(first)
    stage.told.length = 0
    await stage.backend.cancel(receipts[2]!)
    expect(stage.told).toContain('q')
    expect(shown(await take(stage))).toBe('a3')
  })

  test('so many are passed over, and no more; what is behind them comes when the first of them do', async () => {
    await using stage = setStage(open)
    const data = Array.from({ length: limits.queueSetAside + 2 }, (_, n) => n)
    await Promise.all(data.map(n => stage.publish(message('a', n))))
    await stage.publish(message('b', 0))
    const leases = await take(stage)
    expect(shown(leases)).toBe('a0 a1')
    expect(await take(stage)).toEqual([])
    await stage.finish(leases[0])
    expect(shown(await take(stage))).toBe('a2 b0')
  })

  test('a message that has failed comes again, within its key', async () => {
    await using stage = setStage(open)
    await publishAll(stage, 'aaa')
    const [first] = await take(stage)
    await stage.fail(first, 10)
    expect(shown(await take(stage))).toBe('a2')
    await stage.pass(10)
    expect(await take(stage)).toEqual([])
  })

  test('by chance: never more than may be, and in the end all of them', async () => {
    const random = createRandom()
    await using stage = setStage(open)
    const left = new Set<string>()
    const held: Lease[] = []
    for (let n = 0; n < 150; n++) {
      const shop = 'abc'[random.between(0, 3)]!
      const more = {
        group: random.between(0, 3) === 0 ? `g${random.between(0, 5)}` : undefined,
        priority: random.between(0, 4) === 0 ? 1 : 0,
        dueAtMs: random.between(0, 5) === 0 ? stage.nowMs() + random.between(1, 200) : undefined,
      }
      left.add(await stage.publish(message(shop, n), { ...more, receipt: `${n}` }))
    }
    for (let step = 0; left.size > 0 || held.length > 0; step++) {
      if (step > 5000) throw new Error(`seed ${random.seed}: ${left.size} are never handed out`)
      held.push(...(await stage.take(random.between(1, 9), { perKey, retry: { ...retry, maxAttempts: 99 } })))
      const keys = held.map(({ message }) => JSON.parse(message.data).shop)
      for (const key of 'abc') expect(keys.filter(each => each === key).length).toBeLessThanOrEqual(2)
      const [lease] = held.splice(random.between(0, held.length), 1)
      const fate = random.between(0, 16)
      if (lease === undefined) await stage.pass(20)
      else if (fate < 4) await stage.fail(lease, random.between(0, 50))
      else if (fate < 7) await stage.backend.giveBack(lease.token)
      else {
        left.delete(lease.message.receipt!)
        if (fate === 7) await stage.backend.cancel(lease.message.receipt!)
        await stage.finish(lease)
      }
    }
  })
})
