import type { FinishCommand, QueueAnswer } from './command.ts'
import type { QueueContext } from './context.ts'
import { hasLeft, removeWaiting } from './leave.ts'

export function finish({ number, message: known }: FinishCommand, context: QueueContext): QueueAnswer {
  const { tables } = context
  if (known?.number === number && known.deadAtMs === undefined && tables.removeKnown(known)) {
    hasLeft(context, known)
    return { count: 1 }
  }
  const message = tables.get(number)
  if (message === undefined || message.deadAtMs !== undefined) return { count: 0 }
  removeWaiting(context, message)
  return { count: 1 }
}
