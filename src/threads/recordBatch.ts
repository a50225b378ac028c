/**
 * Many small records as one: a record of a ring costs a store that the other thread has to fetch, and maybe a wake-up.
 *
 *     record = word: tag │ word: length │ bytes
 */
import { utf8Length } from '../protocol/bytes.ts'
import { appendBytes, appendUtf8, type OutBuffer, reserve } from '../protocol/msgpack/outBuffer.ts'

const WORD = 4
const HEAD = 2 * WORD

function setWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)

/** Appends a record; a text becomes UTF-8. */
export function appendRecord(out: OutBuffer, tag: number, content: string | Uint8Array): void {
  const length = typeof content === 'string' ? utf8Length(content) : content.length
  reserve(out, HEAD + length)
  setWord(out.bytes, out.length, tag)
  setWord(out.bytes, out.length + WORD, length)
  out.length += HEAD
  if (typeof content === 'string') appendUtf8(out, content, length)
  else appendBytes(out, content, 0, length)
}

/** Hands over every record in `bytes[start..end)`, which is as `appendRecord` has written it. */
export function forEachRecord(
  bytes: Uint8Array,
  start: number,
  end: number,
  onRecord: (tag: number, bytes: Uint8Array, start: number, end: number) => void,
): void {
  for (let at = start; at < end; ) {
    const from = at + HEAD
    const to = from + wordAt(bytes, at + WORD)
    onRecord(wordAt(bytes, at), bytes, from, to)
    at = to
  }
}
