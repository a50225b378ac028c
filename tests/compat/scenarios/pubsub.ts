/** Topics: a published client publishes and subscribes, a connection that shows every frame beside it. */
import { expect } from 'bun:test'
import { until } from '../../support/waiting.ts'
import { failure, type Scenario, type Stage } from './stage.ts'

/** As deep as a chain of messages may be on the engine of these tests. */
export const DEPTH_LIMIT = 5

async function rowsOf({ raw }: Stage, topic: string): Promise<Record<string, unknown>[]> {
  const { result } = await raw.call('iii-pubsub::subscriptions', { topic })
  return (result as { subscriptions: Record<string, unknown>[] }).subscriptions
}

export const pubsub: readonly Scenario[] = [
  {
    name: 'it subscribes and publishes: message, metadata of its trigger, receipt, end',
    only: ({ triggers }) => triggers,
    async run(stage) {
      const { worker, id, bound } = stage
      await worker.offer(id('target'), 'record')
      await worker.bind('subscribe', id('target'), { topic: id('topic') }, { team: 'x' })
      await bound('subscribe', id('target'))
      expect(await worker.call('publish', { topic: id('topic'), data: { n: 1 } })).toBeUndefined()
      const { data, metadata } = await worker.called(id('target'))
      expect(data).toEqual({ n: 1 })
      expect(metadata).toEqual({ team: 'x', topic: id('topic'), published_at: expect.any(Number) })
      const message = { topic: id('topic'), data: [1, 'two'], with_receipt: true }
      expect(await worker.call('publish', message)).toEqual({ subscribers: 1 })
      expect((await worker.called(id('target'))).data).toEqual([1, 'two'])
      await worker.unbind(id('target'))
      await until('it has ended', async () => (await rowsOf(stage, id('topic'))).length === 0)
      expect(await worker.call('publish', message)).toEqual({ subscribers: 0 })
    },
  },
  {
    name: 'it publishes to others, and is told of an empty topic',
    async run({ worker, raw, id }) {
      raw.send({ type: 'registerfunction', id: id('target') })
      raw.send({
        type: 'registertrigger',
        id: crypto.randomUUID(),
        trigger_type: 'subscribe',
        function_id: id('target'),
        config: { topic: `${id('topic')}.*` },
      })
      await raw.settled()
      await worker.callVoid('publish', { topic: `${id('topic')}.new`, data: { n: 1 } })
      const call = await raw.expect({ type: 'invokefunction', function_id: id('target') })
      expect(call.data).toEqual({ n: 1 })
      expect(call).not.toHaveProperty('traceparent')
      expect(await failure(worker.call('publish', { topic: '', data: 1 }))).toEqual({
        code: 'topic_not_set',
        message: expect.stringContaining('Topic is not set'),
      })
    },
  },
  {
    name: 'messages that its handler publishes because of messages come to an end',
    // The others do not pass on the baggage of a call to the calls of its handler.
    only: ({ language }) => language === 'typescript',
    async run(stage) {
      const { worker, id, bound } = stage
      const topic = id('topic')
      await worker.offer(id('again'), 'relay')
      await worker.bind('subscribe', id('again'), { topic })
      await bound('subscribe', id('again'))
      let data: unknown = {}
      for (let depth = 0; depth < DEPTH_LIMIT + 3; depth++) {
        data = { function_id: 'publish', payload: { topic, data } }
      }
      await worker.call('publish', { topic, data })
      await until('it has come to an end', async () => (await rowsOf(stage, topic))[0]?.dropped === 1)
      expect(await rowsOf(stage, topic)).toMatchObject([{ delivered: DEPTH_LIMIT, dropped: 1 }])
    },
  },
]
