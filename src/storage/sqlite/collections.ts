/** Collections have numbers, under which their entries stand. Those used lately are remembered. */
import { limits } from '../../protocol/limits.ts'
import { collectionId } from '../collectionId.ts'
import type { Collection, Space } from '../command.ts'
import { CorruptData } from '../storageError.ts'
import { storable, unstorable } from '../text.ts'
import { textChecksum } from './checksums.ts'
import type { CollectionRow } from './connection.ts'
import { type Session, using, writing } from './session.ts'

export interface Collections {
  find(collection: Collection): number | undefined
  findOrAdd(collection: Collection): number
  /** Of a number that an entry has. */
  named(id: number): Collection
  /** What was added since the last commit is not there. */
  forget(): void
}

/** Throws `CorruptData` if the row is not what was written. */
export function collectionOf(row: CollectionRow): Collection {
  if (textChecksum(row.id, row.space, row.name, row.group) !== row.checksum) {
    throw new CorruptData(`The name of collection ${row.id} is not what was written. Restore a backup.`)
  }
  return { space: row.space as Space, name: unstorable(row.name), group: unstorable(row.group) }
}

export function createCollections(session: Session): Collections {
  const ids = new Map<string, number>()
  let last: { readonly collection: Collection; readonly id: number } | undefined

  function remember(collection: Collection, id: number): number {
    // All at once: which ones are used is soon known again.
    if (ids.size >= limits.collectionsRemembered) ids.clear()
    ids.set(collectionId(collection), id)
    last = { collection, id }
    return id
  }

  function find(collection: Collection): number | undefined {
    if (last !== undefined && isSame(last.collection, collection)) return last.id
    const known = ids.get(collectionId(collection))
    if (known !== undefined) {
      last = { collection, id: known }
      return known
    }
    const { space, name, group } = collection
    const row = using(session, ({ ask }) => ask.collection.get(space, storable(name), storable(group)))
    if (row === null) return undefined
    collectionOf(row)
    return remember(collection, row.id)
  }

  function add(collection: Collection): number {
    return writing(session, ({ ask }) => {
      const id = (ask.lastCollection.get()?.id ?? 0) + 1
      const { space } = collection
      const [name, group] = [storable(collection.name), storable(collection.group)]
      ask.addCollection.run(id, space, name, group, textChecksum(id, space, name, group))
      return remember(collection, id)
    })
  }

  return {
    find,
    findOrAdd: collection => find(collection) ?? add(collection),
    named(id) {
      const row = using(session, ({ ask }) => ask.collectionOfId.get(id))
      if (row === null) throw new CorruptData(`Collection ${id} has entries, but no name. Restore a backup.`)
      return collectionOf(row)
    },
    forget() {
      ids.clear()
      last = undefined
    },
  }
}

const isSame = (one: Collection, other: Collection): boolean =>
  one === other || (one.name === other.name && one.group === other.group && one.space === other.space)
