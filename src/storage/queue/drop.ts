import type { DropCommand, QueueAnswer } from './command.ts'
import type { QueueContext } from './context.ts'

export function drop({ queue }: DropCommand, { tables, tell }: QueueContext): QueueAnswer {
  const row = tables.queue(queue)
  if (row === undefined || row.counts.waiting + row.counts.dead > 0) return { count: 0 }
  tables.dropQueue(queue)
  tell({ event: 'dropped', queue })
  return { count: 1 }
}
