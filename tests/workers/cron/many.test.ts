/** Many schedules: one timer for all of them, and those of one instant in portions. */
import { expect, test } from 'bun:test'
import { limits } from '../../../src/protocol/limits.ts'
import type { CronStore } from '../../../workers/cron/store.ts'
import { type CronWorld, createCron, keepingStore } from './support.ts'

const minutely = { expression: '* * * * *' }

test('ten thousand schedules wait on one timer', async () => {
  const world = await createCron()
  const before = world.clock.pending()
  for (let index = 0; index < 10_000; index++) {
    world.worker.says({
      type: 'registertrigger',
      trigger_type: 'cron',
      function_id: 'target::run',
      id: `t${index}`,
      config: { expression: `${index % 60} * * * *`, name: `n${index}` },
    })
    if (index % 500 === 499) await world.settled()
  }
  world.clock.advance(1000)
  await world.settled()
  expect(await world.done<unknown>('list', { limit: 1 })).toMatchObject({ total: 10_000 })
  expect(world.clock.pending() - before).toBeLessThanOrEqual(5)
})

test('the first of many at one instant are called before the last are looked at', async () => {
  const { store } = keepingStore()
  const counting: CronStore = {
    ...store,
    async save(given) {
      portions.push(given.length)
      calledBefore.push(world.take().length)
      await store.save(given)
    },
  }
  const portions: number[] = []
  const calledBefore: number[] = []
  // What is to be done at once comes in a turn of its own, as with a clock that is real.
  const world: CronWorld = await createCron({ store: counting, isPatient: true })
  const many = 2 * limits.cronPortion + 5
  for (let index = 0; index < many; index++) await world.bind(`t${index}`, { ...minutely, name: `n${index}` })
  portions.length = 0
  calledBefore.length = 0
  await world.pass(60)
  while (portions.length < 3) await world.settled()
  expect(portions).toEqual([limits.cronPortion, limits.cronPortion, 5])
  expect(calledBefore).toEqual([0, limits.cronPortion, limits.cronPortion])
  await world.settled()
  expect(world.take().length).toBe(5)
})
