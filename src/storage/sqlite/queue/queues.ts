/**
 * Queues have numbers, under which their messages stand, and counts. All that were used are in memory; their counts are
 * written once for each transaction, not for each message.
 */
import type { QueueCounts } from '../../queue/tables.ts'
import { CorruptData } from '../../storageError.ts'
import { storable, unstorable } from '../../text.ts'
import { textChecksum } from '../checksums.ts'
import { type Session, using } from '../session.ts'
import type { QueueRow } from './statements.ts'

export interface KnownQueue {
  readonly id: number
  readonly name: string
  waiting: number
  dead: number
  /** Its counts are not in the database yet. */
  isTouched: boolean
}

export interface Queues {
  find(name: string): KnownQueue | undefined
  findOrAdd(name: string): KnownQueue
  named(id: number): string
  count(queue: KnownQueue, waiting: number, dead: number): void
  countsOf(name: string): QueueCounts
  /** Before the commit. */
  keepCounts(): void
  mark(): number
  undoTo(mark: number): void
  /** After the commit. */
  keep(): void
  /** The database is another one. */
  forgetAll(): void
}

const checksumOf = ({ id, name, waiting, dead }: Omit<QueueRow, 'checksum'>): number =>
  textChecksum(id, name, waiting, dead)

export function createQueues(session: Session): Queues {
  const byName = new Map<string, KnownQueue>()
  const byId = new Map<number, KnownQueue>()
  /** Those whose counts are not written yet. */
  let touched: KnownQueue[] = []
  /** What was counted in this transaction, so that it can be taken back; a queue that was added has counted nothing. */
  let counted: { readonly queue: KnownQueue; readonly waiting: number; readonly dead: number }[] = []

  function remember(row: Omit<QueueRow, 'checksum'>): KnownQueue {
    const { id, waiting, dead } = row
    const queue: KnownQueue = { id, name: unstorable(row.name), waiting, dead, isTouched: false }
    byName.set(queue.name, queue)
    byId.set(id, queue)
    return queue
  }

  function checked(row: QueueRow | null): KnownQueue | undefined {
    if (row === null) return undefined
    if (checksumOf(row) !== row.checksum) {
      throw new CorruptData(
        `The name or the counts of queue ${row.id} are not what was written. Restore a backup.`,
      )
    }
    return remember(row)
  }

  function find(name: string): KnownQueue | undefined {
    return byName.get(name) ?? checked(using(session, ({ ask }) => ask.queue.get(storable(name))))
  }

  function add(name: string): KnownQueue {
    return using(session, ({ ask }) => {
      const row = { id: (ask.lastQueue.get()?.id ?? 0) + 1, name: storable(name), waiting: 0, dead: 0 }
      ask.addQueue.run(row.id, row.name, checksumOf(row))
      const queue = remember(row)
      counted.push({ queue, waiting: 0, dead: 0 })
      return queue
    })
  }

  return {
    find,
    findOrAdd: name => find(name) ?? add(name),
    named(id) {
      const queue = byId.get(id) ?? checked(using(session, ({ ask }) => ask.queueOfId.get(id)))
      if (queue === undefined)
        throw new CorruptData(`Queue ${id} has messages, but no name. Restore a backup.`)
      return queue.name
    },
    count(queue, waiting, dead) {
      queue.waiting += waiting
      queue.dead += dead
      counted.push({ queue, waiting, dead })
      if (queue.isTouched) return
      queue.isTouched = true
      touched.push(queue)
    },
    countsOf(name) {
      const queue = find(name)
      return { waiting: queue?.waiting ?? 0, dead: queue?.dead ?? 0 }
    },
    keepCounts() {
      using(session, ({ ask }) => {
        for (const { id, name, waiting, dead } of touched) {
          ask.keepCounts.run(id, waiting, dead, checksumOf({ id, name: storable(name), waiting, dead }))
        }
      })
    },
    mark: () => counted.length,
    undoTo(mark) {
      while (counted.length > mark) {
        const { queue, waiting, dead } = counted.pop()!
        queue.waiting -= waiting
        queue.dead -= dead
        if (waiting !== 0 || dead !== 0) continue
        // It may have been added by what is undone; if not, it is soon known again.
        if (queue.isTouched) touched = touched.filter(other => other !== queue)
        byName.delete(queue.name)
        byId.delete(queue.id)
      }
      if (mark === 0) settle()
    },
    keep() {
      counted = []
      settle()
    },
    forgetAll() {
      byName.clear()
      byId.clear()
      counted = []
      touched = []
    },
  }

  function settle(): void {
    for (const queue of touched) queue.isTouched = false
    touched = []
  }
}
