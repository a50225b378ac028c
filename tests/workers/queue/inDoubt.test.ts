/** Leases and ends when the disk fails in between: what was read and written is in doubt, until the disk has recovered. */
import { expect, test } from 'bun:test'
import { fdatasyncSync } from 'node:fs'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import { openFolder } from '../../../src/storage/folder/open.ts'
import type { SyncFile } from '../../../src/storage/sync.ts'
import { createPartitionBackend } from '../../../workers/queue/adapters/partition.ts'
import type { Lease } from '../../../workers/queue/core/lease.ts'
import { createFolders } from '../../storage/folders.ts'
import { setStage } from '../../storage/stage.ts'
import { dataOf, retries } from './support.ts'

const lane = { queue: 'q', functionId: undefined, namespace: undefined }
const ONCE = { ...retries, maxAttempts: 1 }

/** Syncs beside stay open, if the test wants it, until it lets them fail. */
function setDoubtful() {
  const folders = createFolders()
  const open: PromiseWithResolvers<void>[] = []
  const disk = { waits: false }
  const sync = ((file: number, isHere: boolean) => {
    if (isHere || !disk.waits) return fdatasyncSync(file)
    const syncing = Promise.withResolvers<void>()
    open.push(syncing)
    return syncing.promise
  }) as SyncFile
  const stage = setStage({ store: openFolder(folders.newFolder(), { sync }) })
  const { partition, clock, log, endTurn } = stage
  const backend = createPartitionBackend({
    ...{ partition, clock, log, wallClock: clock.now, random: () => 0, epoch: 'e' },
    ...{ concurrencyOf: () => 10, resultMsOf: () => 1000 },
  })
  backend.follow({ ready() {}, expired() {} })

  async function settled(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) {
      endTurn()
      await new Promise(resolve => setImmediate(resolve))
    }
  }

  /** Resolves with whether it was kept; two in a turn are synced beside. */
  const publish = (data: string, group?: string): Promise<boolean> =>
    backend.publish([{ ...lane, data: asJsonText(JSON.stringify(data)), group }]).then(
      () => true,
      () => false,
    )

  return {
    ...stage,
    backend,
    disk,
    settled,
    publish,
    take: (): Promise<readonly Lease[]> =>
      Promise.resolve(
        backend.take({ lane, holder: 'w', max: 10, leaseMs: 300_000, retry: ONCE, hasPlace: true }),
      ).catch(() => []),
    async syncFails(): Promise<void> {
      disk.waits = false
      expect(open).toHaveLength(1)
      open.pop()!.reject(new Error('EIO'))
      await settled()
    },
    async recovers(): Promise<void> {
      clock.advance(limits.storageRetryMs)
      await settled()
      expect(partition.status().health).toBe('ok')
    },
    async [Symbol.asyncDispose]() {
      await partition.close()
      folders[Symbol.dispose]()
    },
  }
}

test('what was leased by a look that is refused is nobody’s: it comes again, and no attempt is burned', async () => {
  await using stage = setDoubtful()
  const first = stage.publish('a')
  await stage.settled()
  expect(await first).toBe(true)
  stage.disk.waits = true
  const others = [stage.publish('b'), stage.publish('c')]
  stage.endTurn()
  const taken = stage.take()
  await stage.syncFails()
  expect([await taken, await Promise.all(others)]).toEqual([[], [false, false]])
  await stage.recovers()
  // Their turn was in the log after all.
  expect(dataOf(await stage.take())).toEqual(['a', 'b', 'c'])
  expect(await stage.backend.state('q')).toMatchObject({ leased: 3, dead: 0 })
})

test('a message whose end is in doubt is not handed out before it is known', async () => {
  await using stage = setDoubtful()
  for (const data of ['a', 'b']) {
    const published = stage.publish(data, 'g')
    await stage.settled()
    expect(await published).toBe(true)
  }
  const [lease] = await stage.take()
  stage.disk.waits = true
  const others = [stage.publish('x'), stage.publish('y')]
  stage.endTurn()
  const ended = stage.backend.finish(lease!.token, undefined, 'soon').then(
    outcome => outcome as string,
    () => 'refused',
  )
  await Promise.resolve()
  stage.endTurn()
  await stage.syncFails()
  expect([await ended, await Promise.all(others)]).toEqual(['refused', [false, false]])
  expect(await stage.take()).toEqual([])
  await stage.recovers()
  expect(dataOf(await stage.take())).toEqual(['b', 'x', 'y'])
})
