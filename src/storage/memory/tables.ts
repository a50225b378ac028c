/** Tables in memory: what they hold ends with the process. Also the model that the other ones are compared with. */
import { collectionId } from '../collectionId.ts'
import type { Collection, Space } from '../command.ts'
import { createMemoryQueueTables } from '../queue/memory.ts'
import { type Entry, type GroupQuery, hasExpired, type ListQuery, type Tables } from '../tables.ts'
import { compareText, storable, unstorable } from '../text.ts'
import { createSortedList, type SortedList } from './sortedList.ts'

export interface MemoryTables extends Tables {
  /** A place to which `undoTo` goes back. */
  mark(): number
  undoTo(mark: number): void
  /** What was done stays. */
  keep(): void
}

interface Row {
  readonly kept: Kept
  /** The key as it is ordered. */
  readonly rank: string
  entry: Entry
}

/** A collection and what it holds. */
interface Kept {
  readonly collection: Collection
  readonly rows: Map<string, Row>
  readonly byCreation: SortedList<Row>
  readonly byKey: SortedList<Row>
}

type Names = SortedList<string>

const newNames = (): Names => createSortedList(compareText)

export function createMemoryTables(): MemoryTables {
  const collections = new Map<string, Kept>()
  const names: Readonly<Record<Space, Names>> = {
    state: newNames(),
    stream: newNames(),
    cron: newNames(),
    queue: newNames(),
  }
  const groups = new Map<string, Names>()
  const expiring = createSortedList<Row>(
    (one, other) =>
      one.entry.expiresAtMs! - other.entry.expiresAtMs! || one.entry.createdAt - other.entry.createdAt,
  )
  let undo: (() => void)[] = []
  const queues = createMemoryQueueTables(step => void undo.push(step))

  const nameId = (space: Space, name: string): string => `${space}:${name}`

  function known(collection: Collection): Kept {
    const id = collectionId(collection)
    const found = collections.get(id)
    if (found !== undefined) return found
    const kept: Kept = {
      collection,
      rows: new Map(),
      byCreation: createSortedList((one, other) => one.entry.createdAt - other.entry.createdAt),
      byKey: createSortedList((one, other) => compareText(one.rank, other.rank)),
    }
    collections.set(id, kept)
    undo.push(() => void collections.delete(id))
    addGroup(collection)
    return kept
  }

  function addGroup({ space, name, group }: Collection): void {
    const id = nameId(space, name)
    let list = groups.get(id)
    if (list === undefined) {
      list = newNames()
      groups.set(id, list)
      names[space].add(storable(name))
      undo.push(() => {
        groups.delete(id)
        names[space].remove(storable(name))
      })
    }
    const listed = list
    listed.add(storable(group))
    undo.push(() => listed.remove(storable(group)))
  }

  function insert(row: Row): void {
    row.kept.rows.set(row.entry.key, row)
    row.kept.byCreation.add(row)
    row.kept.byKey.add(row)
    if (row.entry.expiresAtMs !== undefined) expiring.add(row)
  }

  function take(row: Row): void {
    row.kept.rows.delete(row.entry.key)
    row.kept.byCreation.remove(row)
    row.kept.byKey.remove(row)
    if (row.entry.expiresAtMs !== undefined) expiring.remove(row)
  }

  return {
    queues,
    get: (collection, key) => collections.get(collectionId(collection))?.rows.get(key)?.entry,
    list: (collection, query) => listOf(collections.get(collectionId(collection)), query),
    sizeOf(collection) {
      const rows = collections.get(collectionId(collection))?.rows
      let bytes = 0
      for (const { entry } of rows?.values() ?? []) bytes += Buffer.byteLength(entry.value)
      return { entries: rows?.size ?? 0, bytes }
    },
    names: (space, query) => namesOf(names[space], query),
    groups: (space, name, query) => namesOf(groups.get(nameId(space, name)), query),
    put(collection, entry) {
      const kept = known(collection)
      const old = kept.rows.get(entry.key)
      // Its place in all lists is the same.
      if (old?.entry.createdAt === entry.createdAt && old.entry.expiresAtMs === entry.expiresAtMs) {
        const before = old.entry
        old.entry = entry
        undo.push(() => {
          old.entry = before
        })
        return
      }
      const row: Row = { kept, rank: old?.rank ?? storable(entry.key), entry }
      if (old !== undefined) take(old)
      insert(row)
      undo.push(() => {
        take(row)
        if (old !== undefined) insert(old)
      })
    },
    remove(collection, key) {
      const row = collections.get(collectionId(collection))?.rows.get(key)
      if (row === undefined) return
      take(row)
      undo.push(() => insert(row))
    },
    expired(nowMs, limit) {
      const found: { collection: Collection; entry: Entry }[] = []
      for (const { kept, entry } of expiring.from(() => false)) {
        if (found.length >= limit || !hasExpired(entry, nowMs)) break
        found.push({ collection: kept.collection, entry })
      }
      return found
    },
    nextExpiryMs: () => expiring.first()?.entry.expiresAtMs,
    mark: () => undo.length,
    undoTo(mark) {
      while (undo.length > mark) undo.pop()!()
    },
    keep() {
      undo = []
    },
  }
}

function listOf(kept: Kept | undefined, { prefix, after, limit }: ListQuery): Entry[] {
  if (kept === undefined) return []
  if (prefix === undefined) {
    const isBefore = (row: Row): boolean => after !== undefined && row.entry.createdAt <= after.createdAt
    return first(limit, kept.byCreation.from(isBefore), row => row.entry)
  }
  const start = storable(prefix)
  const last = after === undefined ? undefined : storable(after.key)
  const isBefore = ({ rank }: Row): boolean =>
    compareText(rank, start) < 0 || (last !== undefined && compareText(rank, last) <= 0)
  return first(limit, kept.byKey.from(isBefore), row => (row.rank.startsWith(start) ? row.entry : undefined))
}

function namesOf(list: Names | undefined, { prefix, after, limit }: GroupQuery): string[] {
  if (list === undefined) return []
  const start = storable(prefix ?? '')
  const last = after === undefined ? undefined : storable(after)
  const isBefore = (name: string): boolean =>
    compareText(name, start) < 0 || (last !== undefined && compareText(name, last) <= 0)
  return first(limit, list.from(isBefore), name => (name.startsWith(start) ? unstorable(name) : undefined))
}

/** At most `limit` of them, until there is one that is not to be listed. */
function first<From, To>(limit: number, items: Iterable<From>, take: (item: From) => To | undefined): To[] {
  const taken: To[] = []
  if (limit <= 0) return taken
  for (const item of items) {
    const result = take(item)
    if (result === undefined) break
    taken.push(result)
    if (taken.length >= limit) break
  }
  return taken
}
