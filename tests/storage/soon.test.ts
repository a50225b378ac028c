/** What is told before it is on disk: it is written at once, and synced with others. */
import { expect, test } from 'bun:test'
import { asJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Command } from '../../src/storage/command.ts'
import { openFolder } from '../../src/storage/folder/open.ts'
import { createFolders, open } from './folders.ts'
import { putOf, refusalCode, setStage } from './stage.ts'

const publishing: Command = { command: 'enqueue', queue: 'q', data: asJsonText('1') }
const finishing = (number: number): Command => ({ command: 'finish', number })

async function setSoonStage(published = 3) {
  const folders = createFolders()
  const folder = folders.newFolder()
  const disk = { syncs: 0, fails: false }
  function sync(): void {
    if (disk.fails) throw new Error('EIO')
    disk.syncs++
  }
  const stage = setStage({ store: openFolder(folder, { sync }) })
  const first = stage.partition.submit(Array.from({ length: published }, () => publishing))
  stage.endTurn()
  await first
  disk.syncs = 0
  return {
    ...stage,
    folder,
    folders,
    disk,
    finish: (number: number) => stage.partition.submit([finishing(number)], { level: 'soon' }),
    waiting: () => stage.partition.read(({ queues }) => queues.counts('q').waiting),
    async [Symbol.asyncDispose]() {
      await stage.partition.close()
      folders[Symbol.dispose]()
    },
  }
}

test('an end is told when it is written, and synced a little later', async () => {
  await using stage = await setSoonStage()
  const ended = stage.finish(1)
  stage.endTurn()
  expect(await ended).toMatchObject({ level: 'os' })
  expect(stage.committals.at(-1)?.messages).toMatchObject([{ event: 'gone', message: { number: 1 } }])
  expect(stage.disk.syncs).toBe(0)
  stage.clock.advance(limits.syncSoonMs - 1)
  expect(stage.disk.syncs).toBe(0)
  stage.clock.advance(1)
  expect(stage.disk.syncs).toBe(1)
  stage.clock.advance(1000)
  expect(stage.disk.syncs).toBe(1)
})

test('what is synced after it takes it along', async () => {
  await using stage = await setSoonStage()
  void stage.finish(1)
  stage.endTurn()
  const put = stage.partition.submit([putOf('a')])
  stage.endTurn()
  await put
  expect(stage.disk.syncs).toBe(1)
  stage.clock.advance(1000)
  expect(stage.disk.syncs).toBe(1)
})

test('what waits for the disk and writes nothing is no sync for it', async () => {
  await using stage = await setSoonStage()
  void stage.finish(1)
  stage.endTurn()
  const nothing = stage.partition.submit([finishing(99)])
  stage.endTurn()
  await nothing
  stage.clock.advance(limits.syncSoonMs)
  expect(stage.disk.syncs).toBe(1)
})

test('in one turn with what waits for the disk it waits, too', async () => {
  await using stage = await setSoonStage()
  const ended = stage.finish(1)
  const put = stage.partition.submit([putOf('a')])
  stage.endTurn()
  expect(await ended).toMatchObject({ level: 'disk' })
  await put
  expect(stage.disk.syncs).toBe(1)
})

test('it outlasts a kill at once, and no revision is left out for it', async () => {
  await using stage = await setSoonStage()
  void stage.finish(1)
  stage.endTurn()
  const killed = open(stage.folders.copyOf(stage.folder))
  expect(await killed.partition.read(({ queues }) => queues.counts('q').waiting)).toBe(2)
  const put = killed.partition.submit([putOf('a')])
  killed.endTurn()
  expect((await put).revision).toBe(1)
  await killed.partition.close()
})

test('if that sync fails, nothing more is written until the disk has recovered, and then it is there', async () => {
  await using stage = await setSoonStage()
  void stage.finish(1)
  stage.endTurn()
  stage.disk.fails = true
  stage.clock.advance(limits.syncSoonMs)
  const refused = stage.partition.submit([putOf('a')])
  stage.endTurn()
  expect(await refusalCode(refused)).toBe('STORAGE_UNAVAILABLE')
  stage.disk.fails = false
  stage.clock.advance(limits.storageRetryMs)
  expect(stage.partition.status().health).toBe('ok')
  expect(await stage.waiting()).toBe(2)
})

test('a partition that is closed before that has it on disk', async () => {
  const stage = await setSoonStage()
  void stage.finish(1)
  stage.endTurn()
  await stage.partition.close()
  const again = open(stage.folder)
  expect(await again.partition.read(({ queues }) => queues.counts('q').waiting)).toBe(2)
  await again.partition.close()
  stage.folders[Symbol.dispose]()
})
