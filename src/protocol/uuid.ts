/** UUIDs: what the wire accepts, and cheap ones for invocations. */

const CANONICAL = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const ANY_FORM =
  /^(?:urn:uuid:)?\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$/i

/**
 * Reads a UUID in any textual form (`docs/protocol/json.md#how-messages-are-read`: hyphenated or not, braces,
 * `urn:uuid:`, upper case) and returns it hyphenated and lower-case; `undefined` when it is none.
 */
export function parseUuid(text: string): string | undefined {
  if (CANONICAL.test(text)) return text
  const parts = ANY_FORM.exec(text)
  return parts ? parts.slice(1).join('-').toLowerCase() : undefined
}

/**
 * Makes ids of version 4 shape from one random start and a counter: unique in the process and cheap, but
 * guessable, so only for invocations, where knowing an id gives no right.
 */
export function createInvocationIds(randomUuid: () => string): () => string {
  const start = randomUuid()
  const head = `${start.slice(0, 24)}`
  let counter = Number.parseInt(start.slice(24, 32), 16)
  return () => {
    counter = (counter + 1) % 0x1000000000000
    return head + counter.toString(16).padStart(12, '0')
  }
}
