/** Pages of collections: what has expired is left out, and none is larger than what an answer can hold. */
import { JSON_NULL } from '../protocol/jsonText.ts'
import { limits } from '../protocol/limits.ts'
import type { Collection } from './command.ts'
import { StorageError } from './storageError.ts'
import { type Entry, hasExpired, type ReadTables } from './tables.ts'

/** Where a page ended. */
type Place = Pick<Entry, 'key' | 'createdAt'>

export interface PageQuery {
  readonly prefix: string | undefined
  /** Of the page before. */
  readonly cursor: string | undefined
  /** Absent: all. */
  readonly limit: number | undefined
  /** Values are left out: `null`. */
  readonly keysOnly?: boolean
}

export interface Page {
  readonly entries: readonly Entry[]
  /** Absent: this is the last page. */
  readonly cursor: string | undefined
  /** It has fewer entries than were asked for, because more would be too much (`limits.pageCharacters`). */
  readonly isCut: boolean
}

/** To those whose answer has no place for a cursor. `form`: what gives it one. */
export function tooLarge(form: string): StorageError {
  return new StorageError(
    'payload_too_large',
    `The list is more than ${limits.pageCharacters} characters; ask for pages, with \`${form}\`, \`limit\` and \`cursor\``,
  )
}

function cursorOf({ key, createdAt }: Place): string {
  return Buffer.from(JSON.stringify([createdAt, key])).toString('base64url')
}

function placeOf(cursor: string): Place {
  let read: unknown
  try {
    read = JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    read = undefined
  }
  const [createdAt, key] = Array.isArray(read) ? (read as unknown[]) : []
  if (typeof createdAt !== 'number' || typeof key !== 'string')
    throw new RangeError('the cursor is none that a page before has given')
  return { createdAt, key }
}

/** Throws a `RangeError` for a cursor that is none of its own. */
export function readPage(tables: ReadTables, nowMs: number, collection: Collection, query: PageQuery): Page {
  const { prefix, cursor, limit: most = Number.POSITIVE_INFINITY, keysOnly = false } = query
  let after = cursor === undefined ? undefined : placeOf(cursor)
  const entries: Entry[] = []
  let characters = 0
  // In small portions, because what has expired must not make a page short, and values may be large.
  for (;;) {
    // One more than is shown says whether there is a further page.
    const limit = Math.min(most + 1 - entries.length, limits.listPortion)
    const portion = tables.list(collection, { prefix, after, limit })
    for (const found of portion) {
      if (hasExpired(found, nowMs)) continue
      const entry = keysOnly ? { ...found, value: JSON_NULL } : found
      characters += entry.key.length + entry.value.length
      const isCut = characters > limits.pageCharacters && entries.length > 0
      const last = entries.at(-1)
      if (last !== undefined && (isCut || entries.length >= most))
        return { entries, cursor: cursorOf(last), isCut }
      entries.push(entry)
    }
    if (portion.length < limit) return { entries, cursor: undefined, isCut: false }
    after = portion.at(-1)
  }
}
