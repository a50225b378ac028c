/** Lists as callers see them: without what has expired, and never more than an answer holds. */
import { JSON_NULL } from '../protocol/jsonText.ts'
import { limits } from '../protocol/limits.ts'
import type { Collection } from './command.ts'
import { StorageError } from './storageError.ts'
import { type Entry, hasExpired, type ListQuery, type ReadTables } from './tables.ts'

export interface LiveQuery extends ListQuery {
  /** Values are left out: `null`. */
  readonly keysOnly: boolean
  /** Characters with which a page ends; absent: with more than a message holds nothing is listed. */
  readonly characters: number | undefined
}

export interface LivePage {
  readonly entries: readonly Entry[]
  /** There are further ones. */
  readonly goesOn: boolean
}

/** Throws a `StorageError` of code `payload_too_large`. */
export function listLive(
  tables: ReadTables,
  nowMs: number,
  collection: Collection,
  { prefix, after: start, limit, keysOnly, characters }: LiveQuery,
): LivePage {
  const entries: Entry[] = []
  let after = start
  let size = 0
  // In small portions, because nobody knows how large the values are.
  for (;;) {
    const portion = tables.list(collection, { prefix, after, limit: limits.listPortion })
    for (const entry of portion) {
      if (hasExpired(entry, nowMs)) continue
      const isFull = characters !== undefined && entries.length > 0 && size >= characters
      if (entries.length >= limit || isFull) return { entries, goesOn: true }
      entries.push(keysOnly ? { ...entry, value: JSON_NULL } : entry)
      size += entry.key.length + (keysOnly ? 0 : entry.value.length)
      if (characters === undefined && size > limits.messageBytes) throw tooMuch()
    }
    if (portion.length < limits.listPortion) return { entries, goesOn: false }
    after = portion.at(-1)
  }
}

const tooMuch = (): StorageError =>
  new StorageError(
    'payload_too_large',
    `What is there does not fit into a message (${limits.messageBytes} bytes); ask for less at a time, with \`limit\` or \`prefix\`.`,
  )
