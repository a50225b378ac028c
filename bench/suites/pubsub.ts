/** `pubsub`: messages of one publisher to some subscribers, which are functions of one worker. */
import type { LoopResult } from '../clients/closedLoop.ts'
import type { PubsubOptions } from '../clients/pubsub.ts'
import type { BenchContext, Values } from '../context.ts'
import { startEngine } from '../engine.ts'
import { deliveryValues, perThread, planOf } from '../loopValues.ts'
import { runClient } from '../processes.ts'

export const pubsubShapes = [
  { name: 'pubsub', framing: 'json', what: 'topic with subscribers on one worker' },
  { name: 'pubsub-msgpack', framing: 'msgpack', what: 'topic with subscribers on one worker, in msgpack' },
] as const

export const SUBSCRIBERS: readonly number[] = [1, 32, 256]

/** Messages under way: some thousand deliveries at most, and never so few that everybody waits for everybody. */
const inFlightOf = (subscribers: number): number => Math.min(64, Math.max(8, Math.ceil(2048 / subscribers)))

export async function measurePubsub({ options, say, wanted, infos }: BenchContext): Promise<Values> {
  const values: Values = {}
  const contestants = pubsubShapes.flatMap(shape =>
    SUBSCRIBERS.filter(subscribers =>
      infos.some(({ name }) => name.startsWith(`${shape.name}-${subscribers}-`) && wanted(name)),
    ).map(subscribers => ({ ...shape, subscribers, results: [] as LoopResult[] })),
  )
  for (const { name, framing, subscribers, results } of contestants) {
    const engine = startEngine(options.engine, { workers: ['{ name: iii-pubsub }'] })
    try {
      const { workers: url } = await engine.addresses
      const client: Omit<PubsubOptions, 'plan'> = { url, framing, subscribers, pid: engine.pid }
      const run = () =>
        runClient<LoopResult>('pubsub.ts', {
          ...client,
          plan: planOf(inFlightOf(subscribers), options.seconds),
        })
      await run()
      for (let round = 1; round <= options.rounds; round++) {
        const result = await run()
        results.push(result)
        const rate = Math.round((result.answers * subscribers) / result.seconds)
        say(
          `${name} ${subscribers} subscribers, round ${round}: ${rate} deliveries/s${perThread(result, subscribers)}`,
        )
      }
      Object.assign(values, deliveryValues(`${name}-${subscribers}`, subscribers, results))
    } finally {
      await engine.stop()
    }
  }
  return values
}
