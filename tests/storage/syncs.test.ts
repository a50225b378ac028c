/** Syncs that fail where nobody waits for them: in the middle of a commit, before a turn, while the log is opened anew. */
import { afterAll, afterEach, describe, expect, test } from 'bun:test'
import {
  existsSync,
  fdatasyncSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { limits } from '../../src/protocol/limits.ts'
import { openFolder } from '../../src/storage/folder/open.ts'
import { verifyFolder } from '../../src/storage/folder/verify.ts'
import { type Log, openLog } from '../../src/storage/log/log.ts'
import { segmentNumbers, segmentPath } from '../../src/storage/log/segment.ts'
import { openSqliteStore } from '../../src/storage/sqlite/store.ts'
import { StorageFault } from '../../src/storage/store.ts'
import type { SyncFile } from '../../src/storage/sync.ts'
import { mountSmallDisk } from '../support/smallDisk.ts'
import { createFolders, lastSegment, write } from './folders.ts'
import { putOf, refusalCode, type Stage, scope, setStage } from './stage.ts'

const folders = createFolders()
const small = mountSmallDisk()
if (small === undefined)
  console.log('a test of a full disk is skipped: only root can mount a small file system')
afterAll(() => {
  folders[Symbol.dispose]()
  small?.[Symbol.dispose]()
})

const UNAVAILABLE = 'STORAGE_UNAVAILABLE'
const { logWindowChanges, logFirstSegmentBytes } = limits
const set = (values: Partial<Record<keyof typeof limits, number>>): void => void Object.assign(limits, values)
afterEach(() => set({ logWindowChanges, logFirstSegmentBytes }))

const read = (stage: Stage, key: string): string | undefined =>
  stage.partition.read(tables => tables.get(scope('s'), key)?.value) as string | undefined

async function outcome(stage: Stage, key: string): Promise<string> {
  const submitted = stage.partition.submit([putOf(key)])
  stage.endTurn()
  return await refusalCode(submitted)
}

/** Syncs that are not here stay open until the test ends them. */
function disk() {
  const beside: PromiseWithResolvers<void>[] = []
  const is = { failsNext: false, fails: false, waits: false, beside }
  const sync: SyncFile = (file: number, isHere: boolean): void | Promise<void> => {
    if (is.fails || is.failsNext) {
      is.failsNext = false
      throw new Error('EIO: i/o error, fdatasync')
    }
    if (isHere || !is.waits) return fdatasyncSync(file)
    const pending = Promise.withResolvers<void>()
    beside.push(pending)
    return pending.promise
  }
  return { is, sync }
}

describe('a sync that fails while the tables are settled', () => {
  test('is no success of the next one, which works', async () => {
    const { is, sync } = disk()
    const folder = folders.newFolder()
    const stage = setStage({ store: openFolder(folder, { sync }) })
    expect(await outcome(stage, 'a')).toBe('nothing')
    set({ logWindowChanges: 1 })
    is.failsNext = true
    // The sync of the commit itself comes after it.
    expect(await outcome(stage, 'b')).toBe(UNAVAILABLE)
    expect(is.failsNext).toBe(false)
    expect(stage.partition.status()).toMatchObject({ health: 'degraded' })
    stage.clock.advance(limits.storageRetryMs)
    expect(stage.partition.status()).toMatchObject({ health: 'ok', revision: 2 })
    expect(stage.committals.flatMap(({ changes }) => changes.map(({ key }) => key))).toEqual(['a', 'b'])
    expect(await outcome(stage, 'c')).toBe('nothing')
    await stage.partition.close()
    expect((await verifyFolder(folder)).problems).toEqual([])
  })

  test('nor of one that was under way', async () => {
    const { is, sync } = disk()
    const stage = setStage({ store: openFolder(folders.newFolder(), { sync }) })
    expect(await outcome(stage, 'a')).toBe('nothing')
    is.waits = true
    const first = ['b', 'c'].map(key => refusalCode(stage.partition.submit([putOf(key)])))
    stage.endTurn()
    expect(is.beside).toHaveLength(1)
    set({ logWindowChanges: 1 })
    is.failsNext = true
    const second = refusalCode(stage.partition.submit([putOf('d')]))
    stage.endTurn()
    is.beside[0]!.resolve()
    is.waits = false
    expect(await Promise.all([...first, second])).toEqual([UNAVAILABLE, UNAVAILABLE, UNAVAILABLE])
    stage.clock.advance(limits.storageRetryMs)
    for (const key of ['b', 'c', 'd']) expect(read(stage, key)).toBe('1')
    await stage.partition.close()
  })
})

describe('a log that cannot be begun, because its sync fails,', () => {
  test('takes no turn, leaves nothing behind, and says that something may be lost', async () => {
    const { is, sync } = disk()
    const folder = folders.newFolder()
    mkdirSync(folder)
    let unsynced = 0
    const store = openSqliteStore({ file: join(folder, 'p.db'), folder, sync, onUnsynced: () => unsynced++ })
    is.failsNext = true
    expect(() => store.begin(true)).toThrow(StorageFault)
    expect(unsynced).toBe(1)
    expect(segmentNumbers(folder)).toEqual([])
    // What has failed once is not tried again as if nothing had been.
    expect(() => store.begin(true)).toThrow(StorageFault)
    store.recover()
    store.begin(true)
    store.rollback()
    await store.close()
  })

  test('is no success of the turn behind it', async () => {
    const { is, sync } = disk()
    const stage = setStage({ store: openFolder(folders.newFolder(), { sync }) })
    is.failsNext = true
    expect(await outcome(stage, 'a')).toBe(UNAVAILABLE)
    expect(await outcome(stage, 'a')).toBe(UNAVAILABLE)
    stage.clock.advance(limits.storageRetryMs)
    expect(read(stage, 'a')).toBeUndefined()
    expect(await outcome(stage, 'a')).toBe('nothing')
    await stage.partition.close()
  })
})

describe('a database that is opened anew', () => {
  test('can be read while its log cannot be written', async () => {
    const { is, sync } = disk()
    const stage = setStage({ store: openFolder(folders.newFolder(), { sync }) })
    expect(await outcome(stage, 'a')).toBe('nothing')
    is.fails = true
    expect(await outcome(stage, 'b')).toBe(UNAVAILABLE)
    stage.clock.advance(3 * limits.storageRetryMs)
    expect(stage.partition.status().reason).toContain('EIO')
    expect(read(stage, 'a')).toBe('1')
    is.fails = false
    stage.clock.advance(limits.storageRetryMs)
    expect([read(stage, 'a'), read(stage, 'b')]).toEqual(['1', '1'])
    await stage.partition.close()
  })

  test('takes nothing for lost that was acknowledged: with a shorter log it waits until all of it is there', async () => {
    const { is, sync } = disk()
    const folder = folders.newFolder()
    const stage = setStage({ store: openFolder(folder, { sync }) })
    for (const key of ['a', 'b', 'c']) expect(await outcome(stage, key)).toBe('nothing')
    const { path, places } = lastSegment(folder)
    const whole = readFileSync(path)
    const shorter = Buffer.from(whole)
    shorter.fill(0, places.at(-2)!)
    writeFileSync(path, shorter)
    is.failsNext = true
    expect(await outcome(stage, 'd')).toBe(UNAVAILABLE)
    stage.clock.advance(2 * limits.storageRetryMs)
    expect(stage.partition.status().health).toBe('degraded')
    expect(await outcome(stage, 'e')).toBe(UNAVAILABLE)
    writeFileSync(path, whole)
    stage.clock.advance(limits.storageRetryMs)
    expect(stage.partition.status().health).toBe('ok')
    expect([read(stage, 'c'), await outcome(stage, 'e')]).toEqual(['1', 'nothing'])
    await stage.partition.close()
    expect((await verifyFolder(folder)).problems).toEqual([])
  })

  test('gives its segments no number of one that is still being made', async () => {
    set({ logFirstSegmentBytes: 4096 })
    const { is, sync } = disk()
    const folder = folders.newFolder()
    const stage = setStage({ store: openFolder(folder, { sync }) })
    // More than half of it: the next one is made beside.
    write(stage, 'a', JSON.stringify('x'.repeat(2500)))
    const [first] = segmentNumbers(folder)
    is.failsNext = true
    const refused = outcome(stage, 'b')
    stage.clock.advance(limits.storageRetryMs)
    // At once: the file of that one is not even there.
    expect(segmentNumbers(folder)).toEqual([first!, first! + 2])
    expect([await refused, await outcome(stage, 'c')]).toEqual([UNAVAILABLE, 'nothing'])
    await stage.partition.close()
    const found = setStage({ store: openFolder(folder) })
    expect([read(found, 'b'), read(found, 'c')]).toEqual(['1', '1'])
    await found.partition.close()
  })
})

describe('segments of a log', () => {
  const recordOf = (turn: number, bytes: number) => ({
    ...{ turn, after: turn - 1, revision: turn, atMs: 0, isRelaxed: false, entriesDigest: 0 },
    ...{ messagesDigest: 0, changes: 'x'.repeat(bytes), steps: '' },
  })

  function begun(folder: string, lastNumber = 0): Log {
    const log = openLog({
      ...{ folder, lineage: 1, lastNumber, newSalt: () => 7, requireFolder() {}, sync: fdatasyncSync },
    })
    log.endAt(0)
    log.prepare(0, 0, 0)
    return log
  }

  test('have numbers behind all that there were, also those of which there is no file any more', () => {
    const folder = folders.newFolder()
    mkdirSync(folder)
    const log = begun(folder, 41)
    expect([segmentNumbers(folder), log.lastNumber()]).toEqual([[42], 42])
    log.close(false)
  })

  test.skipIf(small === undefined)(
    'that are spare make room for a larger one on a disk that is full',
    async () => {
      small!.makeRoom()
      set({ logFirstSegmentBytes: 512 * 1024 })
      const log = begun(small!.folder)
      log.append(recordOf(1, 300 * 1024))
      await log.idle()
      const [own, spare] = segmentNumbers(small!.folder)
      expect(spare).toBe(own! + 1)
      const { bavail, bsize } = statfsSync(small!.folder)
      writeFileSync(join(small!.folder, 'ballast'), Buffer.alloc(bavail * bsize - 600 * 1024, 1))
      // Neither into the spare one, nor beside it.
      log.append(recordOf(2, 1200 * 1024))
      expect(existsSync(segmentPath(small!.folder, spare!))).toBe(false)
      expect([...log.recordsAfter(0)].map(({ turn }) => turn)).toEqual([1, 2])
      log.close(false)
      expect(readdirSync(small!.folder)).toContain('ballast')
    },
  )
})
