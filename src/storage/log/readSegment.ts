/** Reads the records of a segment, one after the other, up to the first that is none. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { type FoundRecord, HEAD_BYTES, lengthIn, recordIn } from './record.ts'

const CHUNK_BYTES = 256 * 1024

/** `from`: where a record begins. A record is good until the next one is asked for. */
export function* recordsFrom(path: string, salt: number, from: number): Generator<FoundRecord, void> {
  const file = openSync(path, 'r')
  const { size } = fstatSync(file)
  let chunk = Buffer.alloc(0)
  /** Where the chunk begins in the file. */
  let start = from

  /** So many bytes at a place, or `undefined`: there are not so many. */
  function bytesAt(at: number, count: number): Buffer | undefined {
    if (at + count > start + chunk.length) {
      const most = Math.max(count, CHUNK_BYTES)
      const next = Buffer.allocUnsafe(most)
      let filled = 0
      while (filled < most) {
        const read = readSync(file, next, filled, most - filled, at + filled)
        if (read === 0) break
        filled += read
      }
      chunk = next.subarray(0, filled)
      start = at
    }
    return at + count > start + chunk.length ? undefined : chunk.subarray(at - start, at - start + count)
  }

  try {
    for (let at = from; ; ) {
      const head = bytesAt(at, HEAD_BYTES)
      const length = head === undefined ? 0 : lengthIn(head)
      // What is no length may be any number.
      const bytes = length < HEAD_BYTES || length > size - at ? undefined : bytesAt(at, length)
      const record = bytes === undefined ? undefined : recordIn(bytes, salt, at)
      if (record === undefined) return
      yield record
      at = record.end
    }
  } finally {
    closeSync(file)
  }
}
