/** All ways to keep queues, for suites that run over each. */
import { createMemoryQueueTables } from '../../../src/storage/queue/memory.ts'
import type { QueueTables } from '../../../src/storage/queue/tables.ts'
import { openConnection } from '../../../src/storage/sqlite/connection.ts'
import { createSqliteQueueTables } from '../../../src/storage/sqlite/queue/tables.ts'
import { sessionOf } from '../../../src/storage/sqlite/session.ts'
import { readTotals } from '../../../src/storage/sqlite/totals.ts'

export interface OpenQueueTables extends Disposable {
  readonly tables: QueueTables
  /** A transaction that is rolled back. */
  undone(work: () => void): void
}

function openMemory(): OpenQueueTables {
  let steps: (() => void)[] = []
  const tables = createMemoryQueueTables(step => void steps.push(step))
  return {
    tables,
    undone(work) {
      steps = []
      work()
      for (const step of steps.reverse()) step()
    },
    [Symbol.dispose]() {},
  }
}

function openSqlite(): OpenQueueTables {
  const connection = openConnection(':memory:')
  const { db, ask } = connection
  const tables = createSqliteQueueTables(sessionOf('', connection, readTotals(connection)))
  ask.begin.run()
  return {
    tables,
    undone(work) {
      const mark = tables.mark()
      ask.savepoint.run()
      work()
      ask.rollbackToSavepoint.run()
      ask.release.run()
      tables.undoTo(mark)
    },
    [Symbol.dispose]() {
      for (const statement of Object.values(ask)) statement.finalize()
      db.close(true)
    },
  }
}

export const queueTables: readonly (readonly [string, () => OpenQueueTables])[] = [
  ['memory', openMemory],
  ['sqlite', openSqlite],
]
