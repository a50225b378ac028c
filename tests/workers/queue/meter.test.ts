/** What happens in a queue in a second. */
import { expect, test } from 'bun:test'
import { createMeter, type Rates } from '../../../workers/queue/core/meter.ts'
import { createRandom } from '../../support/random.ts'

test('rates are those of the last minute, whatever happens between', () => {
  const { between, seed } = createRandom()
  let ms = 5_000_000
  const meter = createMeter(() => ms, 100)
  const events: { second: number; queue: string; what: keyof Rates; by: number }[] = []
  const sumOf = (queue: string, what: keyof Rates): number =>
    events
      .filter(each => each.queue === queue && each.what === what && each.second > Math.floor(ms / 1000) - 60)
      .reduce((sum, { by }) => sum + by, 0)
  for (let step = 0; step < 2000; step++) {
    ms += between(0, 20) === 0 ? between(0, 150_000) : between(0, 700)
    const event = {
      second: Math.floor(ms / 1000),
      queue: `q${between(0, 3)}`,
      what: (['published', 'done', 'failed'] as const)[between(0, 3)]!,
      by: between(1, 5),
    }
    events.push(event)
    meter.count(event.queue, event.what, event.by)
    for (const queue of ['q0', 'q1', 'q2', 'none']) {
      const { published, done, failed } = meter.rates(queue)
      const rates = [published, done, failed].map(rate => Math.round(rate * 60))
      const is = [sumOf(queue, 'published'), sumOf(queue, 'done'), sumOf(queue, 'failed')]
      expect([seed, queue, rates]).toEqual([seed, queue, is])
    }
  }
})
