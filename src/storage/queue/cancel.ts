import type { CancelCommand, QueueAnswer } from './command.ts'
import type { QueueContext } from './context.ts'
import { messageOf } from './deadLetter.ts'
import { removeWaiting } from './leave.ts'

export function cancel({ receipt, number }: CancelCommand, context: QueueContext): QueueAnswer {
  const { tables } = context
  const message =
    number !== undefined ? tables.get(number) : receipt === undefined ? undefined : messageOf(tables, receipt)
  if (message === undefined || message.deadAtMs !== undefined) return { count: 0 }
  removeWaiting(context, message)
  return { count: 1 }
}
