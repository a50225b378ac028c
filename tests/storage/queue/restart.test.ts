/** What a database of queues is to who opens it next. */
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { limits } from '../../../src/protocol/limits.ts'
import { type Connection, openConnection } from '../../../src/storage/sqlite/connection.ts'
import { createSqliteQueueTables } from '../../../src/storage/sqlite/queue/tables.ts'
import { sessionOf } from '../../../src/storage/sqlite/session.ts'
import { openSqliteStore } from '../../../src/storage/sqlite/store.ts'
import { keepTotals, readTotals } from '../../../src/storage/sqlite/totals.ts'
import { CorruptData } from '../../../src/storage/storageError.ts'
import { temporaryFolder } from '../stores.ts'
import { type Stage, setQueueStage } from './stage.ts'

function inTransaction(file: string, work: (stage: Stage, connection: Connection) => void): void {
  const connection = openConnection(file)
  const { db, ask } = connection
  try {
    const session = sessionOf('', connection, readTotals(connection))
    const tables = createSqliteQueueTables(session)
    ask.begin.run()
    work(setQueueStage(tables), connection)
    tables.beforeSettling()
    keepTotals(connection, session.totals)
    ask.commit.run()
    tables.committed()
  } finally {
    for (const statement of Object.values(ask)) statement.finalize()
    db.close(true)
  }
}

test('messages, counts and dedupe keys are there when it is opened again, and no number comes twice', () => {
  using temporary = temporaryFolder()
  const file = join(temporary.folder, 'queues.db')
  let last = 0
  inTransaction(file, stage => {
    stage.publish('a', { group: 'g', dedupe: { key: 'k', windowMs: 100 } })
    stage.fail(stage.publish('dead'), 'never')
    last = stage.publish('done')
    stage.finish(last)
  })
  inTransaction(file, ({ tables, publish, ready }) => {
    expect(tables.counts('q')).toMatchObject({ waiting: 1, dead: 1 })
    expect(ready()).toEqual(['a'])
    expect(tables.dedupe('q', 'k')?.untilMs).toBe(1100)
    expect(publish('b')).toBe(last + 1)
  })
})

test.each([
  ['a message', "UPDATE messages SET data = '2'"],
  ['its failures', 'UPDATE messages SET failures = 7'],
  ['the name of a queue', "UPDATE queues SET name = 'q', ready = 9"],
])('%s that is not what was written is noticed when it is read', (_, damage) => {
  using temporary = temporaryFolder()
  const file = join(temporary.folder, 'queues.db')
  inTransaction(file, stage => void stage.publish('a'))
  const look = () =>
    inTransaction(file, (stage, { db }) => {
      db.run(damage)
      stage.ready()
    })
  expect(look).toThrow(CorruptData)
})

test('after a commit that did not wait for the disk, numbers that may have been lost are not given out again', async () => {
  using temporary = temporaryFolder()
  const place = { file: join(temporary.folder, 'queues.db'), folder: temporary.folder }
  const first = openSqliteStore(place)
  first.begin(false)
  const last = setQueueStage(first.tables.queues).publish('a')
  first.commit(0, [])
  first.abandon()
  const second = openSqliteStore(place)
  second.begin(true)
  expect(second.tables.queues.nextNumber()).toBe(last + limits.revisionGap + 1)
  second.rollback()
  await second.close()
})
