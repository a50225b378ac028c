import { Database } from 'bun:sqlite'
import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { draftOf, pathsOf } from '../../src/storage/folder/files.ts'
import { openFolder } from '../../src/storage/folder/open.ts'
import { restoreFolder } from '../../src/storage/folder/restore.ts'
import { codeOf, createFolders, open, write } from './folders.ts'
import { putOf, refusalCode, type Stage, scope, setStage } from './stage.ts'

const folders = createFolders()
const { newFolder } = folders
afterAll(() => folders[Symbol.dispose]())

const read = (stage: Stage, key: string): string | undefined =>
  stage.partition.read(tables => tables.get(scope('s'), key)?.value) as string | undefined

describe('a backup', () => {
  test('of a running engine is consistent, and becomes a folder again', async () => {
    const folder = newFolder()
    const stage = setStage({ store: openFolder(folder), atTurnEnd: task => void setImmediate(task) })
    await stage.partition.submit([putOf('a', '1'), putOf('b', '1')])
    const file = join(folders.root, 'backup.db')
    const backup = stage.partition.backup(file)
    for (let number = 2; number < 30; number++) {
      await stage.partition.submit([putOf('a', `${number}`), putOf('b', `${number}`)])
    }
    await backup
    await stage.partition.close()

    const restored = newFolder()
    expect(await restoreFolder(file, restored)).toMatchObject({ problems: [], entries: 2 })
    const copy = open(restored)
    expect([read(copy, 'a'), read(copy, 'b')]).toEqual(['1', '1'])
    await copy.partition.close()
    expect(await refusalCode(restoreFolder(file, folder))).toBe('data_folder_unusable')
    await restoreFolder(file, folder, { replaces: true })
    const replaced = open(folder)
    expect(read(replaced, 'a')).toBe('1')
    await replaced.partition.close()
  })

  test('gives out no revision again that was told after it was made, and ends feeds from before', async () => {
    const folder = newFolder()
    const stage = open(folder)
    write(stage, 'a', '1')
    const file = join(folders.root, 'early.db')
    await stage.partition.backup(file)
    for (const value of ['2', '3']) write(stage, 'a', value)
    await stage.partition.close()
    const { revision } = await restoreFolder(file, folder, { replaces: true })
    const restored = open(folder)
    expect(restored.partition.status().revision).toBe(revision!)
    write(restored, 'a', '"other"')
    write(restored, 'a', '"another"')
    const late = restored.partition.submit([putOf('a', '"late"', { ifVersion: 3 })])
    restored.endTurn()
    expect(await refusalCode(late)).toBe('VERSION_CONFLICT')
    for (const since of [0, 1, 3])
      expect(await restored.partition.since('state', since, 10)).toMatchObject({ kind: 'gone' })
    await restored.partition.close()
    // Nor does a second restore, whatever the clock says.
    const again = await restoreFolder(file, folder, { replaces: true })
    expect(again.revision).toBeGreaterThan(revision! + 2)
  })

  test('is not restored into a folder with which somebody works, or which is not for this version', async () => {
    const folder = newFolder()
    const stage = open(folder)
    write(stage, 'a', '1')
    const file = join(folders.root, 'for-later.db')
    await stage.partition.backup(file)
    // The database may be gone: it is the lock that counts.
    const { marker, database } = pathsOf(folder)
    rmSync(database)
    for (const replaces of [true, false]) {
      expect(await refusalCode(restoreFolder(file, folder, { replaces }))).toBe('data_folder_in_use')
    }
    await stage.partition.close()

    writeFileSync(marker, '{"format":2,"adapter":"sqlite"}')
    expect(await refusalCode(restoreFolder(file, folder, { replaces: true }))).toBe('data_folder_newer')
    writeFileSync(marker, 'no JSON')
    expect(await refusalCode(restoreFolder(file, folder))).toBe('data_folder_corrupt')
    const restoring = restoreFolder(file, folder, { replaces: true })
    expect(codeOf(() => openFolder(folder))).toBe('data_folder_in_use')
    await restoring
    const restored = open(folder)
    expect(read(restored, 'a')).toBe('1')
    await restored.partition.close()
  })

  test('that is damaged changes nothing', async () => {
    const folder = newFolder()
    const stage = open(folder)
    write(stage, 'a', '1')
    const file = join(folders.root, 'damaged.db')
    await stage.partition.backup(file)
    await stage.partition.close()
    const db = new Database(file)
    db.run('DELETE FROM entries')
    db.close()
    expect(await refusalCode(restoreFolder(file, folder, { replaces: true }))).toBe('data_folder_corrupt')
    expect(await refusalCode(restoreFolder(`${file}.missing`, newFolder()))).toBe('data_folder_unusable')
    const same = open(folder)
    expect(read(same, 'a')).toBe('1')
    await same.partition.close()
  })

  test('to where nothing can be written is refused, and leaves nothing', async () => {
    const stage = open(newFolder())
    const file = join(folders.root, 'no', 'such', 'folder.db')
    expect(await refusalCode(stage.partition.backup(file))).toBe('STORAGE_UNAVAILABLE')
    expect(existsSync(draftOf(file))).toBe(false)
    await stage.partition.close()
  })
})
