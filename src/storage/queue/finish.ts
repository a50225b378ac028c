import type { FinishCommand, QueueAnswer } from './command.ts'
import type { QueueContext } from './context.ts'
import { removeWaiting } from './leave.ts'

export function finish({ number }: FinishCommand, context: QueueContext): QueueAnswer {
  const message = context.tables.get(number)
  if (message === undefined || message.deadAtMs !== undefined) return { count: 0 }
  removeWaiting(context, message)
  return { count: 1 }
}
