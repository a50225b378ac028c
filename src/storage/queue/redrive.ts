import type { QueueAnswer, RedriveCommand } from './command.ts'
import type { QueueContext } from './context.ts'
import { deadLetter } from './deadLetter.ts'
import type { Message } from './message.ts'

export function redrive({ queue, receipt, limit }: RedriveCommand, context: QueueContext): QueueAnswer {
  const { tables } = context
  const one = receipt === undefined ? undefined : deadLetter(tables, queue, receipt)
  const found = receipt === undefined ? tables.oldestDead(queue, limit) : one === undefined ? [] : [one]
  // The oldest of a group becomes its head.
  for (const message of found.toSorted((one, other) => one.number - other.number)) revive(message, context)
  return { count: found.length }
}

function revive(dead: Message, { tables, emit }: QueueContext): void {
  const { queue, group } = dead
  const message: Message = {
    ...dead,
    failures: 0,
    dueAtMs: undefined,
    deadAtMs: undefined,
    keptUntilMs: undefined,
    isHead: group === undefined || !tables.hasGroup(queue, group),
  }
  tables.change(dead, message)
  if (message.isHead) emit({ event: 'placed', message })
}
