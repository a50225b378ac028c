/** Messages that have no row yet: nobody can tell from outside, whatever is undone. */
import { expect, test } from 'bun:test'
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { Command } from '../../../src/storage/command.ts'
import { openFolder } from '../../../src/storage/folder/open.ts'
import { receiptOfNumber } from '../../../src/storage/queue/receipt.ts'
import { type Connection, openConnection } from '../../../src/storage/sqlite/connection.ts'
import { createSqliteQueueTables } from '../../../src/storage/sqlite/queue/tables.ts'
import { sessionOf } from '../../../src/storage/sqlite/session.ts'
import type { SqliteStore } from '../../../src/storage/sqlite/store.ts'
import { readTotals } from '../../../src/storage/sqlite/totals.ts'
import { createFolders, open } from '../folders.ts'
import { putOf, refusalCode, type Stage, setStage } from '../stage.ts'
import { dataOf, laneOf, report, setQueueStage } from './stage.ts'

const publishing = (data: string, more = {}): Command => ({
  command: 'enqueue',
  queue: 'q',
  data: asJsonText(JSON.stringify(data)),
  ...more,
})

const countRows = ({ db }: Connection): number =>
  db.query<{ count: number }, []>('SELECT count(*) AS count FROM messages').get()!.count
const rowsOf = ({ store }: Stage): number => countRows((store as SqliteStore).session.connection)

const readyOf = (stage: Stage): Promise<string[]> | string[] =>
  stage.partition.read(({ queues }) => dataOf(queues.ready(laneOf('q'), undefined, 10_000)))

async function run(stage: Stage, ...commands: readonly Command[]): Promise<number> {
  const submitted = stage.partition.submit(commands)
  stage.endTurn()
  await submitted
  return stage.partition.read(({ queues }) => queues.counts('q').waiting)
}

async function setFresh() {
  const folders = createFolders()
  const folder = folders.newFolder()
  const stage = setStage({ store: openFolder(folder) })
  await run(stage, publishing('a'), publishing('b', { group: 'g' }), publishing('c', { group: 'g' }))
  return {
    ...stage,
    folder,
    folders,
    async [Symbol.asyncDispose]() {
      await stage.partition.close()
      folders[Symbol.dispose]()
    },
  }
}

test('a message that is done before anybody looks among the rows never has one', async () => {
  await using stage = await setFresh()
  await run(stage, { command: 'finish', number: 1 }, { command: 'finish', number: 2 })
  expect(rowsOf(stage)).toBe(0)
  expect(await readyOf(stage)).toEqual(['c'])
  expect(rowsOf(stage)).toBe(1)
})

test('one that has died has its row', async () => {
  await using stage = await setFresh()
  await run(stage, { command: 'fail', number: 1, report: report(1), next: 'never' })
  expect(rowsOf(stage)).toBe(1)
  const dead = await stage.partition.read(({ queues }) => queues.dead('q', undefined, 10))
  expect(dead.map(({ number, failures }) => [number, failures])).toEqual([[1, 1]])
})

test('when there are many, all of them get their rows', () => {
  const connection = openConnection(':memory:')
  const stage = setQueueStage(createSqliteQueueTables(sessionOf('', connection, readTotals(connection))))
  const publish = (count: number): void => {
    for (let number = 0; number < count; number++) stage.publish('a')
  }
  publish(limits.freshMessages - 1)
  expect(countRows(connection)).toBe(0)
  publish(2)
  expect(countRows(connection)).toBe(limits.freshMessages)
  connection.db.close()
})

test('after a kill they are there', async () => {
  await using stage = await setFresh()
  await run(stage, { command: 'fail', number: 2, report: report(1), next: 'now' })
  const killed = open(stage.folders.copyOf(stage.folder))
  expect(await readyOf(killed)).toEqual(['a', 'b'])
  const [found] = await killed.partition.read(({ queues }) => [queues.get(2)])
  expect(found).toMatchObject({ group: 'g', isHead: true, failures: 1 })
  await killed.partition.close()
})

test('a transaction that is refused after it has looked among the rows leaves them as they were', async () => {
  await using stage = await setFresh()
  const bounds = { messages: 4, isLossy: true }
  await run(stage, { command: 'configure', queue: 'q', bounds })
  // It fits, the next one pushes the oldest out, and is refused with everything else.
  const refused = stage.partition.submit([
    { command: 'finish', number: 2 },
    publishing('d', { receipt: 'mine' }),
    publishing('e', { group: 'g' }),
    publishing('f'),
    putOf('x', '1', { ifVersion: 7 }),
  ])
  stage.endTurn()
  expect(await refusalCode(refused)).toBe('VERSION_CONFLICT')
  expect(rowsOf(stage)).toBe(0)
  expect(await stage.partition.read(({ queues }) => queues.byReceipt('mine'))).toBeUndefined()
  expect(await readyOf(stage)).toEqual(['a', 'b'])
  expect(await run(stage, { command: 'finish', number: 2 })).toBe(2)
  expect(await readyOf(stage)).toEqual(['a', 'c'])
})

test('a turn that has changed nothing leaves the rows that it has looked for', async () => {
  await using stage = await setFresh()
  expect(await run(stage, { command: 'purge', queue: 'q', state: 'scheduled', limit: 10 })).toBe(3)
  expect(rowsOf(stage)).toBe(3)
  expect(await run(stage, publishing('d'))).toBe(4)
  expect(await readyOf(stage)).toEqual(['a', 'b', 'd'])
  expect(rowsOf(stage)).toBe(4)
})

test('the next of a group is the oldest, whether it has a row or not', async () => {
  await using stage = await setFresh()
  await readyOf(stage)
  await run(stage, publishing('d', { group: 'g' }))
  expect(await run(stage, { command: 'finish', number: 2 })).toBe(3)
  expect(await readyOf(stage)).toEqual(['a', 'c'])
  await run(stage, { command: 'fail', number: 3, report: report(1), next: 'never' })
  await run(stage, publishing('e', { group: 'g' }))
  await run(stage, { command: 'redrive', queue: 'q', receipt: receiptOfNumber(3), limit: 1 })
  await run(stage, { command: 'finish', number: 4 })
  expect(await readyOf(stage)).toEqual(['a', 'c'])
})
