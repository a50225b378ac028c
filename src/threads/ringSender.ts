/**
 * Writes records into a ring; those that find no room are parked in order and leave as the reader makes room.
 *
 *     open ──no room──▶ parking ──all left──▶ open
 *
 * Nothing is dropped: whoever feeds the sender looks at `backlog` and slows its own sources.
 */
import type { Clock } from '../clock/clock.ts'
import { createSleeper } from './bell.ts'
import { createRingWriter, FULL } from './ring.ts'
import { type RingMemory, WRITER_BELL } from './ringMemory.ts'

export interface RingSender {
  /**
   * Sends `source[from..to)` with a tag; it is copied before this returns. `entered`: it is in the ring as a whole, now or
   * later; never after `stop`. Throws above `limits.ringRecordBytes`.
   */
  send(tag: number, source: Uint8Array, from: number, to: number, entered?: () => void): void
  /** Bytes that are parked. */
  backlog(): number
  /** Lets go of everything; what is parked is lost. */
  stop(): void
  /** Wake-ups that the platform lost and the regular look made good. */
  missedWakeUps(): number
}

interface Parked {
  readonly tag: number
  readonly bytes: Uint8Array
  /** How much of it has left. */
  at: number
  readonly entered: (() => void) | undefined
}

/** In the place of a record that has left: its bytes are let go of at once. */
const HAS_LEFT: Parked = { tag: 0, bytes: new Uint8Array(0), at: 0, entered: undefined }

/** Places of records that have left are given up together, this many at a time. */
const LET_GO = 1024

/** `onProgress`: some of what was parked has left. Never called from within `send`. */
export function createRingSender(memory: RingMemory, clock: Clock, onProgress: () => void): RingSender {
  const writer = createRingWriter(memory)
  let parked: Parked[] = []
  /** Index of the oldest one that has not left. */
  let first = 0
  let backlog = 0
  /** Whom to tell that what was parked is in the ring. */
  let toTell: (() => void)[] = []

  /** Moves parked records into the ring. True when none is left. */
  function unpark(): boolean {
    for (; first < parked.length; first++) {
      const record = parked[first]!
      const reached = writer.push(record.tag, record.bytes, record.at, record.bytes.length)
      if (reached === FULL) break
      backlog -= reached - record.at
      record.at = reached
      if (reached < record.bytes.length) break
      if (record.entered !== undefined) toTell.push(record.entered)
      parked[first] = HAS_LEFT
    }
    const allLeft = first === parked.length
    if (allLeft || first >= LET_GO) {
      parked = parked.slice(first)
      first = 0
    }
    return allLeft
  }

  function unparkOrSleep(): void {
    while (!unpark() && !sleeper.sleep()) {}
    const told = toTell
    if (told.length === 0) return
    toTell = []
    // They may send again.
    for (const entered of told) entered()
  }

  const sleeper = createSleeper(
    memory,
    WRITER_BELL,
    {
      mayWait: writer.mayWait,
      hasWork: writer.hasMoreRoom,
      wake() {
        const before = backlog
        unparkOrSleep()
        if (backlog < before) onProgress()
      },
    },
    clock,
  )

  return {
    send(tag, source, from, to, entered) {
      let at = from
      if (parked.length === 0) {
        const reached = writer.push(tag, source, from, to)
        if (reached === to) {
          entered?.()
          return
        }
        if (reached !== FULL) at = reached
      }
      parked.push({ tag, bytes: source.slice(at, to), at: 0, entered })
      backlog += to - at
      if (parked.length === 1) unparkOrSleep()
    },
    backlog: () => backlog,
    stop() {
      parked = []
      first = 0
      backlog = 0
      sleeper.stop()
    },
    missedWakeUps: sleeper.missed,
  }
}
