/** Schedules: a published client registers them, is called, and asks about them. */
import { expect } from 'bun:test'
import { connectRaw } from '../../support/rawClient.ts'
import { failure, type Scenario } from './stage.ts'

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$/

const scheduledMs = (data: unknown): number => Date.parse((data as { scheduled_time: string }).scheduled_time)

interface Row {
  readonly outcome: string
  readonly scheduled_time: string
}

export const cron: readonly Scenario[] = [
  {
    name: 'it is called at the instants of its expression, with the members that clients know',
    only: ({ triggers }) => triggers,
    async run({ worker, id, bound }) {
      await worker.offer(id('target'), 'record')
      await worker.bind('cron', id('target'), { expression: '* * * * * *' }, { team: 'x' })
      await bound('cron', id('target'))
      const { data, metadata } = await worker.called(id('target'))
      const first = scheduledMs(data)
      expect(data).toMatchObject({
        trigger: 'cron',
        job_id: expect.any(String),
        scheduled_time: expect.stringMatching(TIME),
        actual_time: expect.stringMatching(TIME),
      })
      expect(metadata).toEqual({ team: 'x' })
      expect(scheduledMs((await worker.called(id('target'))).data)).toBeGreaterThan(first)
      await worker.unbind(id('target'))
    },
  },
  {
    name: 'it comes back after the engine was killed, no instant is called twice, and none is forgotten',
    only: ({ triggers }) => triggers,
    async run({ engine, worker, id, bound }) {
      await worker.offer(id('target'), 'record')
      const config = { expression: '* * * * * *', name: id('name'), misfire: 'all', overlap: 'queue' }
      await worker.bind('cron', id('target'), config)
      await bound('cron', id('target'))
      const instants = [scheduledMs((await worker.called(id('target'))).data)]
      await engine.restart('SIGKILL')
      for (let count = 0; count < 4; count++)
        instants.push(scheduledMs((await worker.called(id('target'))).data))
      expect(new Set(instants).size).toBe(instants.length)
      await using after = await connectRaw(engine.url)
      // One that was begun when the engine was killed is known to have been.
      const history = await after.call('cron::history', { id: id('name') })
      for (const { outcome, scheduled_time } of (history.result as { runs: Row[] }).runs)
        if (outcome === 'interrupted') instants.push(Date.parse(scheduled_time))
      const seconds = [...new Set(instants)].map(ms => ms / 1000).sort((one, other) => one - other)
      expect(seconds.at(-1)! - seconds[0]!).toBe(seconds.length - 1)
      const { result } = await after.call('cron::list')
      // The same trigger under the same id: the schedule has one, and goes on.
      const { schedules } = result as { schedules: { name: string; triggers: number }[] }
      expect(schedules.find(({ name }) => name === id('name'))).toMatchObject({ triggers: 1 })
      await worker.unbind(id('target'))
    },
  },
  {
    name: 'it runs a schedule by its name and hears of one that is not there',
    only: ({ triggers }) => triggers,
    async run({ worker, id, bound }) {
      await worker.offer(id('target'), 'record')
      await worker.bind('cron', id('target'), { expression: '@yearly', name: id('name') })
      await bound('cron', id('target'))
      expect(await worker.call('cron::run', { id: id('name') })).toEqual({ ok: true })
      expect((await worker.called(id('target'))).data).toMatchObject({ manual: true, name: id('name') })
      expect(await failure(worker.call('cron::run', { id: id('other') }))).toEqual({
        code: 'NOT_FOUND',
        message: expect.stringContaining(`Cron job '${id('other')}' not found`),
      })
    },
  },
]
