/** Who has messages handed to it, over a store that takes its time. */
import { expect, test } from 'bun:test'
import type { Lane } from '../../../src/storage/queue/message.ts'
import type { QueueBackend } from '../../../workers/queue/backend.ts'
import { createConsumers } from '../../../workers/queue/consumers.ts'
import type { Lease, TakeRequest } from '../../../workers/queue/core/lease.ts'
import { createVirtualClock } from '../../support/fakes.ts'
import { retries } from './support.ts'

const laneOf = (functionId: string): Lane => ({ queue: 'q', functionId, namespace: undefined })

/** Looks at the store stay open until the test ends them. */
function stage(ratePerSecond?: number) {
  const looks: (PromiseWithResolvers<readonly Lease[]> & { readonly request: TakeRequest })[] = []
  const backend: Pick<QueueBackend, 'take' | 'park' | 'unpark'> = {
    take(request) {
      const look = { ...Promise.withResolvers<readonly Lease[]>(), request }
      looks.push(look)
      return look.promise
    },
    park() {},
    unpark() {},
  }
  const consumers = createConsumers({
    client: { call: () => () => false },
    backend: backend as QueueBackend,
    functions: { find: () => 'worker', follow: () => () => {} },
    clock: createVirtualClock(),
    wallClock: () => 0,
    implicit: () => undefined,
    ratePerSecond: () => ratePerSecond,
  })
  const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
  return {
    consumers,
    looks,
    settled,
    async add(functionId: string): Promise<void> {
      consumers.add({
        id: functionId,
        lane: laneOf(functionId),
        functionId,
        namespace: undefined,
        tuning: { concurrency: 1, leaseMs: 1000, retry: retries, missing: 'park' },
        hasPlace: true,
      })
      await settled()
    },
  }
}

test('what comes while the store is looked at is looked for again', async () => {
  const { consumers, looks, settled, add } = stage()
  await add('f')
  consumers.ready([laneOf('f')])
  await settled()
  // Nobody else may have its place meanwhile.
  expect(looks).toHaveLength(1)
  looks[0]!.resolve([])
  await settled()
  expect(looks).toHaveLength(2)
  looks[1]!.resolve([])
  await settled()
  expect(looks).toHaveLength(2)
})

test('a look that fails has begun no message: others of the rate have its turn', async () => {
  const { looks, settled, add } = stage(1)
  await add('f')
  expect(looks[0]!.request.max).toBe(1)
  looks[0]!.reject(new Error('the disk is away'))
  await settled()
  await add('g')
  expect(looks.map(({ request }) => request.lane.functionId)).toEqual(['f', 'g'])
})
