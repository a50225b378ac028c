/** All ways to keep queues, for suites that run over each. */
import { createMemoryQueueTables } from '../../../src/storage/queue/memory.ts'
import type { QueueTables } from '../../../src/storage/queue/tables.ts'

export interface OpenQueueTables extends Disposable {
  readonly tables: QueueTables
  /** A transaction that is rolled back. */
  undone(work: () => void): void
}

function openMemory(): OpenQueueTables {
  const tables = createMemoryQueueTables()
  return {
    tables,
    undone(work) {
      const mark = tables.mark()
      work()
      tables.undoTo(mark)
    },
    [Symbol.dispose]() {},
  }
}

export const queueTables: readonly (readonly [string, () => OpenQueueTables])[] = [['memory', openMemory]]
