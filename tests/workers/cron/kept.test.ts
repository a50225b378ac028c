/** What schedules have done is kept, and what an engine makes of it after a kill (`docs/cron.md#what-a-crash-leaves`). */
import { describe, expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import { latestOf } from '../../../workers/cron/history.ts'
import type { CronStore } from '../../../workers/cron/store.ts'
import { createCron, historyOf, instantsOf, keepingStore } from './support.ts'

const minutely = { expression: '* * * * *' }

describe('after an engine that was killed', () => {
  async function crash(config: object, at: string, before: 'answered' | 'running' = 'answered') {
    const { store, records } = keepingStore()
    const first = await createCron({ store })
    await first.bind('t', { ...minutely, ...config })
    await first.pass(60)
    const [call] = first.take()
    if (before === 'answered') await first.answer(call)
    first.clock.advance(limits.cronEndsMs)
    await first.settled()
    // What the first one has not kept by now is lost.
    const kept = new Map(records)
    const after: CronStore = { ...store, load: async () => structuredClone([...kept.values()]) }
    const second = await createCron({ store: after, start: at })
    await second.bind('another-id', { ...minutely, ...config })
    return second
  }
  test('what was fired is not fired again', async () => {
    const world = await crash({ misfire: 'all' }, '2026-05-01T00:01:05Z')
    await world.pass(50)
    expect(world.take()).toEqual([])
    await world.pass(10)
    expect(instantsOf(world.take())).toEqual(['00:02:00'])
  })
  test('what was missed is left out, made up for once, or each', async () => {
    const at = '2026-05-01T00:05:30Z'
    const skipping = await crash({}, at)
    expect(skipping.take()).toEqual([])
    expect(await historyOf(skipping, 'another-id')).toEqual(['00:01:00 ok', '00:05:00 misfire 4'])

    const once = await crash({ misfire: 'once' }, at)
    expect(once.take()).toMatchObject([{ data: { scheduled_time: '2026-05-01T00:05:00+00:00', missed: 3 } }])

    const all = await crash({ misfire: 'all' }, at)
    const made: string[] = []
    for (let [call] = all.take(); call !== undefined; [call] = all.take()) {
      made.push(...instantsOf([call]))
      await all.answer(call)
    }
    expect(made).toEqual(['00:02:00', '00:03:00', '00:04:00', '00:05:00'])
  })
  test('a run that did not end is told of, and is not done again', async () => {
    const world = await crash({}, '2026-05-01T00:01:30Z', 'running')
    expect(world.take()).toEqual([])
    expect(await historyOf(world, 'another-id')).toEqual(['00:01:00 interrupted'])
  })
  test('a run that did not end is tried again with `retry`', async () => {
    const world = await crash({ retry: { max: 1 } }, '2026-05-01T00:01:30Z', 'running')
    expect(world.take()).toMatchObject([
      { data: { scheduled_time: '2026-05-01T00:01:00+00:00', attempt: 2 } },
    ])
  })
  test('a schedule that never fired before knows what it has missed', async () => {
    const { store } = keepingStore()
    const first = await createCron({ store })
    await first.bind('t', { expression: '@daily', misfire: 'once' })
    const second = await createCron({ store, start: '2026-05-02T06:00:00Z' })
    await second.bind('u', { expression: '@daily', misfire: 'once' })
    expect(second.take()).toMatchObject([{ data: { scheduled_time: '2026-05-02T00:00:00+00:00' } }])
  })
  test('another expression has missed nothing', async () => {
    const { store } = keepingStore()
    const first = await createCron({ store })
    await first.bind('t', { expression: '@daily', misfire: 'all', name: 'n' })
    const second = await createCron({ store, start: '2026-05-02T06:00:00Z' })
    await second.bind('u', { expression: '@hourly', misfire: 'all', name: 'n' })
    expect(second.take()).toEqual([])
  })
})

test('a tick that cannot be stored is left out, and the next one comes when it can', async () => {
  const { store, told } = keepingStore()
  const world = await createCron({ store })
  await world.bind('t', minutely)
  told.failing = true
  await world.pass(60)
  expect(world.take()).toEqual([])
  expect(world.log.warnings()).toContain('what a schedule does could not be stored')
  told.failing = false
  await world.pass(60)
  expect(instantsOf(world.take())).toEqual(['00:02:00'])
  expect(await historyOf(world)).toEqual(['00:01:00 not_stored', '00:02:00 running'])
})

test('ends of runs that come one after the other are kept together, and at once when the engine stops', async () => {
  const { store, told, records } = keepingStore()
  const world = await createCron({ store })
  for (const name of ['a', 'b', 'c']) await world.bind(name, { ...minutely, name })
  const registered = told.saves
  await world.pass(60)
  const claims = told.saves
  expect(claims - registered).toBe(1)
  for (const call of world.take()) await world.answer(call)
  expect(told.saves).toBe(claims)
  world.clock.advance(limits.cronEndsMs)
  await world.settled()
  expect(told.saves).toBe(claims + 1)
  const id = world.caller.calls('cron::run', { id: 'a' })
  await world.settled()
  await world.answer(world.take()[0])
  expect(world.caller.hears().some(({ invocation_id }) => invocation_id === id)).toBe(true)
  await world.cron.drain()
  expect(latestOf(records.get('a')!.runs)?.outcome).toBe('ok')
})
