/** The worker `iii-cron`: triggers that fire, and what becomes of ticks that do not (`docs/cron.md`). */
import { describe, expect, test } from 'bun:test'
import { registerFunction, registerTrigger } from '../../support/world.ts'
import { createCron, historyOf, instantsOf, keepingStore } from './support.ts'

const minutely = { expression: '* * * * *' }

describe('a trigger', () => {
  test('fires at its instants, with what was meant and when it was', async () => {
    const world = await createCron()
    expect(await world.bind('t', minutely, { metadata: { a: 1 } })).toBeUndefined()
    await world.pass(59)
    expect(world.take()).toEqual([])
    await world.pass(1)
    const [call, ...more] = world.take()
    expect(more).toEqual([])
    expect(call).toMatchObject({ function_id: 'target::run', metadata: { a: 1 } })
    expect(call!.data).toMatchObject({
      trigger: 'cron',
      job_id: 't',
      scheduled_time: '2026-05-01T00:01:00+00:00',
      actual_time: expect.stringMatching(/^2026-05-01T00:01:0\d(\.\d{3})?\+00:00$/),
      timezone: 'UTC',
      attempt: 1,
      missed: 0,
    })
    await world.answer(call)
    await world.pass(60)
    expect(instantsOf(world.take())).toEqual(['00:02:00'])
  })

  test('may be named by `schedule`, in a time zone, with seconds', async () => {
    const world = await createCron({ start: '2026-05-01T05:59:58Z' })
    await world.bind('t', { schedule: '0 0 8 * * *', timezone: 'Europe/Berlin' })
    await world.bind('u', { schedule: '*/2 * * * * *', name: 'often' })
    await world.pass(2)
    expect(instantsOf(world.take()).sort()).toEqual(['06:00:00', '06:00:00'])
  })

  for (const [config, why] of [
    [{}, 'Cron expression is required'],
    [{ expression: ' ' }, 'Cron expression is required'],
    [{ expression: 5 }, 'Cron expression is required'],
    [{ expression: '61 * * * *' }, "Invalid cron expression '61 * * * *': field `minute`"],
    [{ ...minutely, timezone: 'Mars/Base' }, 'timezone must be the name of a time zone'],
    [{ ...minutely, overlap: 'never' }, 'overlap must be one of skip, queue, parallel, cancel_previous'],
    [{ ...minutely, misfire: 'twice' }, 'misfire must be one of skip, once, all'],
    [{ ...minutely, retry: { max: -1 } }, 'max must be a whole number from 0'],
    [{ ...minutely, jitter_ms: 1.5 }, 'jitter_ms must be a whole number'],
  ] as const) {
    test(`with ${JSON.stringify(config)} is refused: ${why}`, async () => {
      const world = await createCron()
      const error = await world.bind('t', config)
      expect(error?.message).toStartWith(why)
    })
  }

  test('that is gone does not fire', async () => {
    const world = await createCron()
    await world.bind('t', minutely)
    await world.unbind('t')
    await world.pass(120)
    expect(world.take()).toEqual([])
    expect(await world.ask('history', { id: 't' })).toMatchObject({
      error: { code: 'NOT_FOUND', message: "Cron job 't' not found" },
    })
  })

  test('that is registered by two workers with the same code fires once', async () => {
    const world = await createCron()
    await world.bind('one', minutely)
    await world.bind('two', minutely)
    await world.bind('other', minutely, { metadata: { other: true } })
    await world.pass(60)
    const calls = world.take()
    expect(calls.map(({ data }) => (data as { job_id: string }).job_id).sort()).toEqual(['other', 'two'])
    for (const call of calls) await world.answer(call)
    await world.unbind('two')
    await world.unbind('other')
    await world.pass(60)
    expect(world.take()).toMatchObject([{ data: { job_id: 'one' } }])
  })

  test('goes by its own expression again when the one that had its name since is gone', async () => {
    const world = await createCron()
    await world.bind('first', { expression: '*/7 * * * *', name: 'shared' })
    await world.bind('second', { expression: '*/5 * * * *', name: 'shared' })
    await world.unbind('second')
    await world.pass(13 * 60)
    expect(instantsOf(world.take())).toEqual(['00:07:00'])
  })

  test('of an id that somebody has already is refused, and the first stays', async () => {
    const world = await createCron()
    await world.bind('t', minutely)
    const error = await world.bind('t', { expression: '@hourly' })
    expect(error).toEqual({
      code: 'trigger_registration_failed',
      message: "Cron job 't' is already registered",
    })
    // The same again, as clients do that have been away.
    expect(await world.bind('t', minutely)).toBeUndefined()
    await world.pass(60)
    expect(instantsOf(world.take())).toEqual(['00:01:00'])
    await world.unbind('t')
    await world.pass(60)
    expect(world.take()).toEqual([])
    expect(await world.bind('t', { expression: '@hourly' })).toBeUndefined()
    expect(await world.done<unknown>('list', {})).toMatchObject({
      schedules: [{ expression: '@hourly', state: 'waits' }, { state: 'no_worker' }],
    })
  })

  test('of an id that somebody has whose worker has gone is taken', async () => {
    const world = await createCron()
    const other = world.join()
    other.says(registerTrigger('t', 'cron', 'target::other', { config: minutely }))
    await world.settled()
    other.leaves()
    expect(await world.bind('t', minutely)).toBeUndefined()
    await world.pass(60)
    expect(world.take()).toMatchObject([{ function_id: 'target::run' }])
  })

  test('whose condition says no is not called, and says so', async () => {
    const world = await createCron()
    await world.bind('t', { ...minutely, condition: 'missed > 0' })
    await world.pass(60)
    expect(world.take()).toEqual([])
    expect(await historyOf(world)).toEqual(['00:01:00 condition'])
  })

  test('is put off by its jitter', async () => {
    const world = await createCron()
    await world.bind('t', { ...minutely, jitter_ms: 30_000, name: 'spread' })
    const seen: number[] = []
    for (let second = 0; second < 600; second++) {
      await world.pass(1)
      for (const call of world.take()) {
        seen.push(second % 60)
        await world.answer(call)
      }
    }
    expect(seen.length).toBeGreaterThanOrEqual(9)
    expect(new Set(seen).size).toBeGreaterThan(3)
  })
})

describe('a tick while the function still runs', () => {
  async function busy(overlap?: string) {
    const world = await createCron()
    await world.bind('t', { ...minutely, overlap })
    await world.pass(180)
    const calls = world.take()
    return { world, calls }
  }
  test('is left out, and says so', async () => {
    const { world, calls } = await busy()
    expect(instantsOf(calls)).toEqual(['00:01:00'])
    await world.answer(calls[0])
    await world.pass(60)
    expect(instantsOf(world.take())).toEqual(['00:04:00'])
    expect(await historyOf(world)).toEqual(['00:01:00 ok', '00:03:00 overlap 2', '00:04:00 running'])
  })
  test('waits with `queue`, one of them', async () => {
    const { world, calls } = await busy('queue')
    expect(instantsOf(calls)).toEqual(['00:01:00'])
    await world.answer(calls[0])
    expect(instantsOf(world.take())).toEqual(['00:02:00'])
  })
  for (const overlap of ['parallel', 'allow'])
    test(`fires with \`${overlap}\``, async () => {
      const { calls } = await busy(overlap)
      expect(instantsOf(calls)).toEqual(['00:01:00', '00:02:00', '00:03:00'])
    })
  test('takes its place with `cancel_previous`, and what still ran is given up', async () => {
    const { world, calls } = await busy('cancel_previous')
    expect(instantsOf(calls)).toEqual(['00:01:00', '00:02:00', '00:03:00'])
    // An answer that comes after all is nobody's.
    await world.answer(calls[0])
    expect(await historyOf(world)).toEqual(['00:01:00 cancelled', '00:02:00 cancelled', '00:03:00 running'])
    await world.answer(calls[2])
    expect((await historyOf(world)).at(-1)).toBe('00:03:00 ok')
    expect(await world.done<unknown>('list', {})).toMatchObject({ schedules: [{ running: 0 }] })
  })
  test('takes the place of one that waits to be tried again, with `cancel_previous`', async () => {
    const world = await createCron()
    const retry = { max: 3, backoff_ms: 100_000 }
    await world.bind('t', { ...minutely, overlap: 'cancel_previous', retry })
    await world.pass(60)
    await world.answer(world.take()[0], { error: { code: 'nope', message: 'not today' } })
    await world.pass(180)
    expect(world.take().map(({ data }) => data)).toMatchObject([
      { attempt: 1, scheduled_time: '2026-05-01T00:02:00+00:00' },
      { attempt: 1, scheduled_time: '2026-05-01T00:03:00+00:00' },
      { attempt: 1, scheduled_time: '2026-05-01T00:04:00+00:00' },
    ])
    expect(await historyOf(world)).toEqual([
      '00:01:00 failed',
      '00:02:00 cancelled',
      '00:03:00 cancelled',
      '00:04:00 running',
    ])
  })
  test('fires when the function that hangs is given up', async () => {
    const world = await createCron()
    await world.bind('t', { ...minutely, timeout_ms: 90_000 })
    await world.pass(180)
    expect(instantsOf(world.take())).toEqual(['00:01:00', '00:03:00'])
    expect((await historyOf(world))[0]).toBe('00:01:00 failed')
  })
})

describe('a function that fails', () => {
  const failure = { error: { code: 'nope', message: 'not today' } }
  test('is not called again, and the next tick comes', async () => {
    const world = await createCron()
    await world.bind('t', minutely)
    await world.pass(60)
    await world.answer(world.take()[0], failure)
    await world.pass(59)
    expect(world.take()).toEqual([])
    await world.pass(1)
    expect(world.take()).toHaveLength(1)
  })
  test('is called again with `retry`, later and later', async () => {
    const world = await createCron()
    await world.bind('t', { expression: '@hourly', retry: { max: 2, backoff_ms: 10_000 } })
    await world.pass(0)
    world.setWall('2026-05-01T00:59:59Z')
    await world.pass(2)
    const delays: number[] = []
    for (let attempt = 1; attempt <= 3; attempt++) {
      let waited = 0
      let [call] = world.take()
      while (call === undefined && waited < 60) {
        await world.pass(1)
        waited++
        ;[call] = world.take()
      }
      expect(call?.data).toMatchObject({ attempt, scheduled_time: '2026-05-01T01:00:00+00:00' })
      await world.answer(call, failure)
      delays.push(waited)
    }
    expect(delays).toEqual([0, 10, 20])
    await world.pass(120)
    expect(world.take()).toEqual([])
    expect(await historyOf(world)).toEqual([
      '01:00:00 failed',
      '01:00:00 failed attempt 2',
      '01:00:00 failed attempt 3',
    ])
  })
})

describe('a tick without a worker', () => {
  test('says so, and finds it when it is back', async () => {
    const world = await createCron()
    await world.bind('t', { ...minutely, retry: { max: 1, backoff_ms: 5000 } })
    world.worker.says({ type: 'unregisterfunction', id: 'target::run' })
    await world.pass(61)
    expect(await historyOf(world)).toEqual(['00:01:00 no_worker'])
    world.worker.says(registerFunction('target::run'))
    await world.pass(5)
    expect(world.take()).toMatchObject([
      { data: { attempt: 2, scheduled_time: '2026-05-01T00:01:00+00:00' } },
    ])
  })
  test('while nobody has the schedule is left out, and says so', async () => {
    const world = await createCron()
    await world.bind('t', minutely)
    await world.unbind('t')
    await world.pass(150)
    await world.bind('u', minutely)
    expect(world.take()).toEqual([])
    expect(await historyOf(world, 'u')).toEqual(['00:02:00 no_worker 2'])
  })
})

describe('the clock on the wall', () => {
  test('set forward over instants leaves them out, and says so', async () => {
    const world = await createCron()
    await world.bind('t', minutely)
    await world.pass(30)
    world.setWall('2026-05-01T03:00:30Z')
    await world.pass(1)
    expect(world.take()).toEqual([])
    expect(await historyOf(world)).toEqual(['03:00:00 misfire 180'])
    await world.pass(30)
    expect(instantsOf(world.take())).toEqual(['03:01:00'])
  })
  test('set back fires nothing twice', async () => {
    const world = await createCron()
    await world.bind('t', minutely)
    await world.pass(60)
    await world.answer(world.take()[0])
    world.setWall('2026-04-30T23:58:30Z')
    await world.pass(160)
    expect(world.take()).toEqual([])
    await world.pass(50)
    expect(instantsOf(world.take())).toEqual(['00:02:00'])
  })
  test('that was wrong by days does not silence schedules for days', async () => {
    const world = await createCron({ start: '2031-01-01T00:00:00Z' })
    await world.bind('t', minutely)
    await world.pass(60)
    await world.answer(world.take()[0])
    world.setWall('2026-05-01T00:00:30Z')
    await world.pass(31)
    expect(instantsOf(world.take())).toEqual(['00:01:00'])
  })
})

describe('functions', () => {
  test('list schedules', async () => {
    const world = await createCron()
    await world.bind('t', { expression: '0 3 * * *', timezone: 'Europe/Berlin', name: 'nightly' })
    expect(await world.done<unknown>('list', {})).toMatchObject({
      total: 1,
      schedules: [
        {
          id: 't',
          name: 'nightly',
          function_id: 'target::run',
          namespace: 'default',
          expression: '0 3 * * *',
          timezone: 'Europe/Berlin',
          next_run: '2026-05-01T01:00:00+00:00',
          paused: false,
          last_run: null,
        },
      ],
    })
  })

  test('say when a schedule or an expression fires next', async () => {
    const world = await createCron()
    await world.bind('t', minutely)
    expect(await world.done<unknown>('next', { id: 't', count: 2 })).toMatchObject({
      instants: ['2026-05-01T00:01:00+00:00', '2026-05-01T00:02:00+00:00'],
    })
    const asked = { expression: '@daily', timezone: 'Asia/Tokyo', count: 1 }
    expect(await world.done<unknown>('next', asked)).toMatchObject({
      instants: ['2026-05-01T15:00:00+00:00'],
      local: ['2026-05-02T00:00:00+09:00'],
    })
    const west = { expression: '0 9 * * *', timezone: 'America/St_Johns', count: 1 }
    expect(await world.done<unknown>('next', west)).toMatchObject({
      instants: ['2026-05-01T11:30:00+00:00'],
      local: ['2026-05-01T09:00:00-02:30'],
    })
    expect((await world.ask('next', { expression: '1' })).error?.message).toContain('it has 1 field;')
  })
  test('run a schedule now and answer what it does', async () => {
    const world = await createCron()
    await world.bind('t', minutely)
    for (const name of ['run', 'run-now']) {
      const id = world.caller.calls(`cron::${name}`, { id: 't' })
      await world.settled()
      const [call] = world.take()
      expect(call?.data).toMatchObject({ manual: true, job_id: 't' })
      await world.answer(call, { result: { n: 1 } })
      const answer = world.caller.hears().find(({ invocation_id }) => invocation_id === id)
      expect(answer).toMatchObject({ result: { n: 1 } })
    }
  })
  test('pause a schedule, also over a restart, and let it go on', async () => {
    const { store } = keepingStore()
    const first = await createCron({ store })
    await first.bind('t', { ...minutely, name: 'n', misfire: 'all' })
    await first.done('pause', { id: 'n' })
    const world = await createCron({ store })
    await world.bind('t', { ...minutely, name: 'n', misfire: 'all' })
    await world.pass(120)
    expect(world.take()).toEqual([])
    await world.done('resume', { id: 't' })
    await world.pass(60)
    expect(instantsOf(world.take())).toEqual(['00:03:00'])
    expect(await historyOf(world)).toEqual(['00:02:00 paused 2', '00:03:00 running'])
  })
})
