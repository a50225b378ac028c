/** Schedules whose workers are away: what is told of them, and what can be done with them. */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import { type Remembered, shownOf } from '../../../workers/cron/absent.ts'
import { type CronWorld, createCron, historyOf, instantsOf, keepingStore } from './support.ts'

const nightly = { expression: '30 2 * * *', timezone: 'Europe/Berlin', name: 'nightly' }
const minutely = { expression: '* * * * *', name: 'minutely' }
const DAY = 86_400_000

interface Row {
  readonly name: string
  readonly state: string
  readonly missed_since?: string | null
}

async function rowOf(world: CronWorld): Promise<Row | undefined> {
  return (await world.done<{ schedules: Row[] }>('list', {})).schedules[0]
}

describe('a schedule whose worker is away', () => {
  test('is listed behind the others, with what is known of it', async () => {
    const world = await createCron()
    await world.bind('t', nightly)
    await world.bind('u', minutely)
    await world.unbind('t')
    const { schedules, total } = await world.done<{ schedules: Row[]; total: number }>('list', {})
    expect([total, schedules.map(({ name, state }) => `${name} ${state}`)]).toEqual([
      2,
      ['minutely waits', 'nightly no_worker'],
    ])
    expect(schedules[1]).toMatchObject({
      id: null,
      function_id: 'target::run',
      expression: '30 2 * * *',
      timezone: 'Europe/Berlin',
      next_run: '2026-05-01T00:30:00+00:00',
      missed_since: null,
      triggers: 0,
    })
    await world.pass(31 * 60)
    expect((await rowOf(world))?.name).toBe('minutely')
    expect(await world.done<unknown>('history', { id: 'nightly' })).toEqual({
      name: 'nightly',
      state: 'no_worker',
      missed_since: '2026-05-01T00:30:00+00:00',
      runs: [],
    })
    expect(await world.done<unknown>('next', { id: 'nightly', count: 1 })).toMatchObject({
      local: ['2026-05-02T02:30:00+02:00'],
    })
  })
  test('is known after a restart, also one that has never fired, with a run that did not end', async () => {
    const { store } = keepingStore()
    const first = await createCron({ store })
    await first.bind('t', nightly)
    await first.bind('u', { ...minutely, misfire: 'all' })
    await first.pass(60)
    const world = await createCron({ store, start: '2026-05-01T06:00:00Z' })
    const { schedules } = await world.done<{ schedules: Row[] }>('list', {})
    expect(schedules.map(({ name, state, missed_since }) => [name, state, missed_since])).toEqual([
      ['minutely', 'no_worker', '2026-05-01T00:02:00+00:00'],
      ['nightly', 'no_worker', '2026-05-01T00:30:00+00:00'],
    ])
    expect(schedules[0]).toMatchObject({ function_id: null, misfire: null })
    expect(await historyOf(world, 'minutely')).toEqual(['00:01:00 interrupted'])
    expect((await world.ask('history', { id: 't' })).error?.code).toBe('NOT_FOUND')
  })
  test('cannot be run, and says why', async () => {
    const world = await createCron()
    await world.bind('t', nightly)
    await world.unbind('t')
    for (const name of ['run', 'run-now'])
      expect(await world.ask(name, { id: 'nightly' })).toMatchObject({
        error: { code: 'NO_WORKER', message: expect.stringContaining("'nightly' was not called") },
      })
    expect(await historyOf(world, 'nightly')).toEqual([])
  })
  test('can be paused; what it has missed by then, and in the pause, is left out', async () => {
    const { store } = keepingStore()
    const first = await createCron({ store })
    const config = { ...minutely, misfire: 'all' }
    await first.bind('t', config)
    const second = await createCron({ store, start: '2026-05-01T00:03:30Z' })
    await second.done('pause', { id: 'minutely' })
    const world = await createCron({ store, start: '2026-05-01T00:05:30Z' })
    expect(await rowOf(world)).toMatchObject({ state: 'no_worker', paused: true, missed_since: null })
    await world.done('resume', { id: 'minutely' })
    expect(await historyOf(world, 'minutely')).toEqual(['00:05:00 paused 5'])
    await world.pass(60)
    await world.bind('u', config)
    expect(instantsOf(world.take())).toEqual(['00:06:00'])
  })
  test('that is paused and comes back is still paused, and so was all of its gap', async () => {
    const { store } = keepingStore()
    const first = await createCron({ store })
    await first.bind('t', { ...minutely, misfire: 'once' })
    await first.unbind('t')
    await first.done('pause', { id: 'minutely' })
    const world = await createCron({ store, start: '2026-05-01T00:05:05Z' })
    await world.bind('u', { ...minutely, misfire: 'once' })
    await world.pass(60)
    expect(world.take()).toEqual([])
    expect(await historyOf(world, 'minutely')).toEqual(['00:06:00 paused 6'])
  })
  test('does not forget to try a run again that did not end, when it is paused and resumed', async () => {
    const { store } = keepingStore()
    const config = { ...minutely, retry: { max: 1 } }
    const first = await createCron({ store })
    await first.bind('t', config)
    await first.pass(60)
    const second = await createCron({ store, start: '2026-05-01T00:01:20Z' })
    await second.done('pause', { id: 'minutely' })
    await second.done('resume', { id: 'minutely' })
    const world = await createCron({ store, start: '2026-05-01T00:01:40Z' })
    await world.bind('t', config)
    expect(world.take()).toMatchObject([{ data: { attempt: 2 } }])
  })
})

describe('those that are listed', () => {
  const now = Date.parse('2026-05-01T00:00:00Z')
  const shown = (...all: Remembered[]) => shownOf(all, now).map(({ expression }) => expression)
  const left = (expression: string, days: number): Remembered => ({
    expression,
    timezone: 'UTC',
    lastMs: now - days * DAY,
  })
  test('have missed their first instant not too long ago, however seldom they fire', () => {
    expect(shown(left('0 0 * * *', 29), left('@yearly', 200), left('0 0 1 4 *', 330))).toEqual([
      '0 0 * * *',
      '0 0 1 4 *',
    ])
    expect(shown(left('0 0 * * *', 40), left('not an expression', 40))).toEqual([])
    expect(shown(left('0 0 1 1 * 2020', 2), left('0 0 1 1 * 2021', 40))).toEqual(['0 0 1 1 * 2020'])
  })
  test('are bounded: those that did something last', () => {
    const many = Array.from({ length: limits.cronAbsent + 5 }, (_, index) =>
      left('@hourly', 20 - index / 100),
    )
    const all = shownOf(many, now)
    expect([all.length, all[0]]).toEqual([limits.cronAbsent, many.at(-1)!])
  })
})
