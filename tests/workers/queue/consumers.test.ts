/** Who has messages handed to it, over a store that takes its time. */
import { expect, test } from 'bun:test'
import type { Lane } from '../../../src/storage/queue/message.ts'
import type { QueueBackend } from '../../../workers/queue/backend.ts'
import { createConsumers } from '../../../workers/queue/consumers.ts'
import type { Lease, Parking, TakeRequest } from '../../../workers/queue/core/lease.ts'
import { createVirtualClock } from '../../support/fakes.ts'
import { retries } from './support.ts'

const laneOf = (functionId: string): Lane => ({ queue: 'q', functionId, namespace: undefined })

/** Looks at the store stay open until the test ends them. */
function stage(ratePerSecond?: number) {
  const looks: (PromiseWithResolvers<readonly Lease[]> & { readonly request: TakeRequest })[] = []
  const parked = new Map<string | Lane, Parking>()
  const backend: Pick<QueueBackend, 'take' | 'park' | 'unpark'> = {
    take(request) {
      const look = { ...Promise.withResolvers<readonly Lease[]>(), request }
      looks.push(look)
      return look.promise
    },
    park: (of, parking) => void parked.set(of, parking),
    unpark: of => void parked.delete(of),
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
    parked,
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

test('lanes without messages are forgotten if nobody has said that messages of them are for him', async () => {
  const { consumers, looks, parked, settled, add } = stage()
  await add('f')
  looks[0]!.resolve([])
  const own = { queue: 'reply', functionId: undefined, namespace: undefined }
  consumers.ready([own])
  await settled()
  expect(parked.get(own)).toBe('no_worker')
  consumers.idle([own, laneOf('f')])
  expect(parked.size).toBe(0)
  expect(consumers.consumersOf('q')).toEqual({ consumers: 1, running: 0, functions: 1 })
  // Told of messages, both go on as before.
  consumers.ready([own, laneOf('f')])
  await settled()
  expect([...parked.values()]).toEqual(['no_worker'])
  expect(looks.map(({ request }) => request.lane.functionId)).toEqual(['f', 'f'])
})

test('a lane is not forgotten while it is looked for messages', async () => {
  const { consumers, looks, settled, add } = stage()
  await add('f')
  consumers.remove('f')
  await settled()
  consumers.idle([laneOf('f')])
  consumers.ready([laneOf('f')])
  await settled()
  looks[0]!.resolve([])
  await settled()
  expect(consumers.consumersOf('q')).toEqual({ consumers: 0, running: 0, functions: 0 })
})
