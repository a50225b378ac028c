import { afterAll, describe, expect, test } from 'bun:test'
import { fdatasyncSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openFolder } from '../../src/storage/folder/open.ts'
import type { SqliteStore } from '../../src/storage/sqlite/store.ts'
import { StorageFault, type Store } from '../../src/storage/store.ts'
import { codeOf } from './folders.ts'
import { putOf, refusalCode, type Stage, scope, setStage } from './stage.ts'
import { temporaryFolder } from './stores.ts'

const temporary = temporaryFolder()
afterAll(() => temporary[Symbol.dispose]())

let folders = 0
const newFolder = (): string => join(temporary.folder, `data${++folders}`)

const read = (stage: Stage, key: string): string | undefined =>
  stage.partition.read(tables => tables.get(scope('s'), key)?.value) as string | undefined

async function write(stage: Stage, key: string, value = '1'): Promise<string> {
  const submitted = stage.partition.submit([putOf(key, value)])
  stage.endTurn()
  return await refusalCode(submitted)
}

const large = JSON.stringify('x'.repeat(100_000))

/** Fills, looks at what still works, frees, goes on. */
async function showsFullDisk(stage: Stage, free: () => void): Promise<void> {
  expect(await write(stage, 'before')).toBe('nothing')
  let written = 0
  while ((await write(stage, `large ${written}`, large)) === 'nothing') written++
  expect(await write(stage, 'large', large)).toBe('STORAGE_UNAVAILABLE')
  const { health, reason, revision } = stage.partition.status()
  expect({ health, revision }).toEqual({ health: 'degraded', revision: written + 1 })
  expect(reason).toContain('is full')
  // Told once, and reading goes on.
  expect(stage.log.warnings()).toHaveLength(1)
  expect(read(stage, 'before')).toBe('1')
  expect(read(stage, `large ${written}`)).toBeUndefined()
  free()
  expect(await write(stage, 'after')).toBe('nothing')
  expect(stage.partition.status()).toMatchObject({ health: 'ok', reason: undefined, revision: written + 2 })
  expect(stage.committals.flatMap(({ changes }) => changes)).toHaveLength(written + 2)
  await stage.partition.close()
}

describe('a full disk', () => {
  test('refuses writes, not reads, until there is room', async () => {
    const store = openFolder(newFolder())
    const { db } = store.session.connection
    db.run('PRAGMA max_page_count = 800')
    await showsFullDisk(setStage({ store }), () => db.run('PRAGMA max_page_count = 1000000'))
  })

  const mount = join(temporary.folder, 'small')
  mkdirSync(mount)
  const isMounted = Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mount]).success

  test.skipIf(!isMounted)('that is a real one does the same', async () => {
    const ballast = join(mount, 'ballast')
    try {
      writeFileSync(ballast, Buffer.alloc(1_000_000))
      const store = openFolder(join(mount, 'data'))
      await showsFullDisk(setStage({ store }), () => rmSync(ballast))
    } finally {
      Bun.spawnSync(['umount', mount])
    }
  })

  test('is tried again without anybody writing', async () => {
    const store = openFolder(newFolder())
    const { db } = store.session.connection
    db.run('PRAGMA max_page_count = 240')
    const stage = setStage({ store })
    for (let number = 0; (await write(stage, `${number}`, large)) === 'nothing'; number++);
    expect(stage.partition.status().health).toBe('degraded')
    db.run('PRAGMA max_page_count = 1000000')
    stage.clock.advance(1000)
    expect(stage.partition.status().health).toBe('ok')
    await stage.partition.close()
  })

  test('refuses all of a turn, and keeps nothing of it', async () => {
    const store = openFolder(newFolder())
    const { db } = store.session.connection
    db.run('PRAGMA max_page_count = 240')
    const stage = setStage({ store })
    const small = stage.partition.submit([putOf('small')])
    const tooLarge = stage.partition.submit([putOf('large', JSON.stringify('x'.repeat(1_000_000)))])
    const asked = stage.partition.read(tables => tables.get(scope('s'), 'small'))
    stage.endTurn()
    expect([await refusalCode(small), await refusalCode(tooLarge)]).toEqual([
      'STORAGE_UNAVAILABLE',
      'STORAGE_UNAVAILABLE',
    ])
    expect(await asked).toBeUndefined()
    expect(stage.committals).toEqual([])
    await stage.partition.close()
  })
})

/** A store on a disk that breaks: commits fail, after or before they have reached it. */
function breakable(store: SqliteStore): {
  store: Store
  disk: { fails: 'never' | 'before' | 'after'; isDead: boolean }
} {
  const disk = { fails: 'never' as 'never' | 'before' | 'after', isDead: false }
  const fault = (): StorageFault => new StorageFault('broken', 'The disk reports an error.')
  return {
    disk,
    store: {
      ...store,
      commit(revision, changes) {
        if (disk.fails === 'before') throw fault()
        const needsSync = store.commit(revision, changes)
        if (disk.fails === 'after') throw fault()
        return needsSync
      },
      recover() {
        if (disk.isDead) throw fault()
        store.session.isBroken = true
        store.recover()
      },
    },
  }
}

describe('a disk that reports errors', () => {
  test.each(['before', 'after'] as const)(
    '(%s it has written) stops writes until the database is opened anew',
    async when => {
      const { store, disk } = breakable(openFolder(newFolder()))
      const stage = setStage({ store })
      expect(await write(stage, 'a')).toBe('nothing')
      const connection = (store as SqliteStore).session.connection
      disk.fails = when
      disk.isDead = true
      expect(await write(stage, 'b')).toBe('STORAGE_UNAVAILABLE')
      disk.fails = 'never'
      // The connection is not trusted, though the next commit might work.
      expect(await write(stage, 'c')).toBe('STORAGE_UNAVAILABLE')
      expect(read(stage, 'a')).toBe('1')
      stage.clock.advance(3000)
      expect(stage.partition.status()).toMatchObject({ health: 'degraded' })
      disk.isDead = false
      stage.clock.advance(1000)
      expect(stage.partition.status()).toMatchObject({ health: 'ok' })
      expect((store as SqliteStore).session.connection).not.toBe(connection)
      expect(await write(stage, 'd')).toBe('nothing')
      expect(read(stage, 'c')).toBeUndefined()
      // What is there was told, once and in order, whether its caller knows or not.
      const told = stage.committals.flatMap(({ changes }) => changes.map(({ key }) => key))
      expect(told).toEqual(when === 'after' ? ['a', 'b', 'd'] : ['a', 'd'])
      expect(read(stage, 'b')).toBe(when === 'after' ? '1' : undefined)
      expect(await stage.partition.since(scope('s'), 0, 10)).toMatchObject({
        changes: told.map(key => ({ key })),
      })
      await stage.partition.close()
    },
  )

  test('lets entries expire when it works again', async () => {
    const { store, disk } = breakable(openFolder(newFolder()))
    const stage = setStage({ store })
    void stage.partition.submit([putOf('a', '1', { expiresAtMs: stage.clock.now() + 2000 })])
    stage.endTurn()
    disk.fails = 'before'
    disk.isDead = true
    stage.clock.advance(2500)
    stage.endTurn()
    expect(stage.partition.status().health).toBe('degraded')
    disk.fails = 'never'
    disk.isDead = false
    stage.clock.advance(2500)
    stage.endTurn()
    expect(stage.committals.at(-1)?.changes).toMatchObject([{ reason: 'expired' }])
    await stage.partition.close()
  })
})

describe('a data folder that is removed while it is in use', () => {
  test('takes no writes, until it is back', async () => {
    const folder = newFolder()
    const stage = setStage({ store: openFolder(folder) })
    expect(await write(stage, 'a')).toBe('nothing')
    renameSync(folder, `${folder}-elsewhere`)
    expect(await write(stage, 'b')).toBe('STORAGE_UNAVAILABLE')
    stage.clock.advance(3000)
    expect(stage.partition.status()).toMatchObject({ health: 'degraded' })
    expect(stage.partition.status().reason).toContain('were removed or replaced')
    expect(read(stage, 'a')).toBe('1')
    expect(stage.log.warnings()).toHaveLength(1)
    renameSync(`${folder}-elsewhere`, folder)
    stage.clock.advance(1000)
    expect(stage.partition.status()).toMatchObject({ health: 'ok', revision: 1 })
    expect(await write(stage, 'c')).toBe('nothing')
    await stage.partition.close()
  })

  test('is not replaced by an empty one, nor by another', async () => {
    const [folder, other] = [newFolder(), newFolder()]
    await setStage({ store: openFolder(other) }).partition.close()
    const stage = setStage({ store: openFolder(folder) })
    expect(await write(stage, 'a')).toBe('nothing')
    rmSync(folder, { recursive: true })
    mkdirSync(folder)
    stage.clock.advance(3000)
    expect(await write(stage, 'b')).toBe('STORAGE_UNAVAILABLE')
    expect(readdirSync(folder)).toEqual([])
    rmSync(folder, { recursive: true })
    renameSync(other, folder)
    stage.clock.advance(3000)
    expect(await write(stage, 'b')).toBe('STORAGE_UNAVAILABLE')
    expect(read(stage, 'a')).toBe('1')
    await stage.partition.close()
  })
})

describe('an fsync that fails', () => {
  test('is never taken for one that worked: the database is opened anew, and what it holds is told', async () => {
    let fails = false
    let syncs = 0
    const store = openFolder(newFolder(), {
      sync(file) {
        if (fails) throw new Error('EIO: i/o error, fdatasync')
        syncs++
        fdatasyncSync(file)
      },
    })
    const stage = setStage({ store })
    syncs = 0
    expect(await write(stage, 'a')).toBe('nothing')
    // The log is begun with it.
    expect([syncs, stage.partition.status().syncs]).toEqual([2, 1])
    const { connection } = store.session
    fails = true
    expect(await write(stage, 'b')).toBe('STORAGE_UNAVAILABLE')
    stage.clock.advance(1500)
    expect(stage.partition.status()).toMatchObject({ health: 'degraded' })
    expect(stage.partition.status().reason).toContain('EIO')
    expect(read(stage, 'a')).toBe('1')
    // What may not stay is not shown, neither as it is nor as it was: nobody knows which.
    const all = { prefix: undefined, after: undefined, limit: 9 }
    for (const ask of [
      () => read(stage, 'b'),
      () => stage.partition.read(tables => tables.list(scope('s'), all)),
      () => stage.partition.read(tables => tables.names('state', all)),
      () => stage.partition.read(tables => tables.groups('state', 's', all)),
    ]) {
      expect(codeOf(ask)).toBe('STORAGE_UNAVAILABLE')
    }
    expect(stage.partition.read(tables => tables.list(scope('other'), all))).toEqual([])
    expect(stage.partition.read(tables => tables.names('stream', all))).toEqual([])
    fails = false
    stage.clock.advance(1000)
    expect(read(stage, 'b')).toBe('1')
    expect(stage.partition.status()).toMatchObject({ health: 'ok' })
    expect(store.session.connection).not.toBe(connection)
    expect(await write(stage, 'c')).toBe('nothing')
    expect(stage.committals.flatMap(({ changes }) => changes.map(({ key }) => key))).toEqual(['a', 'b', 'c'])
    await stage.partition.close()
  })

  test.each([
    ['in memory', 1000],
    ['on disk', 1],
  ])('leaves out nothing of a feed that is read %s meanwhile', async (_, changes) => {
    let fails = false
    const store = openFolder(newFolder(), {
      sync(file) {
        if (fails) throw new Error('EIO: i/o error, fdatasync')
        fdatasyncSync(file)
      },
    })
    const stage = setStage({ store, recent: { changes, bytes: 1_000_000, ageMs: 1_000_000 } })
    const keysAfter = async (revision: number): Promise<unknown> => {
      const feed = await stage.partition.since(scope('s'), revision, 10)
      return feed.kind === 'gone' ? feed : [feed.revision, ...feed.changes.map(({ key }) => key)]
    }
    for (const key of ['a', 'b', 'c']) await write(stage, key)
    fails = true
    expect(await write(stage, 'd')).toBe('STORAGE_UNAVAILABLE')
    // Whether it is on disk is not known, so nobody hears of it, nor goes on from behind it.
    expect(await keysAfter(1)).toEqual([3, 'b', 'c'])
    expect(await keysAfter(3)).toEqual([3])
    expect(stage.partition.status().revision).toBe(3)
    fails = false
    stage.clock.advance(2000)
    expect(await keysAfter(3)).toEqual([4, 'd'])
    await stage.partition.close()
  })

  test('is waited for by writes of level disk only', async () => {
    let syncs = 0
    const store = openFolder(newFolder(), { sync: () => void syncs++ })
    const stage = setStage({ store })
    const levels: string[] = []
    expect(await write(stage, 'a')).toBe('nothing')
    syncs = 0
    // The first one that need not be on disk is: it says that from now on something may be lost.
    for (const level of ['disk', 'os', 'memory', 'os', 'disk', 'os'] as const) {
      const submitted = stage.partition.submit([putOf('a', level)], { level })
      stage.endTurn()
      levels.push(`${(await submitted).level} ${syncs}`)
    }
    expect(levels).toEqual(['disk 1', 'os 2', 'os 2', 'os 2', 'disk 3', 'os 3'])
    await stage.partition.close()
  })
})
