import type { DiscardCommand, QueueAnswer } from './command.ts'
import type { QueueContext } from './context.ts'
import { deadLetter } from './deadLetter.ts'

export function discard({ queue, receipt }: DiscardCommand, { tables }: QueueContext): QueueAnswer {
  const message = deadLetter(tables, queue, receipt)
  if (message === undefined) return { count: 0 }
  tables.remove(message)
  return { count: 1 }
}
