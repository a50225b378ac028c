/** Queues: a published client sends calls through them, subscribes to durable topics, takes messages. */
import { expect } from 'bun:test'
import { until } from '../../support/waiting.ts'
import { failure, type Scenario, type Stage } from './stage.ts'

const RECEIPT = { messageReceiptId: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) }

async function statsOf({ raw }: Stage, queue: string): Promise<Record<string, unknown>> {
  return (await raw.call('engine::queue::topic_stats', { queue })).result as Record<string, unknown>
}

/** `needs`: queues that are configured. */
export const queue: readonly (Scenario & { readonly needs?: string })[] = [
  {
    name: 'it sends a call through a queue, is answered with a receipt, and is called with the data',
    async run(stage) {
      const { worker, id, known } = stage
      await worker.offer(id('target'), 'record')
      await known(id('target'))
      const receipt = await worker.enqueue('default', id('target'), { n: 1, text: 'ü' })
      expect(receipt).toEqual(RECEIPT)
      const { data, metadata } = await worker.called(id('target'))
      expect(data).toEqual({ n: 1, text: 'ü' })
      expect(metadata).toMatchObject({
        message_id: (receipt as { messageReceiptId: string }).messageReceiptId,
        queue: 'default',
        attempt: 1,
      })
      await until('it is done', async () => (await statsOf(stage, 'default')).depth === 0)
    },
  },
  {
    name: 'it is told that a queue is not there, and what a fifo queue needs',
    needs: 'ordered',
    async run({ worker, id }) {
      expect(await failure(worker.enqueue('missing', id('target'), {}))).toEqual({
        code: 'enqueue_error',
        message: expect.stringContaining("Queue 'missing' not found"),
      })
      expect((await failure(worker.enqueue('ordered', id('target'), {}))).message).toContain(
        "requires field 'order' in data, but it was not found",
      )
    },
  },
  {
    name: 'its handler that fails is called again, and then the message is among the dead, with its error',
    needs: 'retried',
    async run(stage) {
      const { worker, id, raw, known } = stage
      await worker.offer(id('target'), 'throw')
      await known(id('target'))
      await worker.enqueue('retried', id('target'), { n: 1 })
      await until('it is dead', async () => (await statsOf(stage, 'retried')).dlq_depth === 1)
      const { result } = await raw.call('engine::queue::dlq_messages', { topic: 'retried' })
      expect(result).toMatchObject([
        { payload: { n: 1 }, retries: 2, error: expect.stringContaining('boom') },
      ])
      await worker.unregisterFunction(id('target'))
      expect(await worker.call('iii::queue::redrive', { queue: 'retried' })).toEqual({
        queue: 'retried',
        redriven: 1,
      })
    },
  },
  {
    name: 'messages for a function that is away wait for it',
    async run({ worker, raw, id }) {
      const receipt = await worker.enqueue('default', id('late'), { n: 1 })
      const { messageReceiptId: message_id } = receipt as { messageReceiptId: string }
      const { result } = await raw.call('queue::message', { message_id })
      expect(result).toMatchObject({ reason: 'no_worker', attempt: 0 })
      await worker.offer(id('late'), 'record')
      expect(await worker.called(id('late'))).toMatchObject({ data: { n: 1 }, metadata: { attempt: 1 } })
    },
  },
  {
    name: 'it publishes to a durable topic before anybody has subscribed, and subscribes',
    only: ({ triggers }) => triggers,
    async run({ worker, id, bound }) {
      const topic = id('topic')
      await worker.offer(id('target'), 'record')
      expect(await worker.call('iii::durable::publish', { topic, data: [1] })).toBeUndefined()
      await worker.bind('durable:subscriber', id('target'), { topic }, { team: 'x' })
      await bound('durable:subscriber', id('target'))
      await worker.call('iii::durable::publish', { topic, data: [2] })
      for (const data of [[1], [2]]) {
        const called = await worker.called(id('target'))
        expect(called.data).toEqual(data)
        expect(called.metadata).toMatchObject({ team: 'x', queue: topic, attempt: 1 })
      }
    },
  },
  {
    name: 'it is told of an empty topic',
    async run({ worker }) {
      expect(await failure(worker.call('iii::durable::publish', { topic: '', data: 1 }))).toEqual({
        code: 'topic_not_set',
        message: expect.stringContaining('Topic is not set'),
      })
    },
  },
  {
    name: 'it pushes and takes messages; what it has taken when it goes comes again at once',
    async run({ worker, raw, id, driver, engine }) {
      const topic = id('topic')
      const dead = await driver.connect(engine.url, { name: id('dead') })
      await worker.call('queue::push', { queue: topic, data: 'x' })
      expect(await dead.call('queue::pop', { queue: topic })).toMatchObject({ messages: [{ attempt: 1 }] })
      await dead.shutdown()
      const { result } = await raw.call('queue::pop', { queue: topic, wait_ms: 10_000 })
      const [message] = (result as { messages: Record<string, unknown>[] }).messages
      expect(message).toMatchObject({ data: 'x', attempt: 2 })
      const { id: message_id, lease_id } = message!
      expect(await worker.call('queue::ack', { id: message_id, lease_id })).toEqual({ ok: true })
    },
  },
]
