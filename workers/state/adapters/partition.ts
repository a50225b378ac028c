/** Values in the durable partition, on disk or in memory. A scope is a collection; revisions are its own. */

import { asJsonText, JSON_NULL, quote } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import type { EntryChange } from '../../../src/storage/change.ts'
import type { Collection, Command } from '../../../src/storage/command.ts'
import type { Partition } from '../../../src/storage/partition.ts'
import { StorageError } from '../../../src/storage/storageError.ts'
import { type Entry, hasExpired, type ReadTables } from '../../../src/storage/tables.ts'
import type { Item, ItemAddress, StateChange, StateStore, Write } from '../store.ts'

const SPACE = 'state'

type Place = Pick<Entry, 'key' | 'createdAt'>

const scopeOf = (scope: string): Collection => ({ space: SPACE, name: scope, group: '' })

function groupOf({ stream, group }: Pick<ItemAddress, 'stream' | 'group'>): Collection {
  return { space: 'stream', name: stream, group }
}

function itemOf({ key, value, version, updatedAtMs, expiresAtMs }: Entry): Item {
  return { key, value, version, updatedAtMs, expiresAtMs }
}

function commandOf(write: Write): Command {
  switch (write.kind) {
    case 'set':
    case 'stream_set': {
      const { value, ifVersion, expiresAtMs } = write
      return { command: 'put', ...targetOf(write), value, ifVersion, expiresAtMs }
    }
    case 'delete':
      return { command: 'remove', ...targetOf(write), ifVersion: write.ifVersion, tellsMissing: true }
    case 'stream_delete':
      return { command: 'remove', ...targetOf(write), ifVersion: write.ifVersion, tellsMissing: false }
    case 'update':
    case 'stream_update': {
      const { operations, ifVersion, expiresAtMs, maxValueBytes } = write
      return { command: 'update', ...targetOf(write), operations, ifVersion, expiresAtMs, maxValueBytes }
    }
    case 'stream_send': {
      // As the stream worker keeps what is sent without being stored.
      const data = asJsonText(`{"type":${quote(write.type)},"data":${write.data}}`)
      return { command: 'tell', collection: groupOf(write), key: write.item, type: 'event', data }
    }
    case 'publish':
      return { command: 'publish', topic: write.topic, data: write.data }
  }
}

function targetOf(write: Exclude<Write, { kind: 'stream_send' | 'publish' }>) {
  return 'scope' in write
    ? { collection: scopeOf(write.scope), key: write.key }
    : { collection: groupOf(write), key: write.item }
}

function changeOf(change: EntryChange): StateChange {
  const { revision, atMs, name, key, event, reason, oldValue, newValue, cause } = change
  return {
    revision,
    atMs,
    scope: name,
    key: key!,
    event: event as StateChange['event'],
    reason,
    oldValue,
    newValue,
    cause,
  }
}

/** Nothing is told in the space of the state. */
const isOurs = ({ space, event }: EntryChange): boolean => space === SPACE && event !== 'told'

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
  if (typeof createdAt !== 'number' || typeof key !== 'string') {
    throw new RangeError('the cursor is none that a page before has given')
  }
  return { createdAt, key }
}

interface Listing {
  readonly prefix: string | undefined
  readonly after: Place | undefined
  readonly keysOnly: boolean
  readonly rows: number
  readonly characters: number
}

/** Rows of the first portion; the values may be large. */
const FIRST_PORTION = 16

/** In portions, because what has expired must not make a page short, and nobody knows how large the values are. */
function live(tables: ReadTables, nowMs: number, collection: Collection, listing: Listing): Entry[] {
  const { prefix, keysOnly, rows, characters } = listing
  const found: Entry[] = []
  let { after } = listing
  let room = characters
  for (let most = FIRST_PORTION; ; most = Math.min(4 * most, limits.listPortion)) {
    const limit = Math.min(rows - found.length, most)
    const portion = tables.list(collection, { prefix, after, limit })
    for (const entry of portion) {
      if (hasExpired(entry, nowMs)) continue
      const row = keysOnly ? { ...entry, value: JSON_NULL } : entry
      found.push(row)
      room -= row.key.length + row.value.length
    }
    if (room < 0) throw tooLarge(characters)
    if (portion.length < limit || found.length >= rows) return found
    after = portion.at(-1)
  }
}

function tooLarge(characters: number): StorageError {
  const why = `the rows have more than ${characters} characters, which is more than a message holds`
  return new StorageError(
    'LIST_TOO_LARGE',
    `${why}; use \`limit\` and \`cursor\`, with \`with_keys\` or \`keys_only\``,
  )
}

/** `listCharacters`: the most of one list. */
export function createPartitionStore(
  partition: Partition,
  listCharacters: number = limits.listCharacters,
): StateStore {
  return {
    async write(writes, { level, cause }) {
      const committed = await partition.submit(writes.map(commandOf), { level, cause })
      return {
        written: committed.answers,
        revision: committed.revision,
        level: committed.level,
        ms: committed.ms,
      }
    },
    get: ({ scope, key }) =>
      partition.read((tables, nowMs) => {
        const entry = tables.get(scopeOf(scope), key)
        return entry === undefined || hasExpired(entry, nowMs) ? undefined : itemOf(entry)
      }),
    list({ scope, prefix, cursor, limit = Number.POSITIVE_INFINITY, keysOnly = false }) {
      const after = cursor === undefined ? undefined : placeOf(cursor)
      return partition.read((tables, nowMs) => {
        // One more than is shown says whether there is a further page.
        const listing = { prefix, after, keysOnly, rows: limit + 1, characters: listCharacters }
        const found = live(tables, nowMs, scopeOf(scope), listing)
        const shown = found.length > limit ? found.slice(0, limit) : found
        const last = shown.at(-1)
        const goesOn = shown.length < found.length && last !== undefined
        return { items: shown.map(itemOf), cursor: goesOn ? cursorOf(last) : undefined }
      })
    },
    scopes: query => partition.read(tables => tables.names(SPACE, query)),
    async since(scope, revision, limit) {
      const feed = await partition.since(scope === undefined ? SPACE : scopeOf(scope), revision, limit)
      return feed.kind === 'gone' ? feed : { ...feed, changes: feed.changes.filter(isOurs).map(changeOf) }
    },
    revision: () => partition.status().revision,
    follow: follower =>
      partition.follow(({ changes, publications }) => {
        const ours = changes.filter(isOurs).map(changeOf)
        const published = publications.map(({ topic, data, cause }) => ({ topic, data, cause }))
        if (ours.length > 0 || published.length > 0) follower(ours, published)
      }),
  }
}
