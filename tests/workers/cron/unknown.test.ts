/** What schedules and their functions are told and do not know. */
import { expect, test } from 'bun:test'
import { createCron } from './support.ts'

test('a key of a trigger that nobody knows is told in the log, with the nearest one', async () => {
  const world = await createCron()
  await world.bind('t', { expression: '@hourly', Timezone: 'Europe/Berlin' })
  expect(world.log.lines.map(({ message }) => message)).toContain(
    "cron trigger: unknown config key 'Timezone' has no effect; did you mean 'timezone'?",
  )
})

test('functions refuse what they do not know', async () => {
  const world = await createCron()
  await world.bind('t', { expression: '@hourly' })
  const { error } = await world.ask('history', { id: 't', limit: 2 })
  expect(error).toMatchObject({
    code: 'deserialization_error',
    message: expect.stringContaining('cron::history: unknown field `limit`; known are id'),
  })
  expect((await world.ask('next', { id: 't', counts: 2 })).error?.message).toContain('did you mean `count`?')
})
