/** When an expression fires, against a calendar that is walked second by second or minute by minute. */
import { describe, expect, test } from 'bun:test'
import { parseExpression } from '../../../workers/cron/expression.ts'
import { createPlan } from '../../../workers/cron/plan.ts'
import { zoneOf } from '../../../workers/cron/zone.ts'
import { createRandom } from '../../support/random.ts'

const MINUTE = 60_000
const planOf = (expression: string, zone = 'UTC') => createPlan(parseExpression(expression), zoneOf(zone)!)

function from(expression: string, start: string, count: number, zone?: string): string[] {
  const plan = planOf(expression, zone)
  const found: string[] = []
  let at: number | undefined = Date.parse(start)
  while (found.length < count) {
    at = plan.next(at)
    if (at === undefined) break
    found.push(new Date(at).toISOString().replace('.000Z', 'Z'))
  }
  return found
}

/** The wall, read another way than the code does. */
function wallOf(ms: number, zone: string): number {
  return Date.parse(`${new Date(ms).toLocaleString('sv-SE', { timeZone: zone }).replace(' ', 'T')}Z`)
}

interface Simple {
  readonly text: string
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  readonly days: readonly number[]
  readonly months: readonly number[]
  readonly weekdays: readonly number[]
}

/** What is hardest in a calendar: the last days of February, at a time that changes of the clock leave out. */
const leapDays: Simple = {
  text: '30 2 28,29 2,3 *',
  minutes: [30],
  hours: [2],
  days: [28, 29],
  months: [2, 3],
  weekdays: [0, 1, 2, 3, 4, 5, 6],
}

const span = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

function randomSimple(random: () => number): Simple {
  const some = (first: number, last: number, all: number): readonly number[] => {
    if (random() < all) return span(first, last)
    const count = 1 + Math.floor(random() * 4)
    const values = Array.from({ length: count }, () => first + Math.floor(random() * (last - first + 1)))
    return [...new Set(values)].sort((one, other) => one - other)
  }
  const minutes = some(0, 59, 0.2)
  const hours = some(0, 23, 0.4)
  // Not both: with both, either is enough.
  const byWeekday = random() < 0.5
  const days = byWeekday ? span(1, 31) : some(1, 31, 0.5)
  const weekdays = byWeekday ? some(0, 6, 0.5) : span(0, 6)
  const months = some(1, 12, 0.6)
  const written = (values: readonly number[], all: number): string =>
    values.length === all ? '*' : values.join(',')
  const text = [
    written(minutes, 60),
    written(hours, 24),
    written(days, 31),
    written(months, 12),
    written(weekdays, 7),
  ].join(' ')
  return { text, minutes, hours, days, months, weekdays }
}

function matches(simple: Simple, wall: number): boolean {
  const date = new Date(wall)
  return (
    simple.minutes.includes(date.getUTCMinutes()) &&
    simple.hours.includes(date.getUTCHours()) &&
    simple.days.includes(date.getUTCDate()) &&
    simple.months.includes(date.getUTCMonth() + 1) &&
    simple.weekdays.includes(date.getUTCDay())
  )
}

/** Walks all minutes. What the wall leaves out between two of them fires at the second one. */
function bruteForce(simple: Simple, start: number, end: number, zone: string): number[] {
  const found: number[] = []
  const isEveryHour = simple.hours.length === 24
  let reached = wallOf(start, zone)
  for (let at = start + MINUTE; at <= end; at += MINUTE) {
    const wall = wallOf(at, zone)
    if (isEveryHour) {
      if (matches(simple, wall)) found.push(at)
      continue
    }
    let fires = false
    for (let each = reached + MINUTE; each <= wall; each += MINUTE) fires ||= matches(simple, each)
    if (fires) found.push(at)
    reached = Math.max(reached, wall)
  }
  return found
}

describe('expressions', () => {
  const start = '2026-02-26T10:00:00Z'
  for (const [expression, ...instants] of [
    ['*/20 * * * *', '2026-02-26T10:20:00Z', '2026-02-26T10:40:00Z', '2026-02-26T11:00:00Z'],
    ['*/20 * * * * *', '2026-02-26T10:00:20Z', '2026-02-26T10:00:40Z', '2026-02-26T10:01:00Z'],
    ['0 0 0 1 1 * 2030', '2030-01-01T00:00:00Z'],
    ['0 0 0 29 2 *', '2028-02-29T00:00:00Z', '2032-02-29T00:00:00Z'],
    ['0 0 L * *', '2026-02-28T00:00:00Z', '2026-03-31T00:00:00Z'],
    ['0 0 LW * *', '2026-02-27T00:00:00Z', '2026-03-31T00:00:00Z'],
    ['0 0 15W * *', '2026-03-16T00:00:00Z', '2026-04-15T00:00:00Z'],
    ['0 0 * * FRI#2', '2026-03-13T00:00:00Z', '2026-04-10T00:00:00Z'],
    ['0 0 * * 5L', '2026-02-27T00:00:00Z', '2026-03-27T00:00:00Z'],
    ['0 0 * * 7', '2026-03-01T00:00:00Z', '2026-03-08T00:00:00Z'],
    ['0 0 * * 0', '2026-03-01T00:00:00Z', '2026-03-08T00:00:00Z'],
    ['0 0 ? jan mon', '2027-01-04T00:00:00Z', '2027-01-11T00:00:00Z'],
    ['@hourly', '2026-02-26T11:00:00Z', '2026-02-26T12:00:00Z'],
    ['@weekly', '2026-03-01T00:00:00Z', '2026-03-08T00:00:00Z'],
    ['@yearly', '2027-01-01T00:00:00Z', '2028-01-01T00:00:00Z'],
    ['0 0 13 * FRI', '2026-02-27T00:00:00Z', '2026-03-06T00:00:00Z', '2026-03-13T00:00:00Z'],
    ['0 0 13 * +FRI', '2026-03-13T00:00:00Z', '2026-11-13T00:00:00Z'],
    ['0 0 31 2 *'],
  ] as const) {
    test(`${expression} fires ${instants.length === 0 ? 'never' : `at ${instants.join(', ')}`}`, () => {
      expect(from(expression!, start, Math.max(1, instants.length)).slice(0, instants.length)).toEqual([
        ...instants,
      ])
      if (instants.length === 0) expect(planOf(expression!).next(Date.parse(start))).toBeUndefined()
    })
  }

  test('go on beyond 2038 and over the end of a century without leap day', () => {
    expect(from('14 3 19 1 *', '2038-01-18T00:00:00Z', 2)).toEqual([
      '2038-01-19T03:14:00Z',
      '2039-01-19T03:14:00Z',
    ])
    expect(from('0 0 29 2 *', '2096-02-29T00:00:00Z', 1)).toEqual(['2104-02-29T00:00:00Z'])
  })

  for (const [expression, why] of [
    ['61 * * * *', 'field `minute`: Invalid value for minute: 61'],
    ['* * * * * 8', 'field `day of week`'],
    ['0 22-2 * * *', 'field `hour`: From value is larger'],
    ['0 0 * * fri-mon', 'field `day of week`'],
    ['0 0 0 * *', 'field `day of month`'],
    ['* * *', 'it has 3 fields'],
    ['@reboot', 'the shorthands are'],
    ['a * * * *', 'field `minute`'],
    ['2026-01-01T00:00:00', 'it has 1 field;'],
  ] as const) {
    test(`'${expression}' is refused, and says where`, () => {
      expect(() => parseExpression(expression)).toThrow(`Invalid cron expression '${expression}': `)
      expect(() => parseExpression(expression)).toThrow(why)
    })
  }
})

describe('where the clock on the wall is changed', () => {
  const berlin = 'Europe/Berlin'
  test('a time of day that is left out fires once, right after', () => {
    expect(from('30 2 * * *', '2026-03-28T12:00:00Z', 2, berlin)).toEqual([
      '2026-03-29T01:00:00Z',
      '2026-03-30T00:30:00Z',
    ])
    expect(from('0,15,30 2,3 * * *', '2026-03-29T00:00:00Z', 3, berlin)).toEqual([
      '2026-03-29T01:00:00Z',
      '2026-03-29T01:15:00Z',
      '2026-03-29T01:30:00Z',
    ])
  })
  test('a time of day that comes twice fires once', () => {
    expect(from('30 2 * * *', '2026-10-24T12:00:00Z', 2, berlin)).toEqual([
      '2026-10-25T00:30:00Z',
      '2026-10-26T01:30:00Z',
    ])
  })
  test('what fires every hour goes on every hour', () => {
    expect(from('30 * * * *', '2026-10-24T23:00:00Z', 4, berlin)).toEqual([
      '2026-10-24T23:30:00Z',
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:30:00Z',
      '2026-10-25T02:30:00Z',
    ])
    expect(from('30 * * * *', '2026-03-29T00:00:00Z', 3, berlin)).toEqual([
      '2026-03-29T00:30:00Z',
      '2026-03-29T01:30:00Z',
      '2026-03-29T02:30:00Z',
    ])
  })
})

test('agrees with a calendar that is walked minute by minute', () => {
  const { random, seed } = seeded()
  const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Cairo', 'Asia/Kathmandu']
  // Around changes of the clock, where it is most likely to be wrong.
  const starts = [
    '2026-03-07',
    '2026-03-28',
    '2026-04-04',
    '2026-04-23',
    '2026-10-03',
    '2026-10-24',
    '2026-10-29',
    '2028-02-28',
  ]
  for (let round = 0; round < Number(process.env.III_CRON_ROUNDS ?? 8); round++) {
    const simple = randomSimple(random)
    const zone = zones[Math.floor(random() * zones.length)]!
    const start = Date.parse(`${starts[Math.floor(random() * starts.length)]!}T00:00:00Z`)
    const end = start + 3 * 1440 * MINUTE
    const plan = planOf(simple.text, zone)
    const found: number[] = []
    for (let at = plan.next(start); at !== undefined && at <= end; at = plan.next(at)) found.push(at)
    const about = `seed ${seed}: '${simple.text}' in ${zone} from ${new Date(start).toISOString()}`
    expect({ about, found }).toEqual({ about, found: bruteForce(simple, start, end, zone) })
  }
}, 60_000)

/** The same over years: the wall is read once in a quarter of an hour, within which no zone changes it. */
function bruteForceYears(simple: Simple, start: number, end: number, zone: string): number[] {
  const found: number[] = []
  const isEveryHour = simple.hours.length === 24
  const [minutes, hours] = [new Set(simple.minutes), new Set(simple.hours)]
  let day = Number.NaN
  let isDay = false
  const fires = (wall: number): boolean => {
    const ofDay = Math.floor(wall / (1440 * MINUTE))
    if (ofDay !== day) {
      day = ofDay
      isDay = matches({ ...simple, minutes: [0], hours: [0] }, ofDay * 1440 * MINUTE)
    }
    const minute = Math.floor(wall / MINUTE) - ofDay * 1440
    return isDay && minutes.has(minute % 60) && hours.has(Math.floor(minute / 60))
  }
  let reached = wallOf(start, zone)
  for (let quarter = start; quarter < end; quarter += 15 * MINUTE) {
    const ahead = wallOf(quarter, zone) - quarter
    for (let at = quarter; at < quarter + 15 * MINUTE; at += MINUTE) {
      if (at === start) continue
      const wall = at + ahead
      if (isEveryHour) {
        if (fires(wall)) found.push(at)
        continue
      }
      let isHit = false
      for (let each = reached + MINUTE; each <= wall; each += MINUTE) isHit ||= fires(each)
      if (isHit) found.push(at)
      reached = Math.max(reached, wall)
    }
  }
  return found
}

test('agrees with it where a zone leaves out a whole day', () => {
  const [start, end] = [Date.parse('2011-12-20T00:00:00Z'), Date.parse('2012-01-10T00:00:00Z')]
  for (const [hours, text] of [
    [[2], '30 2 * * *'],
    [span(0, 23), '30 * * * *'],
  ] as const) {
    const simple = { ...leapDays, text, hours, days: span(1, 31), months: span(1, 12) }
    const plan = planOf(text, 'Pacific/Apia')
    const found: number[] = []
    for (let at = plan.next(start); at !== undefined && at < end; at = plan.next(at)) found.push(at)
    expect(found).toEqual(bruteForceYears(simple, start, end, 'Pacific/Apia'))
  }
})

test('agrees with a calendar that is walked minute by minute for years, over leap days and changes of the clock', () => {
  const { random, seed } = seeded()
  const zones = [
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'America/Sao_Paulo',
    'Asia/Kathmandu',
    'Pacific/Apia',
    'Africa/Casablanca',
    'UTC',
  ]
  // Two years each: leap years, one that is none in 2100, and one in which a zone left a whole day out (Pacific/Apia, 2011).
  const starts = ['2011-01-01', '2018-01-01', '2023-01-01', '2027-01-01', '2099-06-01']
  let instants = 0
  for (let round = 0; round < Number(process.env.III_CRON_YEARS ?? 2); round++) {
    const simple = round === 0 ? leapDays : randomSimple(random)
    const zone = zones[Math.floor(random() * zones.length)]!
    const start = Date.parse(`${starts[Math.floor(random() * starts.length)]!}T00:00:00Z`)
    const end = start + 2 * 365 * 1440 * MINUTE
    const plan = planOf(simple.text, zone)
    const found: number[] = []
    for (let at = plan.next(start); at !== undefined && at < end; at = plan.next(at)) found.push(at)
    const expected = bruteForceYears(simple, start, end, zone)
    instants += expected.length
    const wrong = expected.findIndex((at, index) => found[index] !== at)
    const about = `seed ${seed}: '${simple.text}' in ${zone} from ${new Date(start).toISOString()}`
    const told = (at: number | undefined) => (at === undefined ? 'none' : new Date(at).toISOString())
    expect([about, wrong < 0 ? '' : `${told(found[wrong])} instead of ${told(expected[wrong])}`]).toEqual([
      about,
      '',
    ])
    expect([about, found.length]).toEqual([about, expected.length])
  }
  expect(instants).toBeGreaterThan(0)
}, 120_000)

test('the next instant does not depend on what was asked before', () => {
  const { random, seed } = seeded()
  for (let round = 0; round < 200; round++) {
    const { text } = randomSimple(random)
    const plan = planOf(text, 'Europe/Berlin')
    for (let step = 0; step < 10; step++) {
      const at = Date.parse('2026-01-01T00:00:00Z') + Math.floor(random() * 800 * 1440) * MINUTE
      expect([seed, text, at, plan.next(at)]).toEqual([
        seed,
        text,
        at,
        planOf(text, 'Europe/Berlin').next(at),
      ])
    }
  }
})

function seeded() {
  const { seed, between } = createRandom()
  return { random: () => between(0, 1_000_000) / 1_000_000, seed }
}
