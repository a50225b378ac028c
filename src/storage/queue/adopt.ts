/** The messages of one queue become those of another: of a topic that nobody had subscribed to, those of its first subscriber. */
import type { AdoptCommand, QueueAnswer } from './command.ts'
import type { QueueContext } from './context.ts'
import { makeRoom } from './leave.ts'
import { canBeLeased, type Message } from './message.ts'
import { MAX_DUE } from './tables.ts'

export function adopt(command: AdoptCommand, context: QueueContext): QueueAnswer {
  const { tables, tell } = context
  const { from, to, functionId, namespace } = command
  const source = tables.queue(from)
  if (source === undefined || from === to) return { count: 0 }
  const { waiting, dead } = source.counts
  if (waiting + dead === 0) return { count: 0 }
  const target = tables.queue(to)
  const isFree = target === undefined || target.counts.waiting + target.counts.dead === 0
  // Its keys are those of the queue, and stay.
  if (!isFree || tables.hasDedupes(to) || tables.lanes(from).some(lane => lane.functionId !== undefined))
    return move(command, context)
  // Nothing is moved, however much there is.
  if (target !== undefined) tables.dropQueue(to)
  const lane = { queue: to, functionId, namespace }
  tables.rename(from, lane)
  if (target !== undefined) tables.keepQueue(target)
  tell({ event: 'adopted', queue: from, to: lane, isPaused: (target ?? source).isPaused })
  return { count: waiting + dead }
}

/** In the order of their groups: only heads are moved, and then the next of their group is one. */
function move(command: AdoptCommand, context: QueueContext): QueueAnswer {
  const { tables } = context
  const { from, limit } = command
  let count = 0
  for (const lane of tables.lanes(from)) {
    while (count < limit) {
      const ready = tables.ready(lane, undefined, limit - count)
      const found = ready.length > 0 ? ready : tables.due(lane, MAX_DUE, undefined, limit - count)
      for (const message of found) moveOne(message, command, context)
      count += found.length
      if (found.length === 0) break
    }
  }
  const dead = count < limit ? tables.oldestDead(from, limit - count) : []
  for (const message of dead) moveOne(message, command, context)
  return { count: count + dead.length }
}

function moveOne(message: Message, { to, functionId, namespace }: AdoptCommand, context: QueueContext): void {
  const { tables, emit } = context
  const { group, deadAtMs } = message
  tables.remove(message)
  makeRoom(context, message)
  const moved: Message = {
    ...message,
    queue: to,
    ...(message.functionId === undefined ? { functionId, namespace } : {}),
    isHead: deadAtMs === undefined && (group === undefined || !tables.hasGroup(to, group)),
  }
  tables.add(moved)
  if (canBeLeased(message)) emit({ event: 'moved', message: moved, before: message })
}
