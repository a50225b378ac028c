/** Which segments there are in a folder, and what of them counts. */
import { rmSync, statSync } from 'node:fs'
import { limits } from '../../protocol/limits.ts'
import { recordsFrom } from './readSegment.ts'
import type { FoundRecord } from './record.ts'
import { readHead, SEGMENT_HEAD_BYTES, type SegmentHead, segmentNumbers, segmentPath } from './segment.ts'

export interface Segment extends SegmentHead {
  readonly path: string
  /** Of the file. */
  readonly bytes: number
  /** Where some of its records are, the first of all, and the revision before each. */
  readonly places: { readonly revision: number; readonly at: number }[]
}

export interface FoundSegments {
  /** Of the lineage, in order, each beginning behind the one before. */
  readonly live: Segment[]
  /** Files that hold nothing that counts. */
  readonly useless: string[]
  /** Of all files, whatever is in them. */
  readonly lastNumber: number
}

export const segmentOf = (head: SegmentHead, path: string, bytes: number): Segment => ({
  ...head,
  path,
  bytes,
  places: [{ revision: head.revision, at: SEGMENT_HEAD_BYTES }],
})

/**
 * A segment that begins at a turn which others have already is behind an end that was torn: what they say of that turn and later ones
 * does not count. One whose head is damaged stays where it is as long as there is one before it.
 */
export function findSegments(folder: string, lineage: number): FoundSegments {
  const live: Segment[] = []
  const useless: string[] = []
  const numbers = segmentNumbers(folder)
  let firstTurn = Number.POSITIVE_INFINITY
  let damaged: string[] = []
  for (const number of numbers.toReversed()) {
    const path = segmentPath(folder, number)
    const head = readHead(path)
    if (head === 'damaged') damaged.push(path)
    // Somebody may be waiting for the room.
    else if (head === 'unused') rmSync(path, { force: true })
    else if (head.lineage !== lineage || head.firstTurn >= firstTurn) useless.push(path)
    else {
      firstTurn = head.firstTurn
      damaged = []
      live.unshift(segmentOf(head, path, statSync(path).size))
    }
  }
  return { live, useless: [...useless, ...damaged], lastNumber: numbers.at(-1) ?? 0 }
}

/** Remembers where a record is, now and then. */
export function notePlace({ places }: Segment, revision: number, at: number): void {
  if (at >= places.at(-1)!.at + limits.logPlaceBytes) places.push({ revision, at })
}

/** From one that is not behind what comes after a revision; without one from the first on: turns of queues have no revision. */
export function recordsOf(
  { path, salt, places }: Segment,
  revision: number | undefined,
): Generator<FoundRecord, void> {
  const place = revision === undefined ? undefined : places.findLast(known => known.revision <= revision)
  return recordsFrom(path, salt, (place ?? places[0]!).at)
}
