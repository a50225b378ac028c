/** A page of the dead messages of several queues together. Those before it are counted and not read. */
import { limits } from '../../protocol/limits.ts'
import type { Message } from './message.ts'
import type { DeadPlace, ReadQueueTables } from './tables.ts'

const latestFirst = (one: DeadPlace, other: DeadPlace): number =>
  other.deadAtMs - one.deadAtMs || other.number - one.number

/** The latest first, behind `offset` of them; at most `limit`, and fewer if their data is large, but one at least. */
export function deadPage(
  tables: Pick<ReadQueueTables, 'get' | 'deadPlaces'>,
  queues: readonly string[],
  offset: number,
  limit: number,
): Message[] {
  let places: DeadPlace[] = []
  for (const queue of queues) {
    const found = tables.deadPlaces(queue, offset + limit)
    if (found.length === 0) continue
    places = places.length === 0 ? found : [...places, ...found].sort(latestFirst).slice(0, offset + limit)
  }
  const messages: Message[] = []
  let characters = 0
  for (const { number } of places.slice(offset)) {
    const message = tables.get(number)
    if (message === undefined) continue
    characters += message.data.length
    if (characters > limits.pageCharacters && messages.length > 0) break
    messages.push(message)
  }
  return messages
}
