/**
 * The log of a partition: every transaction is written here first, one after the other, and synced here. The tables follow in
 * memory, and reach the disk much later, many transactions at once (`docs/decisions/0020-log.md`).
 *
 *     log-…17 ──full──▶ log-…18 ──full──▶ log-…19      log-…20 (made ahead when 19 is half full)
 *     └── for feeds, and until the tables have it ──┘
 *
 * Nothing is written behind an end that was torn: whoever opens the log begins a new segment.
 */
import { closeSync, ftruncateSync, rmSync, writeSync } from 'node:fs'
import { limits } from '../../protocol/limits.ts'
import { requirePresent } from '../folder/presence.ts'
import { makeSegment, makeSegmentBeside, openSegment } from './makeSegment.ts'
import { type FoundRecord, type LogRecord, recordBytes, seal } from './record.ts'
import { headBytes, SEGMENT_HEAD_BYTES, segmentPath } from './segment.ts'
import { findSegments, notePlace, recordsOf, type Segment, segmentOf } from './segments.ts'

export interface LogOptions {
  readonly folder: string
  readonly lineage: number
  /** Of a segment that may still be made beside for a log before this one: no number comes twice. */
  readonly lastNumber?: number
  /** 32 bits by chance. */
  readonly newSalt: () => number
  /** Throws if the folder is not the one that it was. */
  readonly requireFolder: () => void
  /** What was written to a file is on disk when it returns. */
  readonly sync: (file: number) => void
}

/** Which changes are kept. */
export interface KeptLimits {
  readonly changes: number
  readonly bytes: number
  readonly ageMs: number
}

/** What throws, throws what the disk says. */
export interface Log {
  /** Records behind a turn, in order. Ends in front of the first that is missing or not what was written. */
  recordsAfter(turn: number): Generator<FoundRecord, void>
  /** From a record that is not behind the first change after a revision, to the end of its segment. */
  recordsNear(revision: number): Generator<FoundRecord, void>
  /** What is behind this turn does not count. */
  endAt(turn: number): void
  /** Makes sure that the turn after this one can be appended, to a file that is where it was. */
  prepare(turn: number, revision: number, atMs: number): void
  /** True: for that another segment was begun. If it throws, nothing was appended. */
  append(record: LogRecord): boolean
  /** Files of which something may not be on disk, the oldest first. */
  unsynced(): readonly number[]
  /** They are on disk as they were when they were asked for. */
  synced(files: readonly number[]): void
  syncHere(): void
  /** Writes everything from a turn on anew, in a segment of its own, which is on disk when this returns. */
  restart(fromTurn: number, revision: number, atMs: number): void
  /** Changes above the revision that is returned are to be kept. */
  oldestToKeep(most: KeptLimits, revision: number, nowMs: number): number
  /** Removes segments that hold nothing behind `turn`, and no change above `revision`. */
  forget(turn: number, revision: number): void
  /** Of all segments that count. */
  fileBytes(): number
  /** Of all segments that were made, or are being made. */
  lastNumber(): number
  /** Nothing is done beside any more. */
  idle(): Promise<void>
  /** `isSettled`: all of it is in the tables. */
  close(isSettled: boolean): void
}

/** One that is written to. */
interface OpenSegment {
  readonly segment: Segment
  readonly file: number
  readonly requireThere: () => void
  end: number
}

interface EmptyFile {
  readonly number: number
  readonly bytes: number
}

export function openLog({
  folder,
  lineage,
  lastNumber: atLeast = 0,
  newSalt,
  requireFolder,
  sync,
}: LogOptions): Log {
  const { live, ...found } = findSegments(folder, lineage)
  let { useless } = found
  let lastNumber = Math.max(found.lastNumber, atLeast)
  let current: OpenSegment | undefined
  /** Those before it of which something may not be on disk. */
  let full: OpenSegment[] = []
  let spare: EmptyFile | undefined
  let making: Promise<void> | undefined
  /** A segment was needed and could not be made. */
  let isFull = false
  let isClosed = false
  let lastTurn = Number.POSITIVE_INFINITY
  /** Segments that others have written, and in which something was found that may not be on disk. */
  const unsure = new Set<string>()
  /** Of all changes up to the end. */
  let changesBytes = 0

  /** Those of a segment that count. */
  function* counting(place: number, revision?: number): Generator<FoundRecord, void> {
    const segment = live[place]!
    for (const record of recordsOf(segment, revision)) {
      if (record.turn > lastTurn || record.turn >= (live[place + 1]?.firstTurn ?? Number.POSITIVE_INFINITY))
        return
      notePlace(segment, record.after, record.at)
      yield record
    }
  }

  function* recordsAfter(turn: number): Generator<FoundRecord, void> {
    let expected = turn + 1
    const first = live.findLastIndex(({ firstTurn }) => firstTurn <= expected)
    for (let place = Math.max(first, 0); place < live.length; place++) {
      if (live[place]!.firstTurn > expected) return
      for (const record of counting(place)) {
        if (record.turn < expected) continue
        if (record.turn > expected) return
        if (current === undefined) unsure.add(live[place]!.path)
        yield record
        expected++
      }
    }
  }

  /** Segments grow with what is written, so that little data takes little room. */
  function usualBytes(): number {
    const grown = Math.max(limits.logFirstSegmentBytes, 2 * (current?.segment.bytes ?? 0))
    return Math.min(grown, limits.logSegmentBytes)
  }

  function make(least: number): EmptyFile {
    requireFolder()
    const made = { number: ++lastNumber, bytes: Math.max(usualBytes(), SEGMENT_HEAD_BYTES + least) }
    isFull = true
    makeSegment(segmentPath(folder, made.number), made.bytes)
    isFull = false
    return made
  }

  function makeAhead(): void {
    if (making !== undefined || spare !== undefined || isFull || isClosed) return
    const ahead = { number: ++lastNumber, bytes: usualBytes() }
    const path = segmentPath(folder, ahead.number)
    making = Promise.try(requireFolder)
      .then(() => makeSegmentBeside(path, ahead.bytes))
      .then(
        () => {
          if (isClosed || spare !== undefined || ahead.number < live.at(-1)!.number)
            rmSync(path, { force: true })
          else spare = ahead
        },
        () => {
          // If it is still so when one is needed, it is noticed then.
        },
      )
      .finally(() => {
        making = undefined
      })
  }

  /** An empty file behind all others. */
  function take(least: number): EmptyFile {
    const taken = spare
    spare = undefined
    if (taken !== undefined && taken.bytes >= SEGMENT_HEAD_BYTES + least) return taken
    // It is empty, and the larger one needs the room.
    if (taken !== undefined) rmSync(segmentPath(folder, taken.number), { force: true })
    return make(least)
  }

  /** `fill` writes what is in it; its head comes last, so that nothing of it counts before. If it throws, nothing is left of it. */
  function begin(
    head: { readonly firstTurn: number; readonly revision: number; readonly atMs: number },
    least: number,
    fill: (open: OpenSegment) => void,
    isSynced = false,
  ): void {
    current?.requireThere()
    const { number, bytes } = take(least)
    const path = segmentPath(folder, number)
    const file = openSegment(path)
    try {
      const segment = segmentOf({ ...head, lineage, number, changesBytes, salt: newSalt() }, path, bytes)
      const open = { segment, file, requireThere: requirePresent(path, folder), end: SEGMENT_HEAD_BYTES }
      fill(open)
      writeAll(file, headBytes(segment), 0)
      if (isSynced) sync(file)
      if (current !== undefined) full.push(current)
      current = open
      live.push(segment)
    } catch (error) {
      closeSync(file)
      rmSync(path, { force: true })
      throw error
    }
  }

  function write(open: OpenSegment, after: number, bytes: Buffer): void {
    seal(bytes, open.segment.salt)
    writeAll(open.file, bytes, open.end)
    notePlace(open.segment, after, open.end)
    open.end += bytes.length
  }

  const opened = (): OpenSegment[] => (current === undefined ? full : [...full, current])

  function leaveOut(from: number): void {
    while ((live.at(-1)?.firstTurn ?? from) > from) useless.push(live.pop()!.path)
  }

  return {
    recordsAfter,
    *recordsNear(revision) {
      const place = live.findLastIndex(segment => segment.revision <= revision)
      if (place >= 0) yield* counting(place, revision)
    },
    endAt(turn) {
      lastTurn = turn
      leaveOut(turn + 1)
      changesBytes = live.at(-1)?.changesBytes ?? 0
      if (live.length > 0) for (const record of counting(live.length - 1)) changesBytes += record.changesBytes
    },
    prepare(turn, revision, atMs) {
      if (current !== undefined) {
        // Not its file: a file that was looked at gets another time with its next write, which costs 60 µs when it is synced.
        requireFolder()
        if (isFull) spare = make(0)
        return
      }
      // What is behind an end that was torn does not count from here on: that has to be on disk before anything else is.
      begin({ firstTurn: turn + 1, revision, atMs }, 0, () => {}, true)
    },
    append(record) {
      const bytes = recordBytes(record)
      const { turn, after, atMs } = record
      const isRotated = current!.end + bytes.length > current!.segment.bytes
      if (!isRotated) write(current!, after, bytes)
      else begin({ firstTurn: turn, revision: after, atMs }, bytes.length, open => write(open, after, bytes))
      lastTurn = turn
      changesBytes += bytes.readUInt32LE(44)
      if (current!.end > current!.segment.bytes / 2) makeAhead()
      return isRotated
    },
    unsynced: () => opened().map(({ file }) => file),
    synced(files) {
      full = full.filter(({ file }) => {
        if (!files.includes(file)) return true
        closeSync(file)
        return false
      })
    },
    syncHere() {
      for (const path of unsure) {
        const file = openSegment(path)
        try {
          sync(file)
        } finally {
          closeSync(file)
        }
        unsure.delete(path)
      }
      for (const { file } of opened()) sync(file)
    },
    restart(fromTurn, revision, atMs) {
      const again = [...recordsAfter(fromTurn - 1)]
      const least = again.reduce((sum, { bytes }) => sum + bytes.length, 0)
      const head = {
        firstTurn: fromTurn,
        revision: again[0]?.after ?? revision,
        atMs: again[0]?.atMs ?? atMs,
      }
      const ofAgain = again.reduce((sum, record) => sum + record.changesBytes, 0)
      changesBytes -= ofAgain
      const fill = (open: OpenSegment): void => {
        for (const { after, bytes } of again) write(open, after, bytes)
        sync(open.file)
      }
      begin(head, least, fill, true)
      changesBytes += ofAgain
      const newest = live.pop()!
      leaveOut(fromTurn - 1)
      live.push(newest)
    },
    oldestToKeep(most, revision, nowMs) {
      let place = 0
      let fileBytes = live.reduce((sum, segment) => sum + segment.bytes, 0)
      for (; place < live.length - 1; place++) {
        const [first, next] = [live[place]!, live[place + 1]!]
        fileBytes -= first.bytes
        const areEnoughBehind =
          revision - next.revision >= most.changes ||
          changesBytes - next.changesBytes >= most.bytes ||
          fileBytes >= limits.logBytes ||
          live.length - place > limits.logSegments
        if (!areEnoughBehind && next.atMs >= nowMs - most.ageMs) break
      }
      return Math.max(live[place]?.revision ?? revision, revision - most.changes)
    },
    forget(turn, revision) {
      for (let place = live.length - 2; place >= 0; place--) {
        const [segment, next] = [live[place]!, live[place + 1]!]
        const isNeeded =
          next.firstTurn > turn + 1 || (next.revision > revision && next.revision > segment.revision)
        if (isNeeded) continue
        live.splice(place, 1)
        useless.push(segment.path)
      }
      for (const path of useless) rmSync(path, { force: true })
      useless = []
    },
    fileBytes: () => live.reduce((sum, { bytes }) => sum + bytes, 0),
    lastNumber: () => lastNumber,
    async idle() {
      await making
    },
    close(isSettled) {
      isClosed = true
      if (spare !== undefined) rmSync(segmentPath(folder, spare.number), { force: true })
      if (isSettled && current !== undefined) leaveNoRoom(current)
      for (const { file } of opened()) closeSync(file)
      full = []
      current = undefined
    },
  }
}

function writeAll(file: number, bytes: Buffer, at: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(file, bytes, done, bytes.length - done, at + done)
}

function leaveNoRoom({ file, end, segment }: OpenSegment): void {
  try {
    if (end > SEGMENT_HEAD_BYTES) ftruncateSync(file, end)
    else rmSync(segment.path)
  } catch {
    // It takes more room than it has to.
  }
}
