/**
 * Snapshots that were read lately. When an engine comes back, all clients of a group join at once: what is there is read
 * and written once for all of them, as long as nothing happens to the group.
 */
import type { JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Audience } from './subscriptions.ts'

export interface KnownSnapshot {
  readonly data: JsonText
  /** Nothing has happened to the group between this event and now. */
  readonly seq: number
}

export interface Snapshots {
  find(audience: Audience, withIds: boolean): KnownSnapshot | undefined
  keep(audience: Audience, withIds: boolean, snapshot: KnownSnapshot): void
}

interface Kept extends KnownSnapshot {
  readonly audience: Audience
  readonly withIds: boolean
}

export function createSnapshots(): Snapshots {
  /** The one that was used last comes last. */
  let kept: Kept[] = []
  let characters = 0

  function forget(snapshot: Kept): void {
    kept = kept.filter(other => other !== snapshot)
    characters -= snapshot.data.length
  }

  /** An audience hears of everything; one that was gone meanwhile is another one. */
  const isTrue = ({ seq }: KnownSnapshot, audience: Audience): boolean => audience.lastSeq <= seq

  return {
    find(audience, withIds) {
      const found = kept.find(each => each.audience === audience && each.withIds === withIds)
      if (found === undefined) return undefined
      if (isTrue(found, audience)) return found
      forget(found)
      return undefined
    },
    keep(audience, withIds, { data, seq }) {
      if (data.length > limits.streamSnapshotCharacters || !isTrue({ data, seq }, audience)) return
      const before = kept.find(each => each.audience === audience && each.withIds === withIds)
      if (before !== undefined) forget(before)
      kept.push({ audience, withIds, data, seq })
      characters += data.length
      while (characters > limits.streamSnapshotCharacters || kept.length > limits.streamSnapshots)
        forget(kept[0]!)
    },
  }
}
