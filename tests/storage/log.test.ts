/** The log under a partition: what it says of turns that the tables have not kept yet is what was done, or nothing. */
import { Database } from 'bun:sqlite'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  copyFileSync,
  existsSync,
  fdatasyncSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { pathsOf } from '../../src/storage/folder/files.ts'
import { openFolder } from '../../src/storage/folder/open.ts'
import { restoreFolder } from '../../src/storage/folder/restore.ts'
import { verifyFolder } from '../../src/storage/folder/verify.ts'
import { readHead, segmentNumbers, segmentPath } from '../../src/storage/log/segment.ts'
import type { SqliteStore } from '../../src/storage/sqlite/store.ts'
import { createLoad } from '../faults/load.ts'
import { entriesIn, messagesIn } from '../faults/partitionHost.ts'
import { createReference } from '../faults/reference.ts'
import { createRandom } from '../support/random.ts'
import { codeOf, createFolders, lastSegment, open, write } from './folders.ts'
import { putOf, refusalCode, type Stage, scope, setStage } from './stage.ts'

const folders = createFolders()
const { newFolder, copyOf } = folders
afterAll(() => folders[Symbol.dispose]())

const { logFirstSegmentBytes, logSegmentBytes, logWindowChanges, logPlaceBytes } = limits

const set = (values: Partial<Record<keyof typeof limits, number>>): void => void Object.assign(limits, values)

afterEach(() => set({ logFirstSegmentBytes, logSegmentBytes, logWindowChanges, logPlaceBytes }))

const storeOf = (stage: Stage): SqliteStore => stage.store as SqliteStore

const read = (stage: Stage, key: string): string | undefined =>
  stage.partition.read(tables => tables.get(scope('s'), key)?.value) as string | undefined

/** Everything there is, and everything that has happened. */
function contentOf(store: SqliteStore): unknown {
  const changes = []
  for (let place = store.oldest(); place < store.revision(); ) {
    const portion = store.portion(place)
    changes.push(...portion.changes)
    place = portion.revision
  }
  return {
    entries: entriesIn(store.tables),
    messages: messagesIn(store.tables),
    changes,
    revision: store.revision(),
    queueCommits: store.queueCommits(),
  }
}

/** Turns of random commands, also of queues. */
function play(stage: Stage, turns: number, seed: number): void {
  const random = createRandom(seed)
  const reference = createReference()
  const load = createLoad({ random, levels: ['disk', 'os'], reference })
  for (let turn = 0; turn < turns; turn++) {
    for (let count = random.between(1, 6); count > 0; count--) {
      const { commands, level } = load()
      reference.apply(commands)
      stage.partition.submit(commands, { level }).catch(() => {})
    }
    stage.endTurn()
  }
}

const openHere = (folder: string): Stage => open(folder, { sync: fdatasyncSync, wallClock: () => 0 })

describe('what is done again', () => {
  test('after a kill is what was there, over many segments, and so is its feed', async () => {
    set({ logFirstSegmentBytes: 2048, logSegmentBytes: 32_768, logPlaceBytes: 512 })
    const { seed } = createRandom()
    for (let run = 0; run < 6; run++) {
      const folder = newFolder()
      const stage = openHere(folder)
      for (let part = 0; part < 4; part++) {
        play(stage, 12, seed + run * 10 + part)
        const killed = openFolder(copyOf(folder), { wallClock: () => 0 })
        const is = contentOf(killed)
        if (!Bun.deepEquals(is, contentOf(storeOf(stage))))
          throw new Error(`III_TEST_SEED=${seed}: run ${run}`)
        while (!killed.scrub());
        await killed.close()
      }
      expect(segmentNumbers(folder).length).toBeGreaterThan(3)
      await stage.partition.close()
      expect((await verifyFolder(folder)).problems).toEqual([])
    }
  })

  test('by a turn that has failed is what was there before it', async () => {
    const { seed } = createRandom()
    const folder = newFolder()
    const stage = openHere(folder)
    play(stage, 20, seed)
    const before = contentOf(storeOf(stage))
    const { connection } = storeOf(stage).session
    // Something that nobody has thought of, behind something that was written.
    const { put } = stage.store.tables
    Object.assign(stage.store.tables, {
      put(...what: Parameters<typeof put>) {
        put(...what)
        if (what[1].key === 'bad') throw new TypeError('unforeseen')
      },
    })
    const bad = refusalCode(stage.partition.submit([putOf('bad')]))
    stage.endTurn()
    expect(await bad).toContain('unforeseen')
    expect(contentOf(storeOf(stage))).toEqual(before as never)
    expect(storeOf(stage).session.connection).toBe(connection)
    write(stage, 'good', '1')
    expect(read(stage, 'good')).toBe('1')
    await stage.partition.close()
    expect((await verifyFolder(folder)).problems).toEqual([])
  })

  test('by a turn that has failed has all turns of queues, which have no revision', async () => {
    set({ logPlaceBytes: 256 })
    const stage = openHere(newFolder())
    const data = asJsonText(JSON.stringify('x'.repeat(200)))
    for (let number = 0; number < 20; number++) {
      void stage.partition.submit([{ command: 'enqueue', queue: 'q', data }])
      stage.endTurn()
    }
    storeOf(stage).session.connection.db.run('ROLLBACK')
    write(stage, 'next', '1')
    expect(stage.partition.read(({ queues }) => queues.counts('q').waiting)).toBe(20)
    await stage.partition.close()
  })

  test('when SQLite has rolled back by itself is what was there', async () => {
    const stage = openHere(newFolder())
    play(stage, 20, 7)
    const before = contentOf(storeOf(stage))
    storeOf(stage).session.connection.db.run('ROLLBACK')
    write(stage, 'next', '1')
    const after = contentOf(storeOf(stage)) as { entries: unknown[] }
    expect(after.entries).toHaveLength((before as { entries: unknown[] }).entries.length + 1)
    await stage.partition.close()
  })

  test('needs what the tables have to be what it was', async () => {
    const folder = newFolder()
    const stage = openHere(folder)
    write(stage, 'a', '1')
    storeOf(stage).settle()
    write(stage, 'a', '2')
    const killed = copyOf(folder)
    const other = newFolder()
    const differently = openHere(other)
    write(differently, 'a', '3')
    await differently.partition.close()
    const db = new Database(pathsOf(other).database)
    const { lineage } = readHead(lastSegment(folder).path) as { lineage: number }
    expect(db.query('SELECT turn, lineage FROM totals').get()).not.toMatchObject({ lineage })
    db.close()
    // That of another folder: nothing of the log is taken for its own.
    copyFileSync(pathsOf(other).database, pathsOf(killed).database)
    rmSync(`${pathsOf(killed).database}-wal`)
    expect(codeOf(() => openFolder(killed))).toBe('data_folder_corrupt')
    await stage.partition.close()
  })
})

describe('a log that was cut off', () => {
  test('at any byte of its last record has all before it, and is refused if more was witnessed', async () => {
    const folder = newFolder()
    const stage = openHere(folder)
    for (const key of ['a', 'b']) write(stage, key, '1')
    const witnessed = readFileSync(pathsOf(folder).witness)
    write(stage, 'c', '"last"')
    const { path, places } = lastSegment(folder)
    const bytes = readFileSync(path)
    const [start, end] = places.slice(-2) as [number, number]
    for (let length = start; length < end; length++) {
      for (const [how, cut] of [
        ['cut', bytes.subarray(0, length)],
        ['not written', Buffer.concat([bytes.subarray(0, length), Buffer.alloc(bytes.length - length)])],
      ] as const) {
        const killed = copyOf(folder)
        writeFileSync(lastSegment(killed).path, cut)
        // All of it may be zeros from there on.
        if (bytes.equals(cut)) continue
        const what = `${how} at ${length} of ${start} to ${end}`
        expect([what, codeOf(() => openFolder(killed))]).toEqual([what, 'data_folder_corrupt'])
        writeFileSync(pathsOf(killed).witness, witnessed)
        const found = open(killed)
        expect([what, read(found, 'a'), read(found, 'b'), read(found, 'c')]).toEqual([
          what,
          '1',
          '1',
          undefined,
        ])
        await found.partition.close()
        rmSync(killed, { recursive: true })
      }
    }
    await stage.partition.close()
  }, 60_000)

  test('is not taken up again: what stood behind its end is never found later', async () => {
    const folder = newFolder()
    const stage = openHere(folder)
    for (const key of ['a', 'b', 'c', 'd']) write(stage, key, '1')
    const killed = copyOf(folder)
    const { path, places } = lastSegment(killed)
    const bytes = readFileSync(path)
    bytes[places[1]! + 60]! ^= 1
    writeFileSync(path, bytes)
    rmSync(pathsOf(killed).witness)
    const stages = [stage]
    let last = killed
    for (let kills = 0; kills < 3; kills++) {
      const found = openHere(last)
      stages.push(found)
      const before = kills === 0 ? undefined : `${kills}`
      expect([read(found, 'a'), read(found, 'b'), read(found, 'c')]).toEqual(['1', before, undefined])
      // As large as what stood there, and killed right after it.
      write(found, 'b', `${kills + 1}`)
      last = copyOf(last)
    }
    for (const each of stages) await each.partition.close()
  })
})

describe('segments', () => {
  test('are as large as what does not fit into one', async () => {
    const folder = newFolder()
    const stage = openHere(folder)
    const large = JSON.stringify('x'.repeat(1_000_000))
    write(stage, 'small', '1')
    write(stage, 'large', large)
    write(stage, 'after', '2')
    const killed = open(copyOf(folder))
    expect([read(killed, 'small'), read(killed, 'large'), read(killed, 'after')]).toEqual(['1', large, '2'])
    for (const each of [stage, killed]) await each.partition.close()
  })

  test('of which two hold what is not on disk are synced, the older one first', async () => {
    set({ logFirstSegmentBytes: 2048, logSegmentBytes: 2048 })
    const synced: number[] = []
    const folder = newFolder()
    const stage = open(folder, { sync: file => void synced.push(file) })
    synced.length = 0
    write(stage, 'a', '1')
    // The first time when the segment was begun.
    expect(synced).toHaveLength(2)
    synced.shift()
    const text = JSON.stringify('x'.repeat(900))
    // Larger than what is left.
    void stage.partition.submit([putOf('b', text)])
    stage.endTurn()
    void stage.partition.submit([putOf('c', text)])
    stage.endTurn()
    expect(synced.slice(0, 2)).toEqual([synced[0]!, synced[0]!])
    expect(new Set(synced).size).toBe(2)
    await stage.partition.close()
  })

  test('are forgotten when their changes are, and when a lineage ends', async () => {
    set({ logFirstSegmentBytes: 2048, logSegmentBytes: 2048 })
    const folder = newFolder()
    const options = {
      history: { changes: 5, bytes: 1e6, ageMs: 1e9 },
      sync: fdatasyncSync,
      wallClock: () => 0,
    }
    const stage = open(folder, options)
    for (let number = 0; number < 60; number++) write(stage, 'a', JSON.stringify(`${number}`.repeat(200)))
    await stage.partition.close()
    const again = open(folder, options)
    expect(segmentNumbers(folder).length).toBeLessThan(8)
    expect(await again.partition.since('state', 55, 10)).toMatchObject({ kind: 'changes', revision: 60 })
    expect(await again.partition.since('state', 54, 10)).toMatchObject({ kind: 'gone', oldest: 55 })
    const file = join(folders.root, 'lineage.db')
    await again.partition.backup(file)
    write(again, 'a', '1')
    await again.partition.close()
    expect(segmentNumbers(folder)).not.toEqual([])
    await restoreFolder(file, folder, { replaces: true })
    expect(segmentNumbers(folder)).toEqual([])
  })

  test('that were made ahead and not begun do not stay', async () => {
    const folder = newFolder()
    await openHere(folder).partition.close()
    writeFileSync(segmentPath(folder, 7), Buffer.alloc(4096))
    const stage = openHere(folder)
    expect(existsSync(segmentPath(folder, 7))).toBe(false)
    write(stage, 'a', '1')
    await stage.partition.close()
    expect(readdirSync(folder).filter(name => name.startsWith('log-'))).toHaveLength(1)
  })

  test('one of them whose head is damaged is missed, if it held what was told', async () => {
    set({ logFirstSegmentBytes: 2048, logSegmentBytes: 2048 })
    const folder = newFolder()
    const stage = openHere(folder)
    for (let number = 0; number < 12; number++) write(stage, `${number}`, JSON.stringify('x'.repeat(500)))
    await stage.partition.close()
    const [, second] = segmentNumbers(folder)
    const path = segmentPath(folder, second!)
    const bytes = readFileSync(path)
    bytes[20]! ^= 4
    writeFileSync(path, bytes)
    expect((await verifyFolder(folder, { wallClock: () => 0 })).problems[0]).toContain('are missing')
    const found = setStage({
      store: openFolder(folder, { wallClock: () => 0 }),
      atTurnEnd: task => void setImmediate(task),
    })
    expect(read(found, '11')).toBe(JSON.stringify('x'.repeat(500)))
    expect(await refusalCode(Promise.resolve(found.partition.since('state', 0, 100)))).toBe('CORRUPT_DATA')
    await found.partition.close()
  })
})

describe('tables that cannot be settled, because the disk is full,', () => {
  beforeEach(() => set({ logWindowChanges: 4 }))

  test('have everything that was told all the same, and take no more until they can be', async () => {
    const folder = newFolder()
    const stage = openHere(folder)
    write(stage, 'before', '1')
    const { connection } = storeOf(stage).session
    const { commit } = connection.ask
    let tries = 0
    const full = Object.assign(Object.create(commit) as typeof commit, {
      run() {
        tries++
        connection.db.run('ROLLBACK')
        throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
      },
    })
    Object.assign(connection.ask, { commit: full })
    const outcomes: string[] = []
    for (const key of ['a', 'b', 'c', 'd']) {
      const submitted = refusalCode(stage.partition.submit([putOf(key)]))
      stage.endTurn()
      outcomes.push(await submitted)
    }
    // The third made it too much; it was in the log.
    expect(outcomes).toEqual(['nothing', 'nothing', 'nothing', 'STORAGE_UNAVAILABLE'])
    expect(tries).toBeGreaterThan(1)
    for (const key of ['before', 'a', 'b', 'c']) expect(read(stage, key)).toBe('1')
    expect(read(stage, 'd')).toBeUndefined()
    const killed = open(copyOf(folder))
    expect([read(killed, 'c'), read(killed, 'd')]).toEqual(['1', undefined])
    await killed.partition.close()
    Object.assign(connection.ask, { commit })
    stage.clock.advance(1000)
    expect(stage.partition.status().health).toBe('ok')
    write(stage, 'd', '2')
    expect(read(stage, 'd')).toBe('2')
    await stage.partition.close()
    expect((await verifyFolder(folder)).problems).toEqual([])
  })
})

test('a folder from before there was a log keeps its values, and its feed begins anew', async () => {
  const folder = newFolder()
  const stage = openHere(folder)
  for (const value of ['1', '2', '3']) write(stage, 'a', value)
  await stage.partition.close()
  toFormatBeforeLog(folder)
  const found = open(folder)
  expect(read(found, 'a')).toBe('3')
  expect(found.partition.status().revision).toBe(3)
  expect(await found.partition.since('state', 2, 10)).toMatchObject({ kind: 'gone', oldest: 3 })
  write(found, 'a', '4')
  expect(await found.partition.since('state', 3, 10)).toMatchObject({ changes: [{ revision: 4 }] })
  await found.partition.close()
  expect((await verifyFolder(folder)).problems).toEqual([])
})

/** What the steps before would have left. */
function toFormatBeforeLog(folder: string): void {
  const crc = (...values: number[]): number =>
    values.reduce((sum, value) => Bun.hash.crc32(`${value}\0`, sum), 0)
  const db = new Database(pathsOf(folder).database)
  const totals = db.query('SELECT * FROM totals').get() as Record<string, number>
  const values = [totals.revision!, totals.entries!, totals.digest!, 0, 3, 100, 0]
  db.run('DROP TABLE totals')
  db.run(`CREATE TABLE totals (id INTEGER PRIMARY KEY, revision INTEGER, entries INTEGER, digest INTEGER,
    oldest_change INTEGER, kept_changes INTEGER, kept_bytes INTEGER, relaxed INTEGER, checksum INTEGER)`)
  db.query('INSERT INTO totals VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)').run(...values, crc(...values))
  db.run('CREATE TABLE changes (last_revision INTEGER PRIMARY KEY)')
  db.run('PRAGMA user_version = 2')
  db.close()
  for (const number of segmentNumbers(folder)) rmSync(segmentPath(folder, number))
}
