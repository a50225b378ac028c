import type { PurgeCommand, QueueAnswer } from './command.ts'
import type { QueueContext } from './context.ts'
import { removeWaiting } from './leave.ts'
import { listMessages, MESSAGE_STATES } from './list.ts'

export function purge({ queue, state, limit, cursor }: PurgeCommand, context: QueueContext): QueueAnswer {
  if (state !== undefined) return purgeState({ queue, state, limit, cursor }, context)
  let count = 0
  // Whoever waits behind another goes before it, so that nobody becomes a head to be removed next.
  for (const one of MESSAGE_STATES) {
    count += purgeState({ queue, state: one, limit: limit - count, cursor: undefined }, context).count
    if (count >= limit) break
  }
  return { count }
}

function purgeState(
  query: Required<Omit<PurgeCommand, 'command'>> & { state: NonNullable<PurgeCommand['state']> },
  context: QueueContext,
): QueueAnswer {
  const { tables, nowMs } = context
  const { messages, cursor } = listMessages(tables, nowMs, query)
  for (const message of messages) {
    if (message.deadAtMs === undefined) removeWaiting(context, message)
    else tables.remove(message)
  }
  return { count: messages.length, ...(cursor === undefined ? {} : { cursor }) }
}
