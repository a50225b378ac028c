/** UUIDs: what the wire accepts, and cheap ones for invocations. */

const HEX_DIGITS = new Uint8Array(128)
for (const digit of '0123456789abcdef') HEX_DIGITS[digit.charCodeAt(0)] = 1

const ANY_FORM = /^(?:urn:uuid:)?\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$/i

function isCanonical(text: string): boolean {
  if (text.length !== 36) return false
  for (let i = 0; i < 36; i++) {
    const code = text.charCodeAt(i)
    if (i === 8 || i === 13 || i === 18 || i === 23) {
      if (code !== 45) return false
    } else if (HEX_DIGITS[code] !== 1) {
      return false
    }
  }
  return true
}

/**
 * Reads a UUID in any textual form (`protocol.md` 2: hyphenated or not, braces, `urn:uuid:`, upper case) and
 * returns it hyphenated and lower-case; `undefined` when it is none.
 */
export function parseUuid(text: string): string | undefined {
  if (isCanonical(text)) return text
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
