/** What there is to do when a schedule is looked at, and the heap that says which one is next. */
import { describe, expect, test } from 'bun:test'
import { parseExpression } from '../../../workers/cron/expression.ts'
import { createPlan } from '../../../workers/cron/plan.ts'
import { jitterOf, MISFIRE, type Misfire, ticksAt } from '../../../workers/cron/ticks.ts'
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

function look(last: string, now: string, misfire: Partial<Misfire> = {}, wasAway = false) {
  const {
    madeUp,
    due,
    skipped,
    last: reached,
    next,
  } = ticksAt(plan, { last: at(last), wasAway }, at(now), { ...skip, ...misfire }, bounds)
  return {
    madeUp: times(madeUp),
    stands: madeUp.map(({ missed }) => missed),
    due: times(due === undefined ? [] : [due])[0],
    skipped: times(skipped.map(scheduledMs => ({ scheduledMs }))),
    last: new Date(reached).toISOString().slice(11, 16),
    next: new Date(next!).toISOString().slice(11, 16),
  }
}

describe('a look', () => {
  const nothing = { madeUp: [], stands: [], due: undefined, skipped: [] }
  test('before the instant does nothing', () => {
    expect(look('10:00:00', '10:59:59.999')).toEqual({ ...nothing, last: '10:00', next: '11:00' })
  })
  test('at the instant, or up to ten seconds after, fires it', () => {
    const fired = { ...nothing, due: '11:00', last: '11:00', next: '12:00' }
    for (const policy of MISFIRE) {
      expect(look('10:00:00', '11:00:00', { policy })).toEqual(fired)
      expect(look('10:00:00', '11:00:10', { policy })).toEqual(fired)
    }
  })
  test('later has missed it', () => {
    const rest = { ...nothing, last: '11:00', next: '12:00' }
    expect(look('10:00:00', '11:00:10.001')).toEqual({ ...rest, skipped: ['11:00'] })
    for (const policy of ['once', 'all'] as const)
      expect(look('10:00:00', '11:00:10.001', { policy })).toEqual({
        ...rest,
        madeUp: ['11:00'],
        stands: [0],
      })
  })
  test('after the clock was set back by hours fires nothing again', () => {
    expect(look('11:00:00', '08:30:00')).toEqual({ ...nothing, last: '11:00', next: '12:00' })
  })
  test('after a clock that was wrong by more than a day begins anew', () => {
    const later = at('10:00:00') + 48 * HOUR
    const { last, next } = ticksAt(plan, { last: later }, at('10:30:00'), skip, bounds)
    expect([last, next]).toEqual([at('10:30:00'), at('11:00:00')])
  })
})

describe('a gap', () => {
  const rest = { due: undefined, last: '15:00', next: '16:00' }
  test('is skipped but for an instant that is not late, made up for once, or each', () => {
    expect(look('10:00:00', '15:00:01')).toEqual({
      ...rest,
      madeUp: [],
      stands: [],
      due: '15:00',
      skipped: ['11:00', '12:00', '13:00', '14:00'],
    })
    expect(look('10:00:00', '15:00:01', { policy: 'once' })).toEqual({
      ...rest,
      madeUp: ['15:00'],
      stands: [4],
      skipped: [],
    })
    expect(look('10:00:00', '15:00:01', { policy: 'all' })).toMatchObject({
      ...rest,
      madeUp: ['11:00', '12:00', '13:00', '14:00', '15:00'],
      skipped: [],
    })
  })
  test('may be one instant that is not late, if nobody has looked', () => {
    const one = { madeUp: [], skipped: [], due: '15:00' }
    expect(look('14:00:00', '15:00:01', {}, true)).toMatchObject(one)
    for (const policy of ['once', 'all'] as const)
      expect(look('14:00:00', '15:00:01', { policy }, true)).toMatchObject({
        madeUp: ['15:00'],
        stands: [0],
        due: undefined,
      })
  })
  test('is made up for up to a number and an age', () => {
    expect(look('10:00:00', '15:00:01', { policy: 'all', limit: 2 })).toMatchObject({
      madeUp: ['14:00', '15:00'],
      skipped: ['11:00', '12:00', '13:00'],
    })
    expect(look('10:00:00', '15:00:01', { policy: 'all', limit: 0 })).toMatchObject({ madeUp: [] })
    expect(look('10:00:00', '15:00:01', { policy: 'once', maxAgeMs: 1.5 * HOUR })).toMatchObject({
      madeUp: ['15:00'],
      stands: [1],
      skipped: ['11:00', '12:00', '13:00'],
    })
    // What is not late is not too old.
    expect(look('10:00:00', '15:00:01', { policy: 'all', maxAgeMs: 1 })).toMatchObject({ madeUp: ['15:00'] })
  })
  test('of a million is not looked at one by one', () => {
    let asked = 0
    const seconds = createPlan(parseExpression('* * * * * *'), UTC)
    const counting = { ...seconds, next: (ms: number) => seconds.next(ms + 0 * asked++) }
    const { madeUp } = ticksAt(
      counting,
      { last: at('10:00:00') - 365 * 24 * HOUR },
      at('10:00:00'),
      { ...skip, policy: 'all' },
      bounds,
    )
    expect(madeUp).toHaveLength(100)
    expect(asked).toBeLessThan(10_000)
  })
})

test('whatever was missed, each instant is dealt with as the rule says, by a list that is walked second by second', () => {
  const random = createRandom()
  for (let round = 0; round < 2000; round++) {
    const every = random.between(1, 15)
    const own = createPlan(parseExpression(`*/${every} * * * * *`), UTC)
    const last = at('10:00:00') + random.between(0, 60_000)
    const now = last + random.between(0, random.between(0, 3) === 0 ? 120_000 : 25_000)
    const wasAway = random.between(0, 2) === 0
    const misfire: Misfire = {
      policy: MISFIRE[random.between(0, 3)]!,
      limit: random.between(0, 12),
      maxAgeMs: random.between(1, 60_000),
    }
    const instants: number[] = []
    for (let second = Math.ceil((last + 1) / 1000) * 1000; second <= now; second += 1000)
      if (((second / 1000) % 60) % every === 0) instants.push(second)
    const isLate = (instant: number): boolean => now - instant > bounds.lateMs
    const isGap = instants.length > 1 || wasAway || instants.some(isLate)
    const young = instants.filter(instant => !isLate(instant) || now - instant <= misfire.maxAgeMs)
    const called: Record<Misfire['policy'], number[]> = {
      skip: instants.slice(-1).filter(instant => !isLate(instant)),
      once: young.slice(-1),
      all: misfire.limit === 0 ? [] : young.slice(-misfire.limit),
    }
    const expected = isGap ? called[misfire.policy] : instants
    const stands = misfire.policy === 'once' && isGap ? young : expected
    const first = random.between(0, 2) === 0 ? own.next(last) : undefined
    const ticks = ticksAt(own, { last, first, wasAway }, now, misfire, bounds)
    const isDue = !isGap || misfire.policy === 'skip'
    const about = { seed: random.seed, round, every, last, now, wasAway, misfire }
    const scheduled = ticks.madeUp.map(({ scheduledMs }) => scheduledMs)
    expect({ ...about, scheduled, due: ticks.due?.scheduledMs, skipped: ticks.skipped }).toEqual({
      ...about,
      scheduled: isDue ? [] : expected,
      due: isDue ? expected[0] : undefined,
      skipped: instants.filter(instant => !stands.includes(instant)),
    })
    expect([about, ticks.last, ticks.next]).toEqual([about, instants.at(-1) ?? last, own.next(now)])
  }
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
      expect(ticksAt(plan, { last, first: next }, now, all, { ...bounds, aheadMs })).toEqual(
        ticksAt(plan, { last }, now, all, { ...bounds, aheadMs }),
      )
    const ticks = ticksAt(plan, { last, first: next }, now, all, { ...bounds, aheadMs: Infinity })
    last = ticks.last
    next = ticks.next
    for (const { scheduledMs } of [...ticks.madeUp, ...(ticks.due === undefined ? [] : [ticks.due])]) {
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
