/**
 * Tables while it is not known what becomes of the last commit: it was made, but the disk did not say that it has it. Its callers were
 * refused, so nobody may see it either; what it has not touched is read as ever.
 */
import type { EntryChange } from './change.ts'
import type { Collection, Space } from './command.ts'
import { StorageFault } from './store.ts'
import type { ReadTables } from './tables.ts'

/** Throws a `StorageFault` for what one of `changes` was made to, and for queues if something was done with some of them (`areQueues`). `reason`: what is wrong with the disk. */
export function tablesInDoubt(
  tables: ReadTables,
  changes: readonly EntryChange[],
  areQueues: boolean,
  reason: string,
): ReadTables {
  function refuseIf(isTouched: (change: EntryChange) => boolean): void {
    if (changes.some(isTouched)) throw new StorageFault('broken', reason)
  }
  const isOf = (space: Space, name: string) => (change: EntryChange) =>
    change.space === space && change.name === name
  const isIn = ({ space, name, group }: Collection) => {
    const isOfName = isOf(space, name)
    return (change: EntryChange) => isOfName(change) && change.group === group
  }
  return {
    // Which of them it has touched nobody knows.
    get queues() {
      if (!areQueues) return tables.queues
      throw new StorageFault('broken', reason)
    },
    get(collection, key) {
      const isTouched = isIn(collection)
      refuseIf(change => change.key === key && isTouched(change))
      return tables.get(collection, key)
    },
    list(collection, query) {
      refuseIf(isIn(collection))
      return tables.list(collection, query)
    },
    sizeOf(collection) {
      refuseIf(isIn(collection))
      return tables.sizeOf(collection)
    },
    names(space, query) {
      refuseIf(change => change.space === space)
      return tables.names(space, query)
    },
    groups(space, name, query) {
      refuseIf(isOf(space, name))
      return tables.groups(space, name, query)
    },
  }
}
