/** What is stored carries a checksum over all of it, because SQLite has none for its pages. */
import type { Entry } from '../tables.ts'

const crc32 = Bun.hash.crc32

/** Of an entry in a collection. Unsigned, 32 bits. */
export function entryChecksum(collection: number, key: string, entry: Omit<Entry, 'key'>): number {
  const { version, createdAt, updatedAtMs, expiresAtMs } = entry
  const head = `${collection} ${version} ${createdAt} ${updatedAtMs} ${expiresAtMs ?? ''} ${key}`
  return crc32(entry.value, crc32(head))
}

export function textChecksum(...texts: readonly (string | number)[]): number {
  let checksum = 0
  for (const text of texts) checksum = crc32(`${text}\0`, checksum)
  return checksum
}
