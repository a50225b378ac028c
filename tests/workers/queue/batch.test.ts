/** What one call may publish. */
import { describe, expect, test } from 'bun:test'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { Publish } from '../../../workers/queue/backend.ts'
import { createBatch } from '../../../workers/queue/batch.ts'
import { createQueues } from './world.ts'

const message = (length: number): Publish => ({
  queue: 'q',
  functionId: undefined,
  namespace: undefined,
  data: asJsonText(`"${'x'.repeat(length - 2)}"`),
})

describe('one call', () => {
  const copies = (count: number, of: Publish): Publish[] => Array.from({ length: count }, () => of)

  test('publishes so many messages, copies counted, and no more', () => {
    const batch = createBatch()
    for (let count = 0; count < 100; count++) batch.add(copies(limits.queueCopies / 100, message(3)))
    expect(batch.messages()).toHaveLength(limits.queueCopies)
    expect(() => batch.add([message(3)])).toThrow(
      expect.objectContaining({
        code: 'PUBLISH_TOO_LARGE',
        message: expect.stringContaining('100001 or more'),
      }),
    )
  })

  test('and so many characters', () => {
    const batch = createBatch()
    batch.add(copies(60, message(limits.transactionCharacters / 60)))
    expect(() => batch.add([message(3)])).toThrow(expect.objectContaining({ code: 'PUBLISH_TOO_LARGE' }))
  })

  test('that is too large for the subscriptions of its topic says so, and nothing is written', async () => {
    const world = await createQueues()
    const worker = await world.worker('a', 'b', 'c')
    for (const id of ['a', 'b', 'c']) await world.bind(worker, id, 'durable:subscriber', id, { topic: 't' })
    const data = 'x'.repeat(limits.transactionCharacters / 3)
    for (const [id, input] of [
      ['iii::durable::publish', { topic: 't', data }],
      ['queue::push', { topic: 't', data }],
      ['queue::push', { topic: 't', messages: [{ data: 1 }, { data }] }],
    ] as const)
      expect(await world.ask(id, input)).toMatchObject({ error: { code: 'PUBLISH_TOO_LARGE' } })
    expect(await world.done('queue::stats', { topic: 't' })).toMatchObject({ depth: 0 })
  })
})
