/** What was done to the tables of queues in a transaction, so that it can be done again: for the log. */
import type { Lane, Message } from '../../queue/message.ts'
import type { Dedupe, QueueRow, QueueTables } from '../../queue/tables.ts'
import { CorruptData } from '../../storageError.ts'

export type QueueStep =
  | readonly ['add' | 'change', Message]
  | readonly ['remove', number]
  | readonly ['keepDedupe', Dedupe]
  | readonly ['forgetDedupes', nowMs: number, limit: number]
  | readonly ['keepQueue', Omit<QueueRow, 'counts'>]
  | readonly ['rename', string, Lane]
  | readonly ['dropQueue', string]
  | readonly ['dropLane', Lane]

function there(tables: QueueTables, number: number): Message {
  const message = tables.get(number)
  if (message === undefined)
    throw new CorruptData(`Message ${number} of a queue is missing. Restore a backup.`)
  return message
}

/** Throws `CorruptData` if the tables are not what they were. */
export function doAgain(step: QueueStep, tables: QueueTables): void {
  switch (step[0]) {
    case 'add':
      tables.add(step[1])
      break
    case 'change':
      tables.change(there(tables, step[1].number), step[1])
      break
    case 'remove':
      tables.remove(there(tables, step[1]))
      break
    case 'keepDedupe':
      tables.keepDedupe(step[1])
      break
    case 'forgetDedupes':
      tables.forgetDedupes(step[1], step[2])
      break
    case 'keepQueue':
      tables.keepQueue(step[1])
      break
    case 'rename':
      tables.rename(step[1], step[2])
      break
    case 'dropQueue':
      tables.dropQueue(step[1])
      break
    case 'dropLane':
      tables.dropLane(step[1])
      break
  }
}
