import { Database } from 'bun:sqlite'
import { afterAll, describe, expect, test } from 'bun:test'
import { fdatasyncSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { limits } from '../../src/protocol/limits.ts'
import { pathsOf } from '../../src/storage/folder/files.ts'
import { openFolder } from '../../src/storage/folder/open.ts'
import { verifyFolder } from '../../src/storage/folder/verify.ts'
import { CorruptData } from '../../src/storage/storageError.ts'
import { createRandom } from '../support/random.ts'
import { flipEachPage, isNoticedOrHarmless } from './damaged.ts'
import { codeOf, createFolders, lastSegment, open, write } from './folders.ts'
import { putOf, refusalCode, removalOf, type Stage, scope, setStage } from './stage.ts'

const folders = createFolders()
const { newFolder, copyOf } = folders
afterAll(() => folders[Symbol.dispose]())

const PAGE = limits.pageBytes

describe('a value that is damaged', () => {
  test('does not keep others from expiring, and is not tried again without end', async () => {
    // Here and now: this test does not wait.
    const store = openFolder(newFolder(), { sync: fdatasyncSync })
    const stage = setStage({ store })
    for (const [key, inMs] of [
      ['damaged', 1000],
      ['a', 1000],
      ['b', 5000],
    ] as const) {
      void stage.partition.submit([putOf(key, '1', { expiresAtMs: stage.clock.now() + inMs })])
    }
    stage.endTurn()
    store.session.connection.db.run("UPDATE entries SET value = '2' WHERE key = 'damaged'")
    let turns = 0
    const { begin } = store
    Object.assign(store, {
      begin(isSynced: boolean) {
        turns++
        begin(isSynced)
      },
    })
    for (let ms = 0; ms < 8000; ms += 20) {
      stage.clock.advance(20)
      stage.endTurn()
    }
    const gone = stage.committals.slice(1).flatMap(({ changes }) => changes.map(({ key }) => key))
    expect(gone).toEqual(['a', 'b'])
    expect(turns).toBeLessThan(12)
    expect(stage.log.warnings()).toHaveLength(1)
    expect(stage.partition.status()).toMatchObject({ health: 'degraded' })
    await stage.partition.close()
  })

  test('of which a commit hears degrades the health, and costs one line of the log', async () => {
    const store = openFolder(newFolder())
    const stage = setStage({ store })
    Object.assign(store, {
      commit() {
        throw new CorruptData('A page is damaged.')
      },
    })
    for (let number = 0; number < 5; number++) {
      const submitted = stage.partition.submit([putOf('a')])
      stage.endTurn()
      expect(await refusalCode(submitted)).toBe('CORRUPT_DATA')
    }
    expect(stage.partition.status()).toMatchObject({ health: 'degraded', reason: 'A page is damaged.' })
    expect(stage.log.warnings()).toHaveLength(1)
    Object.assign(store, {
      commit() {
        throw new TypeError('unforeseen')
      },
    })
    for (let number = 0; number < 5; number++) {
      const submitted = stage.partition.submit([putOf('a')])
      stage.endTurn()
      expect(await refusalCode(submitted)).toContain('unforeseen')
    }
    expect(stage.log.warnings()).toHaveLength(2)
    await stage.partition.close()
  })
})

describe('damage', () => {
  /** A folder with values of all sizes, closed. */
  async function written(): Promise<string> {
    const folder = newFolder()
    const stage = open(folder)
    const random = createRandom(7)
    for (let number = 0; number < 120; number++) {
      const size = number % 50 === 0 ? 5000 : random.between(0, 600)
      void stage.partition.submit([
        putOf(`key ${number}`, JSON.stringify('x'.repeat(size)), {
          collection: scope(`scope ${number % 7}`),
          expiresAtMs: number % 5 === 0 ? 4e12 + number : undefined,
        }),
      ])
      if (number % 10 === 9) stage.endTurn()
    }
    for (let number = 0; number < 120; number += 3) {
      void stage.partition.submit([removalOf(`key ${number}`)])
    }
    stage.endTurn()
    await stage.partition.close()
    return folder
  }

  const all = (stage: Stage): unknown =>
    stage.partition.read(tables =>
      tables
        .names('state', { prefix: undefined, after: undefined, limit: 100 })
        .map(name => [
          name,
          tables.list(scope(name), { prefix: undefined, after: undefined, limit: 1000 }),
          tables.list(scope(name), { prefix: '', after: undefined, limit: 1000 }),
        ]),
    )

  test('of one bit is noticed on every page of the database', async () => {
    await flipEachPage(folders, await written(), all)
  }, 60_000)

  test('of one bit in the log is noticed, wherever it is', async () => {
    const folder = newFolder()
    const stage = open(folder)
    for (let number = 0; number < 12; number++) write(stage, `k${number}`, `"${'x'.repeat(100)}"`)
    const expected = all(stage)
    const { path, places } = lastSegment(folder)
    const bytes = readFileSync(path)
    const random = createRandom()
    for (const [place, start] of [0, ...places].entries()) {
      const at = random.between(start, places[place] ?? bytes.length)
      const copy = copyOf(folder)
      const flipped = Buffer.from(bytes)
      flipped[at]! ^= 1 << random.between(0, 8)
      writeFileSync(lastSegment(copy).path, flipped)
      if (!(await isNoticedOrHarmless(copy, all, expected))) {
        throw new Error(`III_TEST_SEED=${random.seed}: byte ${at} of the log was not noticed`)
      }
      if (at < places.at(-1)!) expect(codeOf(() => openFolder(copy))).toBe('data_folder_corrupt')
      rmSync(copy, { recursive: true })
    }
    await stage.partition.close()
  })

  test('of one bit in the log of SQLite is noticed, wherever it is', () => {
    const folder = newFolder()
    const store = openFolder(folder)
    const stage = setStage({ store })
    for (let number = 0; number < 12; number++) {
      write(stage, `k${number}`, `"${'x'.repeat(100)}"`)
      store.settle()
    }
    const expected = all(stage)
    const log = `${pathsOf(folder).database}-wal`
    const bytes = readFileSync(log)
    const random = createRandom()
    const frame = PAGE + 24
    return (async () => {
      for (let start = 32; start < bytes.length; start += frame) {
        const copy = copyOf(folder)
        const flipped = Buffer.from(bytes)
        const at = start + random.between(0, frame)
        flipped[at]! ^= 1 << random.between(0, 8)
        writeFileSync(`${pathsOf(copy).database}-wal`, flipped)
        if (!(await isNoticedOrHarmless(copy, all, expected))) {
          throw new Error(`III_TEST_SEED=${random.seed}: byte ${at} of the log was not noticed`)
        }
        rmSync(copy, { recursive: true })
      }
    })()
  }, 60_000)

  test('by cutting off an end is noticed', async () => {
    const folder = newFolder()
    const stage = open(folder)
    for (let number = 0; number < 12; number++) write(stage, `k${number}`, '1')
    for (const cut of ['its last record', 'all of it'] as const) {
      const killed = copyOf(folder)
      const { path, places } = lastSegment(killed)
      if (cut === 'all of it') rmSync(path)
      else truncateSync(path, places.at(-1)! - 1)
      expect([cut, codeOf(() => openFolder(killed))]).toEqual([cut, 'data_folder_corrupt'])
    }
    const killed = copyOf(folder)
    const log = `${pathsOf(killed).database}-wal`
    truncateSync(log, statSync(log).size - PAGE)
    expect(codeOf(() => openFolder(killed))).toBe('data_folder_corrupt')
    rmSync(log)
    expect(codeOf(() => openFolder(killed))).toBe('data_folder_corrupt')

    const closed = await written()
    const { database } = pathsOf(closed)
    truncateSync(database, statSync(database).size - PAGE)
    expect(codeOf(() => openFolder(closed))).toBe('data_folder_corrupt')
    truncateSync(database, 100)
    expect(codeOf(() => openFolder(closed))).toBe('data_folder_corrupt')
  })

  /** Changes the database behind the engine's back. */
  function tamper(folder: string, sql: string): void {
    const db = new Database(pathsOf(folder).database)
    db.run(sql)
    db.close()
  }

  test.each([
    ['a value', `UPDATE entries SET value = '"other"' WHERE created_at = 2`],
    ['a version', 'UPDATE entries SET version = 1 WHERE created_at = 2'],
    ['a time of expiry', 'UPDATE entries SET expires_at_ms = 5 WHERE created_at = 2'],
    ['a key', `UPDATE entries SET key = 'other' WHERE created_at = 2`],
    ['a missing entry', 'DELETE FROM entries WHERE created_at = 2'],
    ['a foreign collection', 'UPDATE entries SET collection = 99 WHERE created_at = 2'],
    ['a name', `UPDATE collections SET name = 'other' WHERE id = 2`],
    ['the totals', 'UPDATE totals SET revision = 99'],
    ['missing totals', 'DELETE FROM totals'],
  ])('by others (%s) is noticed at the start, and listed by a doctor', async (_, sql) => {
    const folder = await written()
    tamper(folder, sql)
    expect(codeOf(() => openFolder(folder))).toBe('data_folder_corrupt')
    expect((await verifyFolder(folder)).problems).toHaveLength(1)
  })

  test('of the schema is noticed, also where SQLite takes it for the same', async () => {
    const folder = await written()
    const { database } = pathsOf(folder)
    const text = readFileSync(database, 'latin1')
    // There may be an old copy of it.
    writeFileSync(database, text.replaceAll('updated_at_ms INTEGER', 'Updated_at_ms INTEGER'), 'latin1')
    expect(codeOf(() => openFolder(folder))).toBe('data_folder_corrupt')
    expect((await verifyFolder(folder)).problems[0]).toContain('schema')
  })

  test('of what expires is not looked at again and again', async () => {
    const folder = newFolder()
    const first = open(folder)
    const expiresAtMs = first.clock.now() + 2000
    for (const key of ['a', 'b']) void first.partition.submit([putOf(key, '1', { expiresAtMs })])
    first.endTurn()
    await first.partition.close()
    tamper(folder, `UPDATE entries SET value = '"other"' WHERE created_at = 1`)
    const store = openFolder(folder, { entriesCheckedAtStart: 1 })
    let looks = 0
    const { expired } = store.tables
    Object.assign(store.tables, {
      expired: (...asked: Parameters<typeof expired>) => {
        looks++
        return expired(...asked)
      },
    })
    const stage = setStage({ store })
    const passes = (ms: number): void => {
      stage.clock.advance(ms)
      stage.endTurn()
    }
    passes(3000)
    const before = looks
    for (let turn = 0; turn < 100; turn++) passes(limits.storageRetryMs / 100)
    expect(looks - before).toBeLessThanOrEqual(1)
    expect(stage.partition.status().health).toBe('degraded')
    await stage.partition.close()
  })

  test('in a large folder is noticed when the value is read, and in the background', async () => {
    const folder = await written()
    tamper(folder, `UPDATE entries SET value = '"other"' WHERE created_at = 2`)
    const stage = setStage({ store: openFolder(folder, { entriesCheckedAtStart: 10 }) })
    const asked = (): unknown => stage.partition.read(tables => tables.get(scope('scope 1'), 'key 1')?.value)
    expect(codeOf(asked)).toBe('CORRUPT_DATA')
    expect(await refusalCode(Promise.try(asked))).toBe('CORRUPT_DATA')
    // What is not damaged is served.
    expect(stage.partition.read(tables => tables.get(scope('scope 2'), 'key 2')?.key)).toBe('key 2')
    await stage.partition.close()

    const other = setStage({ store: openFolder(folder, { entriesCheckedAtStart: 10 }) })
    expect(other.partition.status().health).toBe('ok')
    other.clock.advance(1000)
    expect(other.partition.status()).toMatchObject({ health: 'degraded' })
    expect(other.log.warnings()).toHaveLength(1)
    await other.partition.close()
  })

  test('a look at all entries goes on while they are written', async () => {
    const folder = await written()
    const stage = setStage({ store: openFolder(folder, { entriesCheckedAtStart: 10 }) })
    const random = createRandom()
    for (let step = 0; step < 200; step++) {
      const collection = scope(`scope ${random.between(0, 7)}`)
      const key = `key ${random.between(0, 300)}`
      const isRefused = random.between(0, 4) === 0
      void stage.partition
        .submit([
          { ...putOf(key, `${step}`), collection },
          { ...removalOf(`key ${random.between(0, 300)}`), collection } as never,
          ...(isRefused ? [putOf('x', '1', { ifVersion: 1e9 })] : []),
        ])
        .catch(() => {})
      stage.endTurn()
      stage.store.scrub()
    }
    while (!stage.store.scrub());
    await stage.partition.close()
    expect((await verifyFolder(folder)).problems).toEqual([])
  })

  test('of the feed leaves the values alone', async () => {
    const folder = await written()
    const { path, places } = lastSegment(folder)
    const bytes = readFileSync(path)
    bytes[places[5]! + 60]! ^= 1
    writeFileSync(path, bytes)
    expect((await verifyFolder(folder)).problems[0]).toContain('are missing')
    const stage = setStage({ store: openFolder(folder), atTurnEnd: task => void setImmediate(task) })
    expect(await refusalCode(Promise.resolve(stage.partition.since('state', 0, 1000)))).toBe('CORRUPT_DATA')
    await stage.partition.close()
  })
})
