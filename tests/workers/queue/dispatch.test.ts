import { describe, expect, test } from 'bun:test'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { backoffMs } from '../../../workers/queue/core/backoff.ts'
import { verdict } from '../../../workers/queue/core/verdict.ts'
import { report } from '../../storage/queue/stage.ts'
import { dataOf, retries, setDispatchStage } from './support.ts'

const lane = { queue: 'q', functionId: undefined, namespace: undefined }

describe('a lease', () => {
  test('is for one holder: nobody else gets the message until it has ended', () => {
    using stage = setDispatchStage()
    for (const data of ['a', 'b', 'c']) stage.queue.publish(data)
    const [a, b] = stage.take(2)
    expect(dataOf([a!, b!])).toEqual(['a', 'b'])
    expect(dataOf(stage.take())).toEqual(['c'])
    expect(stage.take()).toEqual([])
    expect(stage.end(a!, { kind: 'done' })).toBe(true)
    expect(stage.queue.tables.counts('q')).toMatchObject({ waiting: 2, dead: 0 })
  })

  test('is not written', () => {
    using stage = setDispatchStage()
    const number = stage.queue.publish('a')
    const before = stage.queue.tables.get(number)
    stage.take()
    expect(stage.queue.tables.get(number)).toEqual(before!)
  })

  test('has the attempt, which is given before anybody looks at the data', () => {
    using stage = setDispatchStage()
    stage.queue.publish('a')
    for (const attempt of [1, 2, 3]) {
      const [lease] = stage.take()
      expect(lease?.attempt).toBe(attempt)
      stage.fail(lease!)
      stage.queue.nowMs += 1000
    }
    expect(stage.take()).toEqual([])
    expect(stage.queue.tables.counts('q')).toMatchObject({ waiting: 0, dead: 1 })
  })

  test('ends once, and only for who shows its token', () => {
    using stage = setDispatchStage()
    stage.queue.publish('a')
    const [lease] = stage.take()
    expect(stage.end({ ...lease!, token: 'e1-99' }, { kind: 'done' })).toBe(false)
    expect(stage.end(lease!, { kind: 'done' })).toBe(true)
    expect(stage.end(lease!, { kind: 'done' })).toBe(false)
    expect(stage.dispatch.extend(lease!.token, 9999)).toBe(false)
    expect(stage.dispatch.giveBack(lease!.token)).toBe(false)
  })

  test('that runs out is a failed attempt, and its holder can end it no more', () => {
    using stage = setDispatchStage({ leaseMs: 100 })
    stage.queue.publish('a')
    const [lease] = stage.take()
    expect(stage.dispatch.nextExpiryMs()).toBe(1100)
    expect(stage.dispatch.expired(1099)).toEqual([])
    stage.queue.nowMs = 1100
    const over = stage.dispatch.expired(1100)
    expect(over).toEqual([lease!])
    stage.queue.run(
      verdict(over[0]!, { kind: 'failed', report: report(1100) }, retries, { nowMs: 1100, chance: 0 }),
    )
    stage.commit()
    expect(stage.end(lease!, { kind: 'done' })).toBe(false)
    expect(stage.queue.tables.get(lease!.message.number)).toMatchObject({ failures: 1, dueAtMs: 1150 })
  })

  test('that is extended goes on', () => {
    using stage = setDispatchStage({ leaseMs: 100 })
    stage.queue.publish('a')
    const [lease] = stage.take()
    expect(stage.dispatch.extend(lease!.token, 1500)).toBe(true)
    expect(stage.dispatch.expired(1499)).toEqual([])
    expect(stage.dispatch.expired(1500)).toHaveLength(1)
  })

  test('that is given back burns no attempt, and the message has its old place', () => {
    using stage = setDispatchStage()
    for (const data of ['a', 'b']) stage.queue.publish(data)
    const [a] = stage.take(1)
    expect(stage.dispatch.giveBack(a!.token)).toBe(true)
    const again = stage.take()
    expect(dataOf(again)).toEqual(['a', 'b'])
    expect(again[0]).toMatchObject({ attempt: 1 })
    expect(again[0]?.token).not.toBe(a!.token)
  })

  test('of who is gone ends: the message goes to the next at once, one attempt later', () => {
    using stage = setDispatchStage()
    for (const data of ['a', 'b']) stage.queue.publish(data)
    stage.take(1, 'dead worker')
    stage.take(1, 'other')
    for (const lease of stage.dispatch.leave('dead worker')) {
      const ending = { kind: 'lost', report: report(1000) } as const
      stage.queue.run(verdict(lease, ending, retries, { nowMs: 1000, chance: 0 }))
    }
    const again = stage.take()
    expect(dataOf(again)).toEqual(['a'])
    expect(again[0]?.attempt).toBe(2)
  })

  test('is lost with the engine: everything is ready again, no attempt is burned, and no old token counts', () => {
    using stage = setDispatchStage()
    for (const data of ['a', 'b']) stage.queue.publish(data)
    const before = stage.take()
    stage.restart()
    const after = stage.take()
    expect(dataOf(after)).toEqual(['a', 'b'])
    expect(after.map(({ attempt }) => attempt)).toEqual([1, 1])
    expect(stage.end(before[0]!, { kind: 'done' })).toBe(false)
    expect(stage.end(after[0]!, { kind: 'done' })).toBe(true)
  })

  test('that has ended keeps the message from others until the end is committed', () => {
    using stage = setDispatchStage()
    stage.queue.publish('a')
    const [lease] = stage.take()
    expect(stage.dispatch.end(lease!.token)).toBe(lease)
    expect(stage.take()).toEqual([])
    expect(stage.dispatch.reasonOf(lease!.message, 1000)).toBe('ending')
    stage.dispatch.revive(lease!)
    expect(dataOf(stage.take())).toEqual(['a'])
  })
})

describe('a failed message', () => {
  test('is tried after 50, 100 and 200 ms, and is dead after the fourth attempt, with what went wrong', () => {
    using stage = setDispatchStage()
    const policy = { ...retries, maxAttempts: 4 }
    stage.queue.publish('a')
    const at: number[] = []
    while (stage.queue.tables.counts('q').waiting > 0) {
      const [lease] = stage.take()
      if (lease !== undefined) {
        at.push(stage.queue.nowMs)
        stage.end(lease, { kind: 'failed', report: report(stage.queue.nowMs) }, policy)
      }
      stage.queue.nowMs = stage.dispatch.nextDueMs(lane, stage.queue.nowMs) ?? stage.queue.nowMs
    }
    expect(at).toEqual([1000, 1050, 1150, 1350])
    const [dead] = stage.queue.tables.dead('q', undefined, 1)
    expect(dead?.reports.map(({ message }) => message)).toEqual(at.map(ms => `failed at ${ms}`))
  })

  test('of a queue without retries is dead after one attempt', () => {
    using stage = setDispatchStage()
    stage.queue.publish('a')
    stage.end(stage.take()[0]!, { kind: 'failed', report: report(1) }, { ...retries, maxAttempts: 0 })
    expect(stage.queue.tables.counts('q')).toMatchObject({ waiting: 0, dead: 1 })
  })

  test('goes before what was published later, when it is due', () => {
    using stage = setDispatchStage({ concurrency: 1 })
    for (const data of ['a', 'b', 'c']) stage.queue.publish(data)
    stage.fail(stage.take()[0]!)
    const [b] = stage.take()
    expect(dataOf([b!])).toEqual(['b'])
    stage.end(b!, { kind: 'done' })
    stage.queue.nowMs = 1050
    expect(dataOf(stage.take())).toEqual(['a'])
  })

  test('waits as long as who gave it back says', () => {
    using stage = setDispatchStage()
    stage.queue.publish('a')
    stage.end(stage.take()[0]!, { kind: 'failed', report: report(1), delayMs: 7 })
    expect(stage.dispatch.nextDueMs(lane, 1000)).toBe(1007)
  })

  test('that kills every worker ends, too', () => {
    using stage = setDispatchStage()
    stage.queue.publish('poison')
    for (const attempt of [1, 2, 3]) {
      const [lease] = stage.take()
      expect(lease?.attempt).toBe(attempt)
      stage.end(lease!, { kind: 'lost', report: report(1) })
    }
    expect(stage.queue.tables.counts('q')).toMatchObject({ waiting: 0, dead: 1 })
  })
})

describe('back-off', () => {
  const policy = { baseMs: 50, maxMs: 1000, jitter: 0 }
  const waits = (type: 'fixed' | 'linear' | 'exponential', jitter = 0, chance = 0) =>
    [1, 2, 3, 4, 2000].map(failures => backoffMs({ ...policy, type, jitter }, failures, chance))

  test('is fixed, linear or exponential, with a cap', () => {
    expect(waits('fixed')).toEqual([50, 50, 50, 50, 50])
    expect(waits('linear')).toEqual([50, 100, 150, 200, 1000])
    expect(waits('exponential')).toEqual([50, 100, 200, 400, 1000])
  })

  test('leaves a share to chance', () => {
    expect(waits('exponential', 0.5, 0)).toEqual([50, 100, 200, 400, 1000])
    expect(waits('exponential', 0.5, 0.5)).toEqual([38, 75, 150, 300, 750])
  })
})

describe('a queue', () => {
  test('has no more leases than its concurrency', () => {
    using stage = setDispatchStage({ concurrency: 2 })
    for (const data of ['a', 'b', 'c']) stage.queue.publish(data)
    const leases = stage.take()
    expect(dataOf(leases)).toEqual(['a', 'b'])
    expect(stage.dispatch.leased('q')).toBe(2)
    stage.end(leases[0]!, { kind: 'done' })
    expect(dataOf(stage.take())).toEqual(['c'])
  })

  test('does not slow another one', () => {
    using stage = setDispatchStage({ concurrency: 1 })
    for (let count = 0; count < 20; count++) stage.queue.publish('hot')
    stage.queue.publish('small', { queue: 'small' })
    stage.take()
    expect(dataOf(stage.take(1, 'w', 'small'))).toEqual(['small'])
  })

  test('keeps what is published before anybody takes it', () => {
    using stage = setDispatchStage()
    stage.dispatch.park('q', 'no_worker')
    for (let count = 0; count < 20; count++) stage.queue.publish(`${count}`)
    expect(stage.take()).toEqual([])
    stage.dispatch.unpark('q', 'no_worker')
    expect(dataOf(stage.take(3))).toEqual(['0', '1', '2'])
  })

  test('that is parked hands out nothing and burns no attempts, and what was leased may end', () => {
    using stage = setDispatchStage()
    for (const data of ['a', 'b']) stage.queue.publish(data)
    const [a] = stage.take(1)
    stage.dispatch.park('q', 'paused')
    expect(stage.take()).toEqual([])
    expect(stage.end(a!, { kind: 'done' })).toBe(true)
    stage.dispatch.unpark('q', 'paused')
    expect(stage.take().map(({ attempt }) => attempt)).toEqual([1])
  })

  test.each([
    ['of messages', { windowSize: 4 }],
    ['of characters', { windowSize: 100, mostCharacters: 12 }],
    ['of one message', { windowSize: 100, mostCharacters: 1 }],
  ] as const)(
    'longer than its window %s comes in order, whatever is published, ended and given back meanwhile',
    (_, sizes) => {
      using stage = setDispatchStage({ concurrency: 3, ...sizes })
      for (let count = 0; count < 30; count++) stage.queue.publish(`${count}`, { priority: count % 3 })
      const seen: string[] = []
      for (let turn = 0; ; turn++) {
        const leases = stage.take()
        if (leases.length === 0) break
        for (const lease of leases) {
          if (turn % 4 === 1 && lease === leases[0]) stage.dispatch.giveBack(lease.token)
          else {
            seen.push(...dataOf([lease]))
            stage.end(lease, { kind: 'done' })
          }
        }
      }
      expect(seen).toHaveLength(30)
      expect(new Set(seen).size).toBe(30)
      expect(seen.map(data => Number(data) % 3).lastIndexOf(2)).toBeLessThan(13)
    },
  )
})

describe('every message names its reason', () => {
  test('whatever it waits for', () => {
    using stage = setDispatchStage({ concurrency: 2 })
    const { queue, dispatch } = stage
    const numbers = {
      leased: queue.publish('leased', { group: 'g' }),
      predecessor: queue.publish('behind', { group: 'g' }),
      backing_off: queue.publish('failed'),
      scheduled: queue.publish('later', { dueAtMs: 5000 }),
      dead: queue.publish('dead'),
      ready: queue.publish('next'),
    }
    queue.fail(numbers.backing_off, 4000)
    queue.fail(numbers.dead, 'never')
    const reason = (number: number) => dispatch.reasonOf(queue.tables.get(number)!, queue.nowMs)
    stage.take(1)
    for (const [name, number] of Object.entries(numbers)) expect(reason(number)).toBe(name as never)
    dispatch.park('q', 'no_worker')
    expect(reason(numbers.ready)).toBe('no_worker')
    dispatch.park('q', 'paused')
    expect(reason(numbers.ready)).toBe('paused')
    dispatch.unpark('q', 'paused')
    dispatch.unpark('q', 'no_worker')
    stage.take(1)
    const last = queue.publish('last')
    expect(reason(last)).toBe('no_capacity')
  })
})

describe('when the clock on the wall is set back, what was read because it was due is known to be due again', () => {
  test('if that was all', () => {
    using stage = setDispatchStage()
    for (const dueAtMs of [1100, 1150, 1200]) stage.queue.publish(`${dueAtMs}`, { dueAtMs })
    stage.queue.nowMs = 1300
    expect(dataOf(stage.take(1))).toEqual(['1100'])
    expect(stage.dispatch.nextDueMs(lane, 1000)).toBe(1150)
    expect(stage.dispatch.nextDueMs(lane, 1150)).toBe(1200)
  })

  test('and if there is more to read', () => {
    using stage = setDispatchStage({ windowSize: 2 })
    for (const dueAtMs of [1100, 1150, 1200, 1250]) stage.queue.publish(`${dueAtMs}`, { dueAtMs })
    stage.queue.nowMs = 1300
    expect(dataOf(stage.take(1))).toEqual(['1100'])
    // Nothing is read.
    expect(stage.dispatch.isFilled(lane, 1120)).toBe(true)
    expect(stage.dispatch.nextDueMs(lane, 1120, false)).toBe(1150)
  })
})

test('what was set aside because of its key is forgotten with the windows: it may be gone', () => {
  using stage = setDispatchStage({ perKey: { field: 'k', most: 1 } })
  const [, second] = [1, 2].map(() => stage.queue.publish('a', { data: asJsonText('{"k":"a"}') }))
  const [first] = stage.take()
  expect(stage.take()).toEqual([])
  stage.queue.tables.remove(stage.queue.tables.get(second!)!)
  stage.dispatch.forget()
  expect(stage.take()).toEqual([])
  stage.end(first!, { kind: 'done' })
  expect(stage.take()).toEqual([])
})

test('what was handed out before everything was forgotten is read anew when it comes back', () => {
  using stage = setDispatchStage()
  const { queue } = stage
  queue.run({ command: 'enqueue', queue: 'q', data: '"x"' as never })
  const [lease] = stage.take()
  // Written, and nobody was told: the disk did not say so.
  const { number } = lease!.message
  queue.run({ command: 'fail', number, report: report(queue.nowMs), next: 'now' })
  queue.told.pop()
  stage.dispatch.forget()
  expect(stage.take()).toEqual([])
  stage.dispatch.giveBack(lease!.token)
  expect(stage.take().map(({ attempt }) => attempt)).toEqual([2])
})
