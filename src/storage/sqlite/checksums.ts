/** What is stored carries a checksum over all of it, because SQLite has none for its pages. */
import type { Entry } from '../tables.ts'

const crc32 = Bun.hash.crc32

/** Odd factors, so that no two numbers of a field are taken for the same; different ones, so that fields are not mixed up. */
export const mixed = (number: number, factor: number): number =>
  Math.imul(number | 0, factor) ^ Math.imul((number / 2 ** 32) | 0, factor + 2)

/** Of an entry in a collection. Unsigned, 32 bits. */
export function entryChecksum(collection: number, key: string, entry: Omit<Entry, 'key'>): number {
  const { version, createdAt, updatedAtMs, expiresAtMs = -1 } = entry
  const numbers =
    mixed(collection, 0x9e3779b1) ^
    mixed(version, 0x85ebca6b) ^
    mixed(createdAt, 0xc2b2ae35) ^
    mixed(updatedAtMs, 0x27d4eb2f) ^
    mixed(expiresAtMs, 0x165667b1) ^
    // Where the key ends.
    mixed(key.length, 0xd3a2646d)
  return crc32(entry.value, crc32(key, numbers >>> 0))
}

export function textChecksum(...texts: readonly (string | number)[]): number {
  let checksum = 0
  for (const text of texts) checksum = crc32(`${text}\0`, checksum)
  return checksum
}
