/** A message leaves, and makes room for the next of its group. */
import type { QueueContext } from './context.ts'
import { canBeLeased, type Message } from './message.ts'

/** It is not dead. */
export function removeWaiting(context: QueueContext, message: Message): void {
  context.tables.remove(message)
  hasLeft(context, message)
}

/** It was not dead, and is not in the tables any more. */
export function hasLeft(context: QueueContext, message: Message): void {
  if (canBeLeased(message)) context.emit({ event: 'gone', message })
  makeRoom(context, message)
}

/** It is not in the tables any more, or dead in them. */
export function makeRoom({ tables, emit }: QueueContext, { queue, group, isHead }: Message): void {
  if (group === undefined || !isHead) return
  const next = tables.oldestOfGroup(queue, group)
  if (next === undefined) return
  const message = { ...next, isHead: true }
  tables.change(next, message)
  emit({ event: 'placed', message })
}
