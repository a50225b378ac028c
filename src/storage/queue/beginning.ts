/** The first of a list of messages, by number or by size. */
import { lengthOf, type Message } from './message.ts'

/** Up to the one with which they have more than `most` characters together. */
export function* upTo(most = Number.POSITIVE_INFINITY, found: Iterable<Message>): Iterable<Message> {
  let characters = 0
  for (const message of found) {
    yield message
    characters += lengthOf(message)
    if (characters > most) return
  }
}

/** At most `limit` of them, until there is one that does not fit. */
export function first(
  limit: number,
  found: Iterable<Message>,
  fits = (_: Message): boolean => true,
): Message[] {
  const taken: Message[] = []
  if (limit <= 0) return taken
  for (const message of found) {
    if (!fits(message)) break
    taken.push(message)
    if (taken.length >= limit) break
  }
  return taken
}
