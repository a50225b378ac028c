/** What a queue has beside its messages: a command that changes nothing says so. */
import type { ConfigureCommand, PauseCommand, QueueAnswer } from './command.ts'
import type { QueueContext } from './context.ts'
import type { QueueRow } from './tables.ts'

export function configure(
  { queue, settings, bounds = {} }: ConfigureCommand,
  context: QueueContext,
): QueueAnswer {
  const before = context.tables.queue(queue)
  const isSame = before?.settings === settings && JSON.stringify(before?.bounds) === JSON.stringify(bounds)
  if (before !== undefined && isSame) return { count: 0 }
  context.tables.keepQueue({ ...rowOf(queue, before), settings, bounds })
  context.tell({ event: 'configured', queue })
  return { count: 1 }
}

export function pause({ command, queue }: PauseCommand, context: QueueContext): QueueAnswer {
  const before = context.tables.queue(queue)
  const isPaused = command === 'pause'
  if ((before?.isPaused ?? false) === isPaused) return { count: 0 }
  context.tables.keepQueue({ ...rowOf(queue, before), isPaused })
  context.tell({ event: isPaused ? 'paused' : 'resumed', queue })
  return { count: 1 }
}

const rowOf = (name: string, before: QueueRow | undefined): Omit<QueueRow, 'counts'> =>
  before ?? { name, isPaused: false, settings: undefined, bounds: {} }
