/** Who waits for a message that comes while the store is looked at. */
import { expect, test } from 'bun:test'
import type { Lane } from '../../../src/storage/queue/message.ts'
import type { QueueBackend } from '../../../workers/queue/backend.ts'
import type { Lease } from '../../../workers/queue/core/lease.ts'
import { createPull } from '../../../workers/queue/pull.ts'
import { createVirtualClock } from '../../support/fakes.ts'
import { retries } from './support.ts'

const lane: Lane = { queue: 'q', functionId: undefined, namespace: undefined }

test('has it, though the look has not seen it and nobody was waiting yet', async () => {
  const looks: PromiseWithResolvers<readonly Lease[]>[] = []
  const backend: Pick<QueueBackend, 'take'> = {
    take() {
      const look = Promise.withResolvers<readonly Lease[]>()
      looks.push(look)
      return look.promise
    },
  }
  const pull = createPull(backend as QueueBackend, createVirtualClock(), () => {})
  const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
  const popped = pull.pop({
    ...{ lane, holder: 'w', max: 1, waitMs: 1000, signal: new AbortController().signal },
    tuning: { leaseMs: 1000, retry: retries, perKey: undefined },
  })
  pull.ready([lane])
  looks[0]!.resolve([])
  await settled()
  expect(looks).toHaveLength(2)
  looks[1]!.resolve([])
  await settled()
  // Now it waits until it hears of one.
  expect(looks).toHaveLength(2)
  pull.ready([lane])
  await settled()
  const lease = { token: 't', message: { data: '1' } } as unknown as Lease
  looks[2]!.resolve([lease])
  expect(await popped).toEqual([lease])
})
