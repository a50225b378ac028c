/** Writes the row of a message that has none. */
import type { Message } from '../../queue/message.ts'
import type { Connection } from '../connection.ts'
import type { KnownLane } from './queues.ts'
import { reportsText, stored } from './rows.ts'

export function writeRow(
  { ask }: Connection,
  { id, queue }: KnownLane,
  message: Message,
  checksum: number,
): void {
  const rank = 0 - message.priority
  if (isPlain(message)) {
    ask.addPlainMessage.run(
      message.number,
      queue.id,
      id,
      rank,
      message.publishedAtMs,
      checksum,
      stored(message.receipt),
      stored(message.traceparent),
      stored(message.baggage),
      message.data,
    )
    return
  }
  ask.addMessage.run(
    message.number,
    queue.id,
    id,
    rank,
    message.isHead ? 1 : 0,
    message.failures,
    message.publishedAtMs,
    checksum,
    message.dueAtMs ?? null,
    message.deadAtMs ?? null,
    message.keptUntilMs ?? null,
    stored(message.receipt),
    stored(message.group),
    stored(message.traceparent),
    stored(message.baggage),
    message.metadata ?? null,
    reportsText(message),
    message.data,
  )
}

/** Nothing has happened to it, and nothing was said with it but what is said with every call. */
function isPlain(message: Message): boolean {
  if (message.group !== undefined || message.metadata !== undefined) return false
  if (message.dueAtMs !== undefined || message.deadAtMs !== undefined) return false
  return message.failures === 0 && message.reports.length === 0
}
