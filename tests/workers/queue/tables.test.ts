/** Queues over a partition whose tables say something else than what was told, or are damaged. */
import { afterAll, describe, expect, test } from 'bun:test'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import { openFolder } from '../../../src/storage/folder/open.ts'
import type { Lane } from '../../../src/storage/queue/message.ts'
import { StorageFault } from '../../../src/storage/store.ts'
import { createPartitionBackend } from '../../../workers/queue/adapters/partition.ts'
import type { Lease } from '../../../workers/queue/core/lease.ts'
import { createFolders } from '../../storage/folders.ts'
import { refusalCode, setStage } from '../../storage/stage.ts'
import { dataOf, lane, RESULT_MS, report, retry } from './conformance/backends.ts'

const folders = createFolders()
afterAll(() => folders[Symbol.dispose]())

/** `fails`: a commit is made, and the disk does not say that it has it. */
function open() {
  const store = openFolder(folders.newFolder())
  const disk = { fails: false }
  const failIf = (): void => {
    if (disk.fails) throw new StorageFault('broken', 'The disk reports an error.')
  }
  const stage = setStage({
    atTurnEnd: task => void setImmediate(task),
    store: {
      ...store,
      commit(revision, changes) {
        const needsSync = store.commit(revision, changes)
        failIf()
        return needsSync
      },
      recover() {
        failIf()
        store.session.isBroken = true
        store.recover()
      },
    },
  })
  const { partition, clock, log } = stage
  const backend = createPartitionBackend({
    ...{ partition, clock, log, wallClock: clock.now, random: () => 0, epoch: 'e' },
    concurrencyOf: () => 10,
    resultMsOf: () => RESULT_MS,
  })
  const told: Lane[] = []
  backend.follow({ ready: lanes => void told.push(...lanes), expired() {} })
  const data = (value: unknown) => asJsonText(JSON.stringify(value))
  return {
    backend,
    told,
    disk,
    db: store.session.connection.db,
    partition,
    publish: async (value: unknown, of = lane): Promise<string> =>
      (await backend.publish([{ ...of, data: data(value) }]))[0]!.receipt,
    take: async (of = lane): Promise<readonly Lease[]> =>
      await backend.take({ lane: of, holder: 'w', max: 9, leaseMs: 60_000, retry, hasPlace: true }),
    /** The disk works again, and everybody has heard of it. */
    async recover(): Promise<void> {
      disk.fails = false
      await this.pass()
    },
    async pass(): Promise<void> {
      clock.advance(limits.storageRetryMs)
      for (let turn = 0; turn < 6; turn++) await new Promise(resolve => setImmediate(resolve))
    },
    async [Symbol.asyncDispose]() {
      backend.stop()
      await partition.close()
    },
  }
}

describe('one message that is damaged', () => {
  test('is the only one that comes again: what has ended together with it has ended', async () => {
    await using stage = open()
    for (const value of ['a', 'b', 'c', 'd', 'e']) await stage.publish(value)
    const leases = await stage.take()
    stage.db.run(`UPDATE messages SET checksum = 7 WHERE number = ${leases[1]!.message.number}`)
    const outcomes = leases.map(({ token }, at) =>
      at < 4 ? stage.backend.finish(token) : stage.backend.fail(token, { report: report(0), delayMs: 1e6 }),
    )
    expect(await Promise.all(outcomes.map(outcome => outcome.catch(({ code }) => code)))).toEqual([
      'done',
      'CORRUPT_DATA',
      'done',
      'done',
      'again',
    ])
    expect(await stage.backend.state('q')).toMatchObject({ waiting: 2, timed: 1 })
    // Not at once: it would come again and again.
    expect(await stage.take()).toEqual([])
    await stage.publish('next')
    expect(dataOf(await stage.take())).toEqual(['next'])
    stage.told.length = 0
    await stage.pass()
    expect(stage.told).toEqual([lane])
    expect(dataOf(await stage.take())).toEqual(['b'])
  })

  test('comes again when it has ended alone, and nothing else waits for it', async () => {
    await using stage = open()
    for (const value of ['a', 'b']) await stage.publish(value)
    const [a, b] = await stage.take()
    stage.db.run(`UPDATE messages SET checksum = 7 WHERE number = ${a!.message.number}`)
    expect(await refusalCode(stage.backend.finish(a!.token))).toBe('CORRUPT_DATA')
    expect(await stage.backend.finish(b!.token)).toBe('done')
    await stage.pass()
    expect(dataOf(await stage.take())).toEqual(['a'])
  })
})

describe('when the disk did not say that it has it', () => {
  test.each([true, false])('a queue is paused (%p) as the tables say', async isPaused => {
    await using stage = open()
    await stage.publish('a')
    if (!isPaused) await stage.backend.pause('q', true)
    stage.disk.fails = true
    expect(await refusalCode(stage.backend.pause('q', isPaused))).toBe('STORAGE_UNAVAILABLE')
    stage.told.length = 0
    await stage.recover()
    expect((await stage.backend.state('q')).isPaused).toBe(isPaused)
    expect(stage.told).toContainEqual(lane)
    expect(dataOf(await stage.take())).toEqual(isPaused ? [] : ['a'])
  })

  test('a message that was moved while somebody had it comes where it is, when it is given back', async () => {
    await using stage = open()
    const mail: Lane = { queue: 'q::mail@default', functionId: 'mail', namespace: undefined }
    await stage.publish('own', mail)
    const [own] = await stage.take(mail)
    await stage.publish('a')
    const [a] = await stage.take()
    stage.disk.fails = true
    expect(await refusalCode(stage.backend.adopt('q', mail))).toBe('STORAGE_UNAVAILABLE')
    await stage.recover()
    expect(await stage.take(mail)).toEqual([])
    stage.told.length = 0
    await stage.backend.giveBack(a!.token)
    expect(stage.told).toContainEqual(mail)
    expect(dataOf(await stage.take(mail))).toEqual(['a'])
    expect(await stage.backend.finish(own!.token)).toBe('done')
  })
})
