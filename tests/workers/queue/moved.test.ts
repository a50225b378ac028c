/** Messages that are moved to another queue while somebody has them, and lanes that are forgotten. */
import { describe, expect, test } from 'bun:test'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import type { Lane } from '../../../src/storage/queue/message.ts'
import type { Lease } from '../../../workers/queue/core/lease.ts'
import { verdict } from '../../../workers/queue/core/verdict.ts'
import { report } from '../../storage/queue/stage.ts'
import { createRandom } from '../../support/random.ts'
import { type DispatchStage, dataOf, retries, setDispatchStage } from './support.ts'

const TO: Lane = { queue: 'to', functionId: 'mail', namespace: undefined }

const takeOf = ({ dispatch, queue }: DispatchStage, lane = TO): Lease[] =>
  dispatch.take({ lane, holder: 'w', max: 9, leaseMs: 1000, retry: retries, hasPlace: true }, queue.nowMs)

/** One that has messages already takes them over one by one. */
function move(stage: DispatchStage): void {
  stage.queue.run({ command: 'adopt', from: 'q', to: 'to', functionId: 'mail', limit: 9 })
  stage.commit()
}

/** The queue gets another name, with all that is in it. */
function rename(stage: DispatchStage): void {
  move(stage)
  expect(stage.queue.toldQueues.at(-1)).toMatchObject({ event: 'adopted', queue: 'q' })
  stage.dispatch.adopted('q', TO)
}

describe.each([
  ['moved', move],
  ['in a queue that gets another name', rename],
] as const)('a message that is %s while somebody has it', (name, change) => {
  /** `a` is leased, and was looked for in the lane where it comes to. */
  function set(group?: string): { stage: DispatchStage; lease: Lease; others: Lease[] } {
    const stage = setDispatchStage()
    if (name === 'moved') stage.queue.publish('own', { queue: 'to', functionId: 'mail', group })
    stage.queue.publish('a', { group })
    const [lease] = stage.take()
    change(stage)
    return { stage, lease: lease!, others: takeOf(stage) }
  }

  test('and is given back is available where it is then, and only there', () => {
    const { stage, lease, others } = set()
    using _ = stage
    expect(dataOf(others)).not.toContain('a')
    expect([stage.dispatch.leased('q'), stage.dispatch.leased('to')]).toEqual([0, others.length + 1])
    expect(stage.dispatch.giveBack(lease.token)).toBe(true)
    expect(stage.take()).toEqual([])
    const again = takeOf(stage)
    expect(dataOf(again)).toEqual(['a'])
    expect(again[0]!.message).toMatchObject(TO)
    expect(stage.end(again[0]!, { kind: 'done' })).toBe(true)
    expect(stage.queue.tables.counts('to').waiting).toBe(others.length)
  })

  test('and whose end could not be written is available there, too', () => {
    const { stage, lease } = set()
    using _ = stage
    const ended = stage.dispatch.end(lease.token)!
    expect(takeOf(stage)).toEqual([])
    expect(stage.dispatch.revive(ended)).toEqual(TO)
    expect(dataOf(takeOf(stage))).toEqual(['a'])
  })

  test('and fails comes again there, once', () => {
    const { stage, lease } = set()
    using _ = stage
    expect(stage.fail(lease)).toBe(true)
    stage.queue.nowMs += 1000
    expect(takeOf(stage).map(({ attempt }) => attempt)).toEqual([2])
    expect(stage.take()).toEqual([])
  })
})

describe('a message that somebody has', () => {
  test('and that is moved while its end is written is nobody else’s until then', () => {
    using stage = setDispatchStage()
    stage.queue.publish('own', { queue: 'to', functionId: 'mail' })
    stage.queue.publish('a')
    const [lease] = stage.take()
    const ended = stage.dispatch.end(lease!.token)!
    move(stage)
    expect(dataOf(takeOf(stage))).toEqual(['own'])
    const ending = { kind: 'failed', report: report(1000), delayMs: 0 } as const
    stage.queue.run(verdict(ended, ending, retries, { nowMs: 1000, chance: 0 }))
    stage.commit()
    stage.dispatch.settle(ended)
    expect(takeOf(stage).map(({ attempt }) => attempt)).toEqual([2])
  })

  test('and that is behind another of its group where it is moved waits for that one', () => {
    using stage = setDispatchStage()
    stage.queue.publish('own', { queue: 'to', functionId: 'mail', group: 'g' })
    stage.queue.publish('a', { group: 'g' })
    stage.queue.publish('b')
    const [a, b] = stage.take()
    move(stage)
    const [own] = takeOf(stage)
    // Neither comes before its turn, whether it has failed or was not begun.
    stage.queue.fail(a!.message.number, 'now')
    expect(stage.queue.told.at(-1)).not.toMatchObject({ event: 'placed', message: { data: '"a"' } })
    stage.commit()
    stage.dispatch.giveBack(a!.token)
    stage.dispatch.giveBack(b!.token)
    expect(dataOf(takeOf(stage))).toEqual(['b'])
    stage.end(own!, { kind: 'done' })
    expect(dataOf(takeOf(stage))).toEqual(['a'])
  })

  test('and that is removed does not come again when it is given back', () => {
    using stage = setDispatchStage()
    const number = stage.queue.publish('a')
    const [lease] = stage.take()
    stage.queue.run({ command: 'cancel', number })
    stage.commit()
    expect(stage.dispatch.giveBack(lease!.token)).toBe(true)
    expect(stage.take()).toEqual([])
  })

  test('and that was moved while nobody was told of anything is where it is, and all lanes are told of it', () => {
    using stage = setDispatchStage()
    stage.queue.publish('a')
    const [lease] = stage.take()
    stage.queue.run({ command: 'adopt', from: 'q', to: 'to', functionId: 'mail', limit: 9 })
    stage.dispatch.forget()
    expect(takeOf(stage)).toEqual([])
    stage.dispatch.giveBack(lease!.token)
    expect(stage.dispatch.freed()).toContainEqual(TO)
    expect(dataOf(takeOf(stage))).toEqual(['a'])
  })
})

describe('lanes without messages', () => {
  const own = (number: number): string => `reply-${number}`

  function tidy({ dispatch }: DispatchStage): void {
    if (dispatch.isCrowded()) dispatch.forgetLanes(dispatch.idle())
  }

  test('are forgotten when there are many, whatever else there is', () => {
    using stage = setDispatchStage({ lanesRemembered: 20 })
    const { queue, dispatch } = stage
    queue.publish('left', { queue: 'kept' })
    queue.publish('later', { queue: 'scheduled', dueAtMs: 5000 })
    for (let number = 0; number < 1000; number++) {
      queue.publish('x', { queue: own(number) })
      const [lease] = stage.take(1, 'w', own(number))
      stage.end(lease!, { kind: 'done' })
      tidy(stage)
    }
    expect(dispatch.lanes().length).toBeLessThan(100)
    expect(dispatch.lanes().map(each => each.queue)).toContain('kept')
    expect(
      dispatch.nextDueMs({ queue: 'scheduled', functionId: undefined, namespace: undefined }, 1000),
    ).toBe(5000)
    // Who comes again is there again.
    queue.publish('again', { queue: own(3) })
    expect(dataOf(stage.take(1, 'w', own(3)))).toEqual(['again'])
  })

  test('stay while somebody has a message of their queue, and while they are parked', () => {
    using stage = setDispatchStage({ lanesRemembered: 20 })
    const { queue, dispatch } = stage
    queue.publish('a', { queue: 'leased' })
    const [lease] = stage.take(1, 'w', 'leased')
    const parked = { queue: 'parked', functionId: undefined, namespace: undefined }
    dispatch.park(parked, 'no_worker')
    dispatch.park('paused', 'paused')
    for (let number = 0; number < 200; number++) {
      stage.take(1, 'w', own(number))
      tidy(stage)
    }
    expect(dispatch.leased('leased')).toBe(1)
    expect(dispatch.parkingOf(parked)).toBe('no_worker')
    expect(dispatch.parked('paused')).toEqual(['paused'])
    expect(stage.end(lease!, { kind: 'done' })).toBe(true)
    expect(dispatch.leased('leased')).toBe(0)
  })

  test('that were never looked at are known by what is in the tables', () => {
    using stage = setDispatchStage({ lanesRemembered: 20 })
    const { queue, dispatch } = stage
    for (let number = 0; number < 100; number++) {
      const left = queue.publish('x', { queue: own(number) })
      stage.commit()
      if (number % 10 > 0) queue.finish(left)
      stage.commit()
      dispatch.forget()
      tidy(stage)
    }
    for (let round = 0; round < 3; round++) {
      for (let number = 0; number < 50; number++) stage.take(1, 'w', `other-${round}-${number}`)
      tidy(stage)
    }
    const found = dispatch.lanes().map(each => each.queue)
    for (let number = 0; number < 100; number += 10) expect(found).toContain(own(number))
    expect(found.length).toBeLessThan(100)
  })

  test('do not keep what was looked at because of a message that nobody asks for', () => {
    using stage = setDispatchStage()
    const message = stage.queue.tables.get(stage.queue.publish('a'))!
    expect(stage.dispatch.reasonOf({ ...message, queue: 'other' }, 1000)).toBe('ready')
    expect(stage.dispatch.parkingOf({ ...message, queue: 'another' })).toBeUndefined()
    stage.dispatch.unpark('third', 'paused')
    expect(stage.dispatch.lanes()).toEqual([])
  })
})

test('a member that is a key counts where its message is', () => {
  const perKey = { field: 'k', most: 1 }
  using stage = setDispatchStage({ perKey })
  const data = asJsonText('{"k":"a"}')
  stage.queue.publish('', { queue: 'to', functionId: 'mail', data })
  stage.queue.publish('', { data })
  const [lease] = stage.take()
  move(stage)
  const take = () =>
    stage.dispatch.take(
      { lane: TO, holder: 'w', max: 9, leaseMs: 1000, retry: retries, hasPlace: true, perKey },
      stage.queue.nowMs,
    )
  expect(take()).toEqual([])
  stage.end(lease!, { kind: 'done' })
  expect(stage.dispatch.freed()).toContainEqual(TO)
  expect(take()).toHaveLength(1)
})

/** One run of publishers, holders and moves by chance. Every message is with one holder at a time, and all are done in the end. */
function play(seed: number): void {
  const { between } = createRandom(seed)
  using stage = setDispatchStage({ concurrency: 1000, windowSize: 3 })
  const { queue, dispatch } = stage
  const held = new Map<number, Lease>()
  let published = 0
  let done = 0
  let seen = 0

  function commit(): void {
    stage.commit()
    for (const change of queue.toldQueues.slice(seen))
      if (change.event === 'adopted') dispatch.adopted(change.queue, change.to)
    seen = queue.toldQueues.length
  }

  function have(leases: readonly Lease[]): void {
    for (const lease of leases) {
      expect(held.has(lease.message.number)).toBe(false)
      held.set(lease.message.number, lease)
    }
  }

  function release(lease: Lease, how: number): void {
    held.delete(lease.message.number)
    if (how === 0) {
      expect(dispatch.giveBack(lease.token)).toBe(true)
      return
    }
    const ended = dispatch.end(lease.token)!
    if (how === 1) dispatch.revive(ended)
    else {
      const ending = how === 2 ? ({ kind: 'lost', report: report(1) } as const) : ({ kind: 'done' } as const)
      // What is moved meanwhile is told of first.
      if (between(0, 3) === 0) adopt()
      const policy = { ...retries, maxAttempts: 1e6 }
      queue.run(verdict(ended, ending, policy, { nowMs: queue.nowMs, chance: 0 }))
      commit()
      dispatch.settle(ended)
      if (how > 2) done++
    }
  }

  function adopt(): void {
    queue.run({ command: 'adopt', from: 'q', to: 'to', functionId: 'mail', limit: between(1, 4) })
    commit()
  }

  const one = (): Lease | undefined => [...held.values()][between(0, held.size)]
  for (let step = 0; step < 150; step++) {
    const what = between(0, 100)
    if (what < 35) {
      const group = between(0, 2) === 0 ? `g${between(0, 2)}` : undefined
      queue.publish('x', { group, ...(between(0, 4) === 0 && TO), ...(what < 5 && { priority: 1 }) })
      published++
      commit()
    } else if (what < 60) have(between(0, 2) === 0 ? stage.take(between(1, 4)) : takeOf(stage))
    else if (what < 85) {
      const lease = one()
      if (lease !== undefined) release(lease, between(0, 6))
    } else if (what < 97) adopt()
    else {
      // A commit that nobody was told of.
      queue.run({ command: 'adopt', from: 'q', to: 'to', functionId: 'mail', limit: 2 })
      stage.skip()
      seen = queue.toldQueues.length
      dispatch.forget()
    }
    expect(dispatch.leased('q') + dispatch.leased('to')).toBe(held.size)
  }
  for (
    let rounds = 0;
    rounds < 1000 && queue.tables.counts('q').waiting + queue.tables.counts('to').waiting > 0;
    rounds++
  ) {
    have([...stage.take(), ...takeOf(stage)])
    for (const lease of [...held.values()]) release(lease, 9)
  }
  expect(done).toBe(published)
}

test('whatever is moved while somebody has it: all messages come to an end, each with one at a time', () => {
  const { seed } = createRandom()
  for (let run = 0; run < 30; run++) {
    try {
      play(seed + run)
    } catch (error) {
      throw new Error(`III_TEST_SEED=${seed + run} repeats it: ${(error as Error).message}`, { cause: error })
    }
  }
}, 60_000)

test('a message that was cancelled while somebody had it stays so, whatever becomes of its queue', () => {
  using stage = setDispatchStage()
  const number = stage.queue.publish('a')
  const [lease] = stage.take()
  stage.queue.run({ command: 'cancel', number })
  stage.queue.publish('b')
  stage.commit()
  rename(stage)
  expect(dataOf(takeOf(stage))).toEqual(['b'])
  stage.dispatch.giveBack(lease!.token)
  expect(takeOf(stage)).toEqual([])
})
