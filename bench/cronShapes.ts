/** Which schedules the suite `cron` has. */

const SCHEDULES = 10_000

/** Spread evenly and without chance, so that runs can be compared: steps of a size that has no divisor in common. */
const spread = (index: number, over: number): number => (index * 7919) % over

export const cronShapes = [
  { name: 'cron-none', what: 'an engine without schedules', count: 0, expression: () => '' },
  {
    name: 'cron-mixed',
    what: `${SCHEDULES} schedules, half of them once an hour, half once a day, at any second`,
    count: SCHEDULES,
    expression: (index: number) => {
      const [second, minute, hour] = [spread(index, 60), spread(index, 3541) % 60, spread(index, 86_399) % 24]
      return `${second} ${minute} ${index % 2 === 0 ? '*' : hour} * * *`
    },
  },
  {
    name: 'cron-minutely',
    what: `${SCHEDULES} schedules, each once a minute, spread over its seconds`,
    count: SCHEDULES,
    expression: (index: number) => `${spread(index, 60)} * * * * *`,
  },
  {
    name: 'cron-together',
    what: `${SCHEDULES} schedules, each once a minute, all in the same second`,
    count: SCHEDULES,
    expression: () => '0 * * * * *',
  },
] as const

export type CronShape = (typeof cronShapes)[number]['name']
