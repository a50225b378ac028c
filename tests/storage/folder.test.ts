import { Database } from 'bun:sqlite'
import { afterAll, describe, expect, test } from 'bun:test'
import { chmodSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { pathsOf } from '../../src/storage/folder/files.ts'
import { bootId } from '../../src/storage/folder/holder.ts'
import { openFolder } from '../../src/storage/folder/open.ts'
import { restoreFolder } from '../../src/storage/folder/restore.ts'
import { codeOf, createFolders, open, write } from './folders.ts'
import { putOf, refusalCode, removalOf, type Stage, scope, setStage } from './stage.ts'

const folders = createFolders()
const { newFolder, copyOf } = folders
afterAll(() => folders[Symbol.dispose]())

const read = (stage: Stage, key: string): string | undefined =>
  stage.partition.read(tables => tables.get(scope('s'), key)?.value) as string | undefined

describe('a data folder', () => {
  test('keeps what was written, its versions and its feed', async () => {
    const folder = newFolder()
    const first = open(folder)
    write(first, 'a', '1')
    write(first, 'a', '{"big":9007199254740993}')
    void first.partition.submit([putOf('gone'), removalOf('gone')])
    first.endTurn()
    await first.partition.close()
    expect(readdirSync(folder).toSorted()).toEqual([
      'iii-data.json',
      'lock',
      'log-000000000001',
      'partition.db',
      'witness',
    ])

    const second = open(folder)
    expect(read(second, 'a')).toBe('{"big":9007199254740993}')
    expect(second.partition.status().revision).toBe(4)
    const feed = await second.partition.since(scope('s'), 1, 10)
    expect(feed).toMatchObject({
      kind: 'changes',
      revision: 4,
      changes: [
        { revision: 2, oldValue: asJsonText('1'), newValue: asJsonText('{"big":9007199254740993}') },
        { revision: 3, event: 'created' },
        { revision: 4, event: 'deleted', newValue: undefined },
      ],
    })
    await second.partition.close()
  })

  test('is for nobody but who has made it, and so are backups', async () => {
    const folder = newFolder()
    const stage = open(folder)
    write(stage, 'a', '1', 'os')
    const file = join(folders.root, 'own.db')
    await stage.partition.backup(file)
    const restored = newFolder()
    chmodSync(file, 0o644)
    await restoreFolder(file, restored)
    const modeOf = (path: string): number => statSync(path).mode & 0o777
    for (const made of [folder, restored]) {
      expect(modeOf(made)).toBe(0o700)
      for (const name of readdirSync(made)) expect([name, modeOf(join(made, name))]).toEqual([name, 0o600])
    }
    await stage.partition.backup(`${file}2`)
    expect(modeOf(`${file}2`)).toBe(0o600)
    await stage.partition.close()
  })

  test('keeps what was answered when the process is killed', () => {
    const folder = newFolder()
    const stage = open(folder)
    for (let number = 0; number < 20; number++)
      write(stage, `k${number}`, `${number}`, number % 2 ? 'os' : 'disk')
    const killed = open(copyOf(folder))
    for (let number = 0; number < 20; number++) expect(read(killed, `k${number}`)).toBe(`${number}`)
  })

  test('keeps what was answered as synced when the power goes', async () => {
    const folder = newFolder()
    let onDisk = ''
    let synced = 0
    const stage = open(folder, {
      onSynced(revision) {
        synced = revision
        onDisk = copyOf(folder)
      },
    })
    const answered: number[] = []
    for (let number = 1; number <= 30; number++) {
      const level = number % 3 === 0 ? 'disk' : 'os'
      const submitted = stage.partition.submit([putOf(`k${number}`, `${number}`)], { level })
      stage.endTurn()
      const committed = await submitted
      if (committed.level === 'disk') answered.push(number)
      expect(level === 'os' || committed.level === 'disk').toBe(true)
    }
    expect(synced).toBe(30)
    write(stage, 'late', '1', 'os')
    const found = open(onDisk, { boot: 'the next one' })
    for (const number of answered) expect(read(found, `k${number}`)).toBe(`${number}`)
    expect(read(found, 'late')).toBeUndefined()
    // Revision 31 was told as that of another write.
    write(found, 'after', '1')
    expect(found.partition.status().revision).toBeGreaterThan(31)
    expect(await found.partition.since('state', 31, 10)).toMatchObject({ kind: 'gone' })
  })

  test.skipIf(bootId() === undefined)(
    'leaves out nothing after a kill, whatever was written how',
    async () => {
      const folder = newFolder()
      const stage = open(folder)
      for (const level of ['disk', 'memory', 'os'] as const) write(stage, level, '1', level)
      let synced = ''
      const killed = open(copyOf(folder), { onSynced: () => (synced = copyOf(folder)) })
      expect(await killed.partition.since('state', 0, 10)).toMatchObject({ kind: 'changes', revision: 3 })
      // What is not on disk since then is not there yet either: the first write says so, and waits for that.
      write(killed, 'after', '1', 'memory')
      expect(synced).not.toBe('')
      const powerless = open(copyOf(folder), { boot: 'the next one' })
      expect(powerless.partition.status().revision).toBeGreaterThan(1_000_000)
      for (const { partition } of [killed, powerless]) await partition.close()
    },
  )

  test('leaves out some after a kill if the disk could not sync before', async () => {
    let fails = false
    const folder = newFolder()
    const stage = open(folder, {
      sync() {
        if (fails) throw new Error('EIO')
      },
    })
    write(stage, 'a', '1', 'memory')
    fails = true
    void refusalCode(stage.partition.submit([putOf('b')]))
    stage.endTurn()
    expect(open(copyOf(folder)).partition.status().revision).toBeGreaterThan(1_000_000)
  })

  test('never hands out a revision twice after a kill without lost writes either', async () => {
    const folder = newFolder()
    const stage = open(folder)
    write(stage, 'a', '1')
    const killed = open(copyOf(folder))
    write(killed, 'b', '1')
    // Nothing was committed without waiting for the disk, so nothing is left out.
    expect(killed.partition.status().revision).toBe(2)
  })

  test('keeps what is in the log, also when a start that had to refuse it was killed', async () => {
    const folder = newFolder()
    const stage = open(folder)
    write(stage, 'a', '1')
    const killed = copyOf(folder)
    const log = `${pathsOf(killed).database}-wal`
    renameSync(log, `${log}.kept`)
    const found = open(killed)
    expect(read(found, 'a')).toBe('1')
    await found.partition.close()
  })

  test('never hands out a revision twice when its end was given up', async () => {
    const folder = newFolder()
    const stage = open(folder)
    write(stage, 'a', '1')
    const shorter = copyOf(folder)
    for (const value of ['2', '3']) write(stage, 'a', value)
    Bun.spawnSync(['cp', pathsOf(folder).witness, pathsOf(shorter).witness])
    expect(codeOf(() => openFolder(shorter))).toBe('data_folder_corrupt')
    rmSync(pathsOf(shorter).witness)
    const found = open(shorter)
    expect(read(found, 'a')).toBe('1')
    expect(found.partition.status().revision).toBeGreaterThan(3)
    expect(await found.partition.since('state', 3, 10)).toMatchObject({ kind: 'gone' })
    await found.partition.close()
  })

  test('remembers when entries expire', async () => {
    const folder = newFolder()
    const first = open(folder)
    void first.partition.submit([putOf('a', '1', { expiresAtMs: first.clock.now() + 5000 })])
    first.endTurn()
    await first.partition.close()
    const second = open(folder)
    second.clock.advance(5001)
    second.endTurn()
    expect(second.committals[0]?.changes).toMatchObject([{ key: 'a', reason: 'expired' }])
    await second.partition.close()
  })

  test('forgets the oldest changes, and says so to those who come too late', async () => {
    const folder = newFolder()
    const first = open(folder, { history: { changes: 10, bytes: 1e6, ageMs: 1e9 } })
    for (let number = 0; number < 40; number++) write(first, 'a', `${number}`)
    await first.partition.close()
    const second = open(folder)
    expect(await second.partition.since('state', 5, 100)).toEqual({ kind: 'gone', oldest: 30, revision: 40 })
    expect(await second.partition.since('state', 30, 100)).toMatchObject({ kind: 'changes', revision: 40 })
    expect(await second.partition.since('state', 41, 100)).toMatchObject({ kind: 'gone' })
    await second.partition.close()
  })
})

describe('a feed that was written before the start', () => {
  test('is read in portions, goes on in memory, and holds only what was asked for', async () => {
    const folder = newFolder()
    const first = open(folder)
    for (let number = 1; number <= 60; number++) {
      void first.partition.submit([
        putOf(`k${number}`, '1', { collection: scope(number % 3 === 0 ? 'third' : 'other') }),
      ])
      if (number % 7 === 0) first.endTurn()
    }
    first.endTurn()
    await first.partition.close()
    const second = setStage({ store: openFolder(folder), atTurnEnd: task => void setImmediate(task) })
    await second.partition.submit([putOf('k63', '1', { collection: scope('third') })])
    const seen: (number | undefined)[] = []
    let revision = 1
    while (true) {
      const feed = await second.partition.since(scope('third'), revision, 4)
      if (feed.kind !== 'changes' || feed.changes.length === 0) break
      seen.push(...feed.changes.map(change => change.revision))
      revision = feed.revision
    }
    expect(seen).toEqual([...Array.from({ length: 20 }, (_, number) => (number + 1) * 3), 61])
    await second.partition.close()
  })
})

describe('the folder is refused', () => {
  test('when another process works with it, which is named', async () => {
    const folder = newFolder()
    const code = `
      const { openFolder } = await import(${JSON.stringify(join(import.meta.dir, '../../src/storage/folder/open.ts'))})
      globalThis.kept = openFolder(${JSON.stringify(folder)})
      console.log('open')
      setInterval(() => {}, 1000)
    `
    const child = Bun.spawn([process.execPath, '-e', code], { stdout: 'pipe', stderr: 'inherit' })
    try {
      await child.stdout.getReader().read()
      expect(() => openFolder(folder)).toThrow(`Process ${child.pid} works with the data folder ${folder}`)
      expect(codeOf(() => openFolder(folder))).toBe('data_folder_in_use')
    } finally {
      child.kill('SIGKILL')
      await child.exited
    }
    // Its lock died with it.
    const stage = open(folder)
    write(stage, 'a', '1')
    await stage.partition.close()
  })

  test('when another process works with it, also after it has made a backup', async () => {
    const folder = newFolder()
    const stage = open(folder)
    write(stage, 'a', '1')
    await stage.partition.backup(join(folders.root, 'while-locked.db'))
    const code = `
      const { openFolder } = await import(${JSON.stringify(join(import.meta.dir, '../../src/storage/folder/open.ts'))})
      try { openFolder(${JSON.stringify(folder)}); console.log('open') } catch ({ code }) { console.log(code) }
    `
    const child = Bun.spawn([process.execPath, '-e', code], { stdout: 'pipe', stderr: 'inherit' })
    expect(await new Response(child.stdout).text()).toBe('data_folder_in_use\n')
    write(stage, 'b', '1')
    await stage.partition.close()
  })

  test('when this process works with it already', async () => {
    const folder = newFolder()
    const stage = open(folder)
    write(stage, 'a', '1')
    expect(codeOf(() => openFolder(folder))).toBe('data_folder_in_use')
    write(stage, 'b', '1')
    // Having looked has not cost it its lock.
    const code = `
      const { openFolder } = await import(${JSON.stringify(join(import.meta.dir, '../../src/storage/folder/open.ts'))})
      try { openFolder(${JSON.stringify(folder)}); console.log('open') } catch ({ code }) { console.log(code) }
    `
    const child = Bun.spawn([process.execPath, '-e', code], { stdout: 'pipe', stderr: 'inherit' })
    expect(await new Response(child.stdout).text()).toBe('data_folder_in_use\n')
    await stage.partition.close()
  })

  test('when a newer version has written it', async () => {
    const folder = newFolder()
    await open(folder).partition.close()
    const { marker, database } = pathsOf(folder)
    const text = readFileSync(marker, 'utf8')
    writeFileSync(marker, text.replace('"format":1', '"format":2'))
    expect(codeOf(() => openFolder(folder))).toBe('data_folder_newer')
    writeFileSync(marker, text)
    const db = new Database(database)
    db.run('PRAGMA user_version = 99')
    db.close()
    expect(codeOf(() => openFolder(folder))).toBe('data_folder_newer')
  })

  test.each([
    ['another adapter', '{"format":1,"adapter":"other"}', 'data_folder_unusable'],
    ['nobody', 'no JSON', 'data_folder_corrupt'],
  ])('when %s has written it', async (_, marker, code) => {
    const folder = newFolder()
    await open(folder).partition.close()
    writeFileSync(pathsOf(folder).marker, marker)
    expect(codeOf(() => openFolder(folder))).toBe(code)
  })

  test('when it is no folder', () => {
    const file = join(folders.root, 'file')
    writeFileSync(file, '')
    expect(codeOf(() => openFolder(join(file, 'data')))).toBe('data_folder_unusable')
  })
})
