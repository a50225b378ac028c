/** What one call publishes: it is one transaction, so that all of it is there or nothing, and nobody else is served meanwhile. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { limits } from '../../src/protocol/limits.ts'
import { lengthOf } from '../../src/storage/queue/message.ts'
import type { Publish } from './backend.ts'

export interface Batch {
  /** Throws a `HandlerError` `PUBLISH_TOO_LARGE` as soon as there are too many. */
  add(messages: readonly Publish[]): void
  messages(): readonly Publish[]
}

export function createBatch(): Batch {
  const all: Publish[] = []
  let characters = 0
  return {
    add(messages) {
      // Each has the characters of the first one, but for its place.
      const [first] = messages
      if (first !== undefined) characters += messages.length * lengthOf({ metadata: undefined, ...first })
      if (all.length + messages.length > limits.queueCopies || characters > limits.transactionCharacters)
        throw tooLarge(all.length + messages.length, characters)
      for (const message of messages) all.push(message)
    },
    messages: () => all,
  }
}

const tooLarge = (count: number, characters: number): HandlerError =>
  new HandlerError(
    'PUBLISH_TOO_LARGE',
    `One call publishes ${limits.queueCopies} messages of ${limits.transactionCharacters} characters at most, a copy for each subscription counted; ` +
      `here are ${count} or more, of ${characters}. Push fewer at a time, or keep large data elsewhere and send its name; nothing was written.`,
  )
