/** Messages are protected as values are: what is wrong, missing or cut off is noticed, and a backup has them. */
import { Database } from 'bun:sqlite'
import { afterAll, describe, expect, test } from 'bun:test'
import { rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { limits } from '../../../src/protocol/limits.ts'
import type { Command } from '../../../src/storage/command.ts'
import { pathsOf } from '../../../src/storage/folder/files.ts'
import { openFolder } from '../../../src/storage/folder/open.ts'
import { restoreFolder } from '../../../src/storage/folder/restore.ts'
import { verifyFolder } from '../../../src/storage/folder/verify.ts'
import type { Message } from '../../../src/storage/queue/message.ts'
import { numberOfReceipt } from '../../../src/storage/queue/receipt.ts'
import type { QueueRow } from '../../../src/storage/queue/tables.ts'
import { StorageFault, type Store } from '../../../src/storage/store.ts'
import type { ReadTables } from '../../../src/storage/tables.ts'
import { createRandom } from '../../support/random.ts'
import { flipEachPage } from '../damaged.ts'
import { codeOf, createFolders, lastSegment, open } from '../folders.ts'
import { putOf, refusalCode, type Stage, setStage } from '../stage.ts'
import { report } from './stage.ts'

const folders = createFolders()
const { newFolder, copyOf } = folders
afterAll(() => folders[Symbol.dispose]())

const messageOf = (data: string, more = {}): Command => ({
  command: 'enqueue',
  queue: 'q',
  data: JSON.stringify(data) as never,
  ...more,
})

/** One turn. Returns the numbers of the messages. */
async function turn(stage: Stage, ...commands: Command[]): Promise<number[]> {
  const submitted = stage.partition.submit(commands)
  stage.endTurn()
  const { answers } = await submitted
  return answers.flatMap(({ queue }) =>
    queue?.receipt === undefined ? [] : [numberOfReceipt(queue.receipt) ?? 0],
  )
}

/** A folder with messages of all kinds, closed. */
async function written(): Promise<string> {
  const folder = newFolder()
  const stage = open(folder)
  const random = createRandom(7)
  for (let round = 0; round < 12; round++) {
    const numbers = await turn(
      stage,
      messageOf('x'.repeat(random.between(0, 600)), { functionId: `f${round % 3}`, priority: round % 2 }),
      messageOf('scheduled', { dueAtMs: 4e12 + round }),
      messageOf('group', { group: `g${round % 4}`, receipt: `r${round}`, traceparent: '00-a-b-01' }),
      messageOf('dies', { queue: 'other', dedupe: { key: `${round}`, windowMs: 1e9 } }),
      messageOf('done'),
    )
    await turn(
      stage,
      { command: 'fail', number: numbers[3]!, report: report(1), next: 'never' },
      { command: 'finish', number: numbers[4]! },
    )
  }
  await turn(stage, { command: 'pause', queue: 'other' })
  await stage.partition.close()
  return folder
}

interface Everything {
  readonly queues: QueueRow[]
  readonly messages: (Message | undefined)[]
  readonly dead: Message[]
}

function everything({ queues }: ReadTables): Everything {
  const names = queues.queues(undefined, 10)
  return {
    queues: names,
    messages: names.flatMap(({ name }) =>
      queues
        .lanes(name)
        .flatMap(lane => [
          ...queues.ready(lane, undefined, 100),
          ...queues.due(lane, 9e12, undefined, 100),
          ...queues.grouped(name, undefined, 100),
          queues.byReceipt('r3'),
        ]),
    ),
    dead: names.flatMap(({ name }) => queues.dead(name, undefined, 100)),
  }
}

const all = (stage: Stage): unknown => stage.partition.read(everything)

/** Changes the database behind the engine's back. */
function tamper(folder: string, sql: string): void {
  const db = new Database(pathsOf(folder).database)
  db.run(sql)
  db.close()
}

describe('damage', () => {
  test.each([
    ['a message', `UPDATE messages SET data = '"other"' WHERE number = 3`],
    ['a time', 'UPDATE messages SET due_at_ms = 5 WHERE number = 2'],
    ['a place in a group', 'UPDATE messages SET is_head = 1 - is_head WHERE number = 13'],
    ['a lane', 'UPDATE messages SET lane = lane + 1 WHERE number = 3'],
    ['a missing message', 'DELETE FROM messages WHERE number = 3'],
    ['a message that is there twice', 'UPDATE messages SET number = 1000 WHERE number = 3'],
    ['the name of a lane', `UPDATE lanes SET function_id = 'other' WHERE id = 2`],
    ['a missing lane', 'DELETE FROM lanes WHERE id = 2'],
    ['a missing queue', `DELETE FROM queues WHERE name = 'q'`],
    ['the counts of a queue', 'UPDATE queues SET dead = dead + 1'],
    ['the totals', 'UPDATE message_totals SET commits = 1'],
    ['missing totals', 'DELETE FROM message_totals'],
  ])('by others (%s) is noticed at the start, and listed by a doctor', async (_, sql) => {
    const folder = await written()
    expect(await verifyFolder(folder)).toMatchObject({ problems: [], messages: 48 })
    tamper(folder, sql)
    expect(codeOf(() => openFolder(folder))).toBe('data_folder_corrupt')
    expect((await verifyFolder(folder)).problems).toHaveLength(1)
  })

  test('of one bit is noticed on every page of the database', async () => {
    await flipEachPage(folders, await written(), all)
  }, 60_000)

  test('by cutting off an end is noticed, though it had transactions of queues only', async () => {
    const folder = newFolder()
    const stage = open(folder)
    for (let round = 0; round < 12; round++) await turn(stage, messageOf(`${round}`))
    expect(stage.partition.status().revision).toBe(0)
    const killed = copyOf(folder)
    const { path, places } = lastSegment(killed)
    truncateSync(path, places.at(-1)! - 1)
    expect(codeOf(() => openFolder(killed))).toBe('data_folder_corrupt')
    // What is left is taken when it is said that the end is given up, and no number comes twice.
    rmSync(pathsOf(killed).witness)
    const shorter = open(killed)
    const left = shorter.partition.read(({ queues }) => queues.counts('q').waiting) as number
    expect(left).toBe(11)
    const [number] = await turn(shorter, messageOf('new'))
    expect(number).toBeGreaterThan(limits.revisionGap)
    await shorter.partition.close()
  })

  test('of a witness from before there were queues is none', async () => {
    const folder = newFolder()
    const stage = open(folder)
    await turn(stage, putOf('a'), messageOf('a'))
    const copy = copyOf(folder)
    truncateSync(pathsOf(copy).witness, 16)
    const opened = open(copy)
    await turn(opened, messageOf('b'))
    expect(opened.partition.read(({ queues }) => queues.counts('q').waiting)).toBe(2)
    await opened.partition.close()
    truncateSync(pathsOf(copy).witness, 32)
    await open(copy).partition.close()
  })

  test('in a large folder is noticed in the background', async () => {
    const folder = await written()
    tamper(folder, 'DELETE FROM messages WHERE number = 3')
    const stage = setStage({ store: openFolder(folder, { entriesCheckedAtStart: 10 }) })
    expect(stage.partition.status().health).toBe('ok')
    stage.clock.advance(1000)
    expect(stage.partition.status()).toMatchObject({ health: 'degraded' })
    expect(stage.partition.status().reason).toContain('There are 47 messages in the queues, but 48')
    await stage.partition.close()
  })

  test('is not taken for what is written while it is looked for', async () => {
    const folder = await written()
    const stage = setStage({ store: openFolder(folder, { entriesCheckedAtStart: 10 }) })
    const random = createRandom()
    for (let step = 0; step < 200; step++) {
      const number = random.between(1, 200)
      const commands: Command[] = [
        messageOf('more', { group: `g${random.between(0, 5)}`, functionId: `f${random.between(0, 4)}` }),
        { command: 'finish', number },
        { command: 'fail', number: number + 1, report: report(1), next: step % 3 === 0 ? 'never' : 'now' },
        { command: 'redrive', queue: 'q', limit: 2 },
      ]
      if (random.between(0, 4) === 0) commands.push(putOf('x', '1', { ifVersion: 1e9 }))
      void stage.partition.submit(commands).catch(() => {})
      stage.endTurn()
      stage.store.scrub()
    }
    while (!stage.store.scrub());
    await stage.partition.close()
    expect((await verifyFolder(folder)).problems).toEqual([])
  })
})

test('a backup has the messages, and no number is given out again that was told after it was made', async () => {
  const folder = newFolder()
  const stage = open(folder)
  const [first] = await turn(stage, messageOf('a', { functionId: 'f' }), messageOf('b'))
  await turn(stage, { command: 'pause', queue: 'q' })
  const file = join(folders.root, 'queues.db')
  await stage.partition.backup(file)
  const [told] = await turn(stage, messageOf('late'))
  await stage.partition.close()
  expect(await restoreFolder(file, folder, { replaces: true })).toMatchObject({ problems: [], messages: 2 })
  const restored = open(folder)
  const { queue, message } = (await restored.partition.read(({ queues }) => ({
    queue: queues.queue('q'),
    message: queues.get(first!),
  })))!
  expect(queue).toMatchObject({ isPaused: true, counts: { waiting: 2 } })
  expect(message).toMatchObject({ functionId: 'f', data: '"a"' as never })
  const [next] = await turn(restored, messageOf('new'))
  expect(next).toBeGreaterThan(told! + limits.revisionGap)
  await restored.partition.close()
})

test.each(['commit', 'sync'] as const)(
  'a commit of which the disk did not say that it has it (%s) is not seen, and told of when it was made',
  async what => {
    const store = openFolder(newFolder())
    let fails = false
    const failIf = (isIt: boolean): void => {
      if (fails && isIt) throw new StorageFault('broken', 'The disk reports an error.')
    }
    const failing: Store = {
      ...store,
      commit(revision, changes) {
        const needsSync = store.commit(revision, changes)
        failIf(what === 'commit')
        return needsSync
      },
      sync(isHere) {
        failIf(what === 'sync')
        return store.sync(isHere)
      },
      recover() {
        failIf(true)
        store.session.isBroken = true
        store.recover()
      },
    }
    const stage = setStage({ store: failing })
    await turn(stage, messageOf('a'))
    fails = true
    expect(await refusalCode(turn(stage, messageOf('b')))).toBe('STORAGE_UNAVAILABLE')
    const waiting = () => stage.partition.read(({ queues }) => queues.counts('q').waiting)
    expect(codeOf(waiting)).toBe('STORAGE_UNAVAILABLE')
    fails = false
    stage.clock.advance(limits.storageRetryMs)
    expect(waiting()).toBe(2)
    expect(stage.committals.at(-1)?.queues).toEqual([{ event: 'unheard' }])
    await turn(stage, messageOf('c'))
    expect(waiting()).toBe(3)
    await stage.partition.close()
  },
)

test('a full disk refuses messages and keeps nothing of them, until there is room', async () => {
  const store = openFolder(newFolder())
  const { db } = store.session.connection
  db.run('PRAGMA max_page_count = 300')
  const stage = setStage({ store })
  const large = messageOf('x'.repeat(50_000), { group: 'g' })
  const outcome = () => refusalCode(turn(stage, large))
  let published = 0
  while ((await outcome()) === 'nothing') published++
  expect(published).toBeGreaterThan(0)
  expect(await outcome()).toBe('STORAGE_UNAVAILABLE')
  const counts = () => stage.partition.read(({ queues }) => queues.counts('q'))
  expect(counts()).toMatchObject({ ready: 1, behind: published - 1, bytes: published * 50_002 })
  db.run('PRAGMA max_page_count = 1000000')
  expect(await outcome()).toBe('nothing')
  expect(counts()).toMatchObject({ ready: 1, behind: published })
  expect(stage.partition.status().health).toBe('ok')
  while (!store.scrub());
  await stage.partition.close()
})
