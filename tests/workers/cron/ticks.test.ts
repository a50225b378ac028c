/** What there is to do when a schedule is looked at, and the heap that says which one is next. */
import { describe, expect, test } from 'bun:test'
import { parseExpression } from '../../../workers/cron/expression.ts'
import { createPlan } from '../../../workers/cron/plan.ts'
import { jitterOf, type Misfire, ticksAt } from '../../../workers/cron/ticks.ts'
import { UTC } from '../../../workers/cron/zone.ts'
import { createHeap } from '../../../workers/heap.ts'
import { createRandom } from '../../support/random.ts'

const HOUR = 3_600_000
const bounds = { lateMs: 10_000, aheadMs: 24 * HOUR, lookedAt: 1000 }
const skip: Misfire = { policy: 'skip', limit: 100, maxAgeMs: 24 * HOUR }
const plan = createPlan(parseExpression('0 * * * *'), UTC)
const at = (time: string): number => Date.parse(`2026-05-01T${time}Z`)
const times = (ticks: readonly { scheduledMs: number }[]) =>
  ticks.map(({ scheduledMs }) => new Date(scheduledMs).toISOString().slice(11, 16))

function look(last: string, now: string, misfire: Partial<Misfire> = {}) {
  const {
    madeUp,
    due,
    skipped,
    latestSkipped,
    last: reached,
    next,
  } = ticksAt(plan, at(last), at(now), { ...skip, ...misfire }, bounds)
  return {
    madeUp: times(madeUp),
    stands: madeUp.map(({ missed }) => missed),
    due: times(due),
    skipped,
    ...(latestSkipped === undefined
      ? {}
      : { latestSkipped: new Date(latestSkipped).toISOString().slice(11, 16) }),
    last: new Date(reached).toISOString().slice(11, 16),
    next: new Date(next!).toISOString().slice(11, 16),
  }
}

describe('a look', () => {
  const nothing = { madeUp: [], stands: [], due: [], skipped: 0 }
  test('before the instant does nothing', () => {
    expect(look('10:00:00', '10:59:59.999')).toEqual({ ...nothing, last: '10:00', next: '11:00' })
  })
  test('at the instant, or up to ten seconds after, fires it', () => {
    const fired = { ...nothing, due: ['11:00'], last: '11:00', next: '12:00' }
    expect(look('10:00:00', '11:00:00')).toEqual(fired)
    expect(look('10:00:00', '11:00:10')).toEqual(fired)
  })
  test('later has missed it', () => {
    expect(look('10:00:00', '11:00:10.001')).toEqual({
      ...nothing,
      skipped: 1,
      latestSkipped: '11:00',
      last: '11:00',
      next: '12:00',
    })
  })
  test('after the clock was set back by hours fires nothing again', () => {
    expect(look('11:00:00', '08:30:00')).toEqual({ ...nothing, last: '11:00', next: '12:00' })
  })
  test('after a clock that was wrong by more than a day begins anew', () => {
    const later = at('10:00:00') + 48 * HOUR
    const { last, next } = ticksAt(plan, later, at('10:30:00'), skip, bounds)
    expect([last, next]).toEqual([at('10:30:00'), at('11:00:00')])
  })
})

describe('instants that were missed', () => {
  test('are skipped, made up for once, or each', () => {
    const rest = { due: ['15:00'], last: '15:00', next: '16:00' }
    expect(look('10:00:00', '15:00:01')).toEqual({
      ...rest,
      madeUp: [],
      stands: [],
      skipped: 4,
      latestSkipped: '14:00',
    })
    expect(look('10:00:00', '15:00:01', { policy: 'once' })).toEqual({
      ...rest,
      madeUp: ['14:00'],
      stands: [3],
      skipped: 0,
    })
    expect(look('10:00:00', '15:00:01', { policy: 'all' })).toMatchObject({
      ...rest,
      madeUp: ['11:00', '12:00', '13:00', '14:00'],
    })
  })
  test('are made up for up to a number and an age', () => {
    expect(look('10:00:00', '15:00:01', { policy: 'all', limit: 2 })).toMatchObject({
      madeUp: ['13:00', '14:00'],
      skipped: 2,
      latestSkipped: '12:00',
    })
    expect(look('10:00:00', '15:00:01', { policy: 'once', maxAgeMs: 2.5 * HOUR })).toMatchObject({
      madeUp: ['14:00'],
      stands: [1],
      skipped: 2,
    })
  })
  test('by the million are not looked at one by one', () => {
    let asked = 0
    const seconds = createPlan(parseExpression('* * * * * *'), UTC)
    const counting = { ...seconds, next: (ms: number) => seconds.next(ms + 0 * asked++) }
    const { madeUp } = ticksAt(
      counting,
      at('10:00:00') - 365 * 24 * HOUR,
      at('10:00:00'),
      { ...skip, policy: 'all' },
      bounds,
    )
    expect(madeUp).toHaveLength(100)
    expect(asked).toBeLessThan(10_000)
  })
})

test('whatever the clock does, no instant comes twice, and one that was seen in time is not left out', () => {
  const random = createRandom()
  let [now, last] = [at('00:00:00'), at('00:00:00')]
  let next: number | undefined
  const fired = new Set<number>()
  for (let step = 0; step < 5000; step++) {
    now += random.between(0, 10) === 0 ? random.between(-6 * HOUR, 6 * HOUR) : random.between(0, 8000)
    const before = last
    const all = { ...skip, policy: 'all' } as const
    // That it knows what comes next changes nothing, also when it thinks that the clock was wrong.
    for (const aheadMs of [HOUR, Infinity])
      expect(ticksAt(plan, last, now, all, { ...bounds, aheadMs }, next)).toEqual(
        ticksAt(plan, last, now, all, { ...bounds, aheadMs }),
      )
    const ticks = ticksAt(plan, last, now, all, { ...bounds, aheadMs: Infinity }, next)
    last = ticks.last
    next = ticks.next
    for (const { scheduledMs } of [...ticks.madeUp, ...ticks.due]) {
      expect([random.seed, fired.has(scheduledMs)]).toEqual([random.seed, false])
      expect(scheduledMs).toBeGreaterThan(before)
      expect(scheduledMs).toBeLessThanOrEqual(now)
      fired.add(scheduledMs)
    }
  }
  for (let instant = at('01:00:00'); instant <= last; instant += HOUR) expect(fired.has(instant)).toBe(true)
})

test('jitter is the same for the same tick, within its bound, and spread', () => {
  const jitters = Array.from({ length: 1000 }, (_, index) => jitterOf('nightly', index * 60_000, 999))
  expect(jitters).toEqual(
    Array.from({ length: 1000 }, (_, index) => jitterOf('nightly', index * 60_000, 999)),
  )
  expect(Math.min(...jitters)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...jitters)).toBeLessThanOrEqual(999)
  for (let tenth = 0; tenth < 10; tenth++)
    expect(jitters.filter(jitter => Math.floor(jitter / 100) === tenth).length).toBeGreaterThan(50)
  expect(jitterOf('nightly', 0, 0)).toBe(0)
})

test('the heap gives what is due first, also after moves and removals', () => {
  const random = createRandom()
  const heap = createHeap()
  const nodes = Array.from({ length: 200 }, () => ({ dueMs: 0, place: -1 }))
  const inside = new Set<(typeof nodes)[number]>()
  for (let step = 0; step < 5000; step++) {
    const node = nodes[random.between(0, nodes.length)]!
    if (random.between(0, 3) === 0) {
      heap.remove(node)
      inside.delete(node)
    } else {
      heap.set(node, random.between(0, 1000))
      inside.add(node)
    }
    const least = inside.size === 0 ? undefined : Math.min(...[...inside].map(({ dueMs }) => dueMs))
    expect([random.seed, heap.size(), heap.first()?.dueMs]).toEqual([random.seed, inside.size, least])
  }
})
