/** What a queue may hold: checked where messages come and die. */
import { limits } from '../../protocol/limits.ts'
import { withoutPrefix } from '../../protocol/queueNames.ts'
import { StorageError } from '../storageError.ts'
import type { QueueContext } from './context.ts'
import { removeWaiting } from './leave.ts'
import type { Message } from './message.ts'
import { MAX_DUE, type ReadQueueTables } from './tables.ts'

/**
 * There is room for a message with `bytes` of data; returns how many of the oldest were dropped for it. Throws a `StorageError` `queue_full`, and then nothing
 * was dropped.
 */
export function requireRoom(context: QueueContext, queue: string, bytes: number): number {
  const { tables } = context
  const { messages: mostMessages, bytes: mostBytes, isLossy } = tables.bounds(queue)
  if (mostMessages === undefined && mostBytes === undefined) return 0
  const messages = { has: () => tables.counts(queue).waiting, more: 1, most: mostMessages, of: 'messages' }
  const ofBytes = { has: () => tables.counts(queue).bytes, more: bytes, most: mostBytes, of: 'bytes' }
  const full = () =>
    [messages, ofBytes].find(({ has, more, most }) => most !== undefined && has() + more > most)
  const isTooLarge = bytes > (mostBytes ?? bytes) || mostMessages === 0
  let dropped = 0
  for (let bound = full(); bound !== undefined; bound = full()) {
    if (isLossy !== true || isTooLarge) throw queueFull(queue, `${bound.has()} ${bound.of}`, bound.most!)
    // Bounds that were lowered are reached little by little.
    const oldest = dropped < limits.messagesDropped ? oldestOf(tables, queue) : undefined
    if (oldest === undefined) break
    removeWaiting(context, oldest)
    dropped++
  }
  return dropped
}

/** Of those that could be leased: the one with the lowest number, else the one that is due first. */
function oldestOf(tables: ReadQueueTables, queue: string): Message | undefined {
  const lanes = tables.lanes(queue)
  const ready = lanes.flatMap(lane => tables.oldest(lane, 0, 1))
  if (ready.length > 0) return tables.get(Math.min(...ready))
  const timed = lanes.flatMap(lane => tables.due(lane, MAX_DUE, undefined, 1))
  return timed.sort((one, other) => one.dueAtMs! - other.dueAtMs!)[0]
}

/** There are no more dead messages than the queue keeps, or fewer than there were. */
export function boundDead({ tables }: QueueContext, queue: string): void {
  const { dead: most } = tables.bounds(queue)
  if (most === undefined) return
  const over = Math.min(tables.counts(queue).dead - most, limits.messagesDropped)
  for (const message of over > 0 ? tables.oldestDead(queue, over) : []) tables.remove(message)
}

const queueFull = (queue: string, has: string, most: number): StorageError =>
  new StorageError(
    'queue_full',
    `The queue ${JSON.stringify(withoutPrefix(queue))} has ${has}, the most are ${most}. Publish again when some are done, or raise its bound.`,
  )
