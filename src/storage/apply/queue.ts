/** Commands of queues: `../queue/` says what they do. */
import type { Answer } from '../command.ts'
import { applyToQueue } from '../queue/apply.ts'
import type { QueueCommand } from '../queue/command.ts'
import type { ApplyContext } from './context.ts'

export function queue(
  command: QueueCommand,
  { tables, nowMs, tellMessage, tellQueue, expires, wrote }: ApplyContext,
): Answer {
  const answer = applyToQueue(command, {
    tables: tables.queues,
    nowMs,
    emit: tellMessage,
    tell: tellQueue,
    expires,
  })
  if (answer.count > 0) wrote(command.command === 'enqueue' ? command.data.length : 0)
  return { oldValue: undefined, newValue: undefined, version: 0, errors: [], queue: answer }
}
