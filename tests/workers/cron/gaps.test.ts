/** Instants that nobody looked at: `misfire` says what becomes of all of them, and `overlap` has no part in it (`docs/cron.md#missed-instants`). */
import { describe, expect, test } from 'bun:test'
import { type CronWorld, createCron, historyOf, instantsOf } from './support.ts'

const minutely = { expression: '* * * * *' }

/** Calls that are answered as they come, each before the next. */
async function answered(world: CronWorld): Promise<string[]> {
  const seen: string[] = []
  for (let [call] = world.take(); call !== undefined; [call] = world.take()) {
    seen.push(...instantsOf([call]))
    await world.answer(call)
  }
  return seen
}

describe('after a gap', () => {
  const often = { expression: '*/2 * * * * *', name: 'often' }
  const each = [
    '00:00:02',
    '00:00:04',
    '00:00:06',
    '00:00:08',
    '00:00:10',
    '00:00:12',
    '00:00:14',
    '00:00:16',
  ]
  for (const overlap of ['skip', 'queue', 'parallel', 'cancel_previous'])
    for (const [seconds, count] of [
      [7, 3],
      [17, 8],
    ] as const) {
      const missed = each.slice(0, count)
      const latest = missed.at(-1)
      async function back(misfire: string) {
        const world = await createCron()
        await world.bind('t', { ...often, misfire, overlap })
        await world.unbind('t')
        await world.pass(seconds)
        await world.bind('u', { ...often, misfire, overlap })
        return world
      }
      const about = `of ${count} ticks, with overlap \`${overlap}\``
      test(`${about}, \`all\` runs each, one after the other`, async () => {
        const world = await back('all')
        expect(await answered(world)).toEqual(missed)
        expect(await historyOf(world, 'often')).toEqual(missed.map(instant => `${instant} ok`))
      })
      test(`${about}, \`once\` calls once for all of them`, async () => {
        const world = await back('once')
        expect(world.take()).toMatchObject([{ data: { missed: count - 1 } }])
        expect(await historyOf(world, 'often')).toEqual([`${latest} running`])
      })
      test(`${about}, \`skip\` calls the latest, and says why not the others`, async () => {
        const world = await back('skip')
        expect(await answered(world)).toEqual([latest!])
        expect(await historyOf(world, 'often')).toEqual([
          `${missed.at(-2)} no_worker ${count - 1}`,
          `${latest} ok`,
        ])
      })
    }
  test('a tick that comes while what was missed is made up for falls to `overlap`', async () => {
    for (const [overlap, after] of [
      ['skip', ['00:00:02', '00:00:04', '00:00:06']],
      ['queue', ['00:00:02', '00:00:04', '00:00:06', '00:00:08']],
    ] as const) {
      const world = await createCron()
      await world.bind('t', { ...often, misfire: 'all', overlap })
      await world.unbind('t')
      await world.pass(7)
      await world.bind('u', { ...often, misfire: 'all', overlap })
      await world.pass(1)
      expect(await answered(world)).toEqual([...after])
    }
  })
  test('the history has the latest instant first, whatever was written first', async () => {
    const world = await createCron()
    const config = { ...often, misfire: 'all' }
    await world.bind('t', config)
    await world.unbind('t')
    await world.pass(7)
    await world.bind('u', config)
    const [first] = world.take()
    await world.pass(2)
    await world.answer(first)
    await world.answer(world.take()[0])
    expect(await historyOf(world, 'often')).toEqual([
      '00:00:02 ok',
      '00:00:04 ok',
      '00:00:06 running',
      '00:00:08 overlap 1',
    ])
  })
  test('what waits to be made up for is bounded, also over many gaps', async () => {
    const world = await createCron()
    const row = async () => (await world.done<{ schedules: object[] }>('list', {})).schedules[0]
    for (const [misfire, waiting] of [
      ['all', 5],
      ['once', 1],
    ] as const) {
      const config = { ...minutely, name: misfire, misfire, misfire_limit: 5 }
      await world.bind(misfire, config)
      await world.pass(60)
      const [hanging] = world.take()
      for (let gap = 0; gap < 4; gap++) {
        world.setWall(new Date(world.wallClock() + 180_000).toISOString())
        await world.pass(1)
      }
      expect(await row()).toMatchObject({ name: misfire, waiting_ticks: waiting })
      await world.answer(hanging)
      const [next] = world.take()
      expect(next?.data).toMatchObject({ missed: misfire === 'once' ? 11 : 0 })
      await world.unbind(misfire)
    }
  })
})
