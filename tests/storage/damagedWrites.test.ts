/** A database that is damaged, and is written to: who does not need what is damaged goes on. */

import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Command } from '../../src/storage/command.ts'
import { pathsOf } from '../../src/storage/folder/files.ts'
import { openFolder } from '../../src/storage/folder/open.ts'
import { createFolders } from './folders.ts'
import { putOf, refusalCode, type Stage, scope, setStage } from './stage.ts'

const LEAF = 0x0d
const INNER = 0x05
const NOTHING = 0x77

const publishing = (queue: string): Command => ({ command: 'enqueue', queue, data: asJsonText('1') })

async function run(stage: Stage, ...commands: readonly Command[]): Promise<string> {
  const submitted = stage.partition.submit(commands)
  stage.endTurn()
  return await refusalCode(submitted)
}

/** A folder with what `fill` writes, of whose database pages `choose` damages one. */
async function openDamaged(
  folders: ReturnType<typeof createFolders>,
  fill: (stage: Stage) => Promise<unknown>,
  choose: (bytes: Buffer, file: string) => number,
): Promise<{ readonly stage: Stage; readonly folder: string }> {
  const folder = folders.newFolder()
  const before = setStage({ store: openFolder(folder) })
  await fill(before)
  await before.partition.close()
  const file = pathsOf(folder).database
  const bytes = readFileSync(file)
  bytes[choose(bytes, file) * limits.pageBytes] = NOTHING
  writeFileSync(file, bytes)
  return { folder, stage: setStage({ store: openFolder(folder, { entriesCheckedAtStart: 10 }) }) }
}

test('who reads a damaged page makes no write of others fail', async () => {
  using folders = createFolders()
  const many = Array.from({ length: 500 }, (_, key) => putOf(`key${key}`, JSON.stringify('v'.repeat(200))))
  const { stage } = await openDamaged(
    folders,
    before => run(before, ...many),
    bytes => {
      for (let page = 1; ; page++) {
        const content = bytes.subarray(page * limits.pageBytes, (page + 1) * limits.pageBytes)
        if (content[0] === LEAF && content.includes('key250')) return page
      }
    },
  )
  const get = (): unknown => {
    try {
      return stage.partition.read(tables => tables.get(scope('s'), 'key250')?.version)
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  for (let count = 0; count < 3; count++) {
    expect(get()).toBe('CORRUPT_DATA')
    expect(await run(stage, putOf(`other${count}`))).toBe('nothing')
  }
  await stage.partition.close()
})

test('messages that have no room in damaged tables stay in the log: others go on, and nothing is lost', async () => {
  using folders = createFolders()
  const { stage, folder } = await openDamaged(
    folders,
    before => run(before, ...Array.from({ length: 2000 }, () => publishing('q'))),
    (bytes, file) => {
      using db = new Database(file)
      const row = db
        .query<{ root: number }, []>(`SELECT rootpage AS root FROM sqlite_master WHERE name = 'messages'`)
        .get()
      // The last leaf, to which new rows go.
      let page = row!.root
      while (bytes[(page - 1) * limits.pageBytes] === INNER)
        page = bytes.readUInt32BE((page - 1) * limits.pageBytes + 8)
      return page - 1
    },
  )
  const lane = { queue: 'third', functionId: undefined, namespace: undefined }
  const look = (open: Stage): unknown => {
    try {
      return open.partition.read(({ queues }) => queues.ready(lane, undefined, 5).length)
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  expect(await run(stage, publishing('third'))).toBe('nothing')
  for (let count = 0; count < 3; count++) {
    expect(look(stage)).toBe('CORRUPT_DATA')
    expect(await run(stage, putOf(`a${count}`))).toBe('nothing')
  }
  // The first segment is full: the tables would be settled, and once it is said that they cannot be.
  await run(stage, putOf('large', JSON.stringify('x'.repeat(300_000))))
  const codes: string[] = []
  for (let count = 0; count < 4; count++) {
    codes.push(await run(stage, putOf(`b${count}`)))
    stage.clock.advance(limits.storageRetryMs)
  }
  expect(codes.filter(code => code !== 'nothing').length).toBeLessThanOrEqual(1)
  expect(codes.at(-1)).toBe('nothing')
  expect(stage.partition.status().health).toBe('degraded')
  await stage.partition.close()
  const again = setStage({ store: openFolder(folder, { entriesCheckedAtStart: 10 }) })
  const kept = await again.partition.read(({ get, queues }) => [
    get(scope('s'), 'b3')?.value,
    queues.counts('third').waiting,
  ])
  expect(kept).toEqual([asJsonText('1'), 1])
  await again.partition.close()
})
