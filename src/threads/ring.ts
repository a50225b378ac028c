/**
 * A ring: records of bytes from one thread to one other, through memory both share.
 *
 *                  TAIL                        HEAD
 *                   ▼                           ▼
 *     │ free        │ record │ record │ record  │ free      │ gap │
 *                   └── the reader's ───────────┴── the writer's ─┘ ──▶ goes on at the start
 *
 * HEAD and TAIL count bytes since the beginning, as 32-bit integers that overflow; the capacity is a power of two,
 * so it divides 2^32 and positions stay right. HEAD − TAIL bytes are the reader's, the rest is the writer's. A
 * record lies in one piece: one that does not fit before the end of the memory leaves a gap and starts at the
 * beginning. A record too large for that is cut into parts and put together again by the reader.
 *
 *     record = word: kind (2 bits), length (30 bits) │ word: tag │ bytes, padded to a multiple of 8
 *
 * ## Why no record is ever torn or overwritten
 * Only the writer stores HEAD, only the reader stores TAIL; both through `Atomics`. The writer fills the bytes, then
 * stores HEAD; the reader loads HEAD, then reads the bytes before it: what happened before the store is seen after
 * the load that reads it. The reader stores TAIL when it has done with the bytes; the writer fills only what a load
 * of TAIL has shown to be free. So the two never touch the same byte without such a pair between them; there is no
 * data race, and a program without data races runs as if its steps were interleaved in some order.
 *
 * ## Why no wake-up is ever lost
 *     reader: READER_BELL = 1, looks at HEAD, waits while READER_BELL is 1
 *     writer: HEAD = new, looks at READER_BELL; if 1: READER_BELL = 0, notifies
 * All accesses of control words have one order that every thread agrees on. If the reader's look at HEAD misses the
 * new value, then it comes before the store of HEAD, hence the reader's store of 1 does, too, and the writer's look
 * at the bell finds it. The wait compares and falls asleep in one step, so a 0 stored before it is noticed, and a
 * notification after it is received. The other direction (a full ring, WRITER_BELL, TAIL) is the same with the
 * roles exchanged. This needs more than release and acquire: with a store that may still be in flight when the next
 * load runs, both sides miss each other.
 *
 * `tests/threads/ringModel.test.ts` runs this very code in every order of steps that two threads can take, and shows
 * that it fails once either of these orders is taken away.
 */
import { limits } from '../protocol/limits.ts'
import { type Bell, HEAD, READER_BELL, type RingMemory, TAIL, WRITER_BELL } from './ringMemory.ts'

/** Bytes before the content of a record. */
const HEADER_BYTES = 8

/** A record in one piece; its length is that of the content. */
const WHOLE = 0
/** A large record begins; its length is that of the whole content, which follows in parts. */
const BEGIN = 1
const PART = 2
/** Nothing until the end of the memory. */
const GAP = 3

const LENGTH_BITS = 30
const LENGTH_MASK = 2 ** LENGTH_BITS - 1

const AWAKE = 0
export const WAITING = 1

/** What `push` returns when there is no room. */
export const FULL = -1

/** What a record of this many bytes of content takes up. */
const recordBytes = (content: number): number => (HEADER_BYTES + content + 7) & ~7

/** Wakes the other side if it said that it sleeps. */
function ring(memory: RingMemory, bell: Bell): void {
  if (memory.load(bell) !== WAITING) return
  memory.store(bell, AWAKE)
  memory.notify(bell)
}

export interface RingWriter {
  /**
   * Hands over `source[from..to)` as one record with a tag (any 32-bit integer; its meaning is the callers').
   * Returns how far it got: `to` when all is in; `FULL` when there was no room and nothing happened; anything
   * between when a part of a large record is in, and then the next `push` must be the rest of it.
   * Throws a RangeError above `limits.ringRecordBytes`.
   */
  push(tag: number, source: Uint8Array, from: number, to: number): number
  /** After a `push` that was not complete: true if nothing has changed since and it is right to wait for WRITER_BELL. */
  mayWait(): boolean
  /** True when the reader has made room since the last `push`. */
  hasMoreRoom(): boolean
}

/** The sending side. Continues where the memory stands. */
export function createRingWriter(memory: RingMemory): RingWriter {
  const { capacity } = memory
  /** Half the memory: then a gap, which is always smaller than the record, and the record fit into an empty ring. */
  const mostInOnePiece = capacity / 2 - HEADER_BYTES
  /** A quarter: the reader takes one part out while the next is put in. */
  const partBytes = capacity / 4 - HEADER_BYTES
  let head = memory.load(HEAD)
  /** As last seen: there may be more room, never less. */
  let tail = memory.load(TAIL)
  /** Bytes of a large record that are still to come. */
  let rest = 0

  const free = (): number => capacity - ((head - tail) >>> 0)

  function hasRoom(bytes: number): boolean {
    if (free() >= bytes) return true
    tail = memory.load(TAIL)
    return free() >= bytes
  }

  /** `length` goes into the header; the content is `source[from..to)`. */
  function append(
    kind: number,
    tag: number,
    length: number,
    source: Uint8Array,
    from: number,
    to: number,
  ): boolean {
    const size = recordBytes(to - from)
    const position = head & (capacity - 1)
    const gap = capacity - position < size ? capacity - position : 0
    if (!hasRoom(gap + size)) return false
    if (gap > 0) memory.setWord(position, GAP << LENGTH_BITS)
    const at = gap > 0 ? 0 : position
    memory.setWord(at, (kind << LENGTH_BITS) | length)
    memory.setWord(at + 4, tag)
    if (to > from) memory.copyIn(source, from, to, at + HEADER_BYTES)
    head = (head + gap + size) | 0
    memory.store(HEAD, head)
    ring(memory, READER_BELL)
    return true
  }

  function begin(tag: number, source: Uint8Array, from: number, to: number): boolean {
    if (to - from > limits.ringRecordBytes) {
      throw new RangeError(
        `A record of ${to - from} bytes is larger than limits.ringRecordBytes (${limits.ringRecordBytes}); send it in pieces.`,
      )
    }
    // With its first part or not at all, so that "nothing happened" is true. A part may need a gap of its own size.
    if (!hasRoom(HEADER_BYTES + 2 * recordBytes(partBytes))) return false
    append(BEGIN, tag, to - from, source, from, from)
    rest = to - from
    return true
  }

  return {
    push(tag, source, from, to) {
      if (rest === 0) {
        if (to - from <= mostInOnePiece) return append(WHOLE, tag, to - from, source, from, to) ? to : FULL
        if (!begin(tag, source, from, to)) return FULL
      } else if (rest !== to - from) {
        throw new Error(
          `A record is under way: its remaining ${rest} bytes must come next, not ${to - from}.`,
        )
      }
      let at = from
      while (rest > 0) {
        const next = Math.min(at + partBytes, to)
        if (!append(PART, tag, next - at, source, at, next)) break
        rest -= next - at
        at = next
      }
      return at === from ? FULL : at
    },

    mayWait() {
      memory.store(WRITER_BELL, WAITING)
      if (memory.load(TAIL) === tail) return true
      memory.store(WRITER_BELL, AWAKE)
      return false
    },

    hasMoreRoom: () => memory.load(TAIL) !== tail,
  }
}

/** `bytes[start..end)` is the record; it is overwritten after this call, so copy what is to stay. */
export type OnRecord = (tag: number, bytes: Uint8Array, start: number, end: number) => void

export interface RingReader {
  /**
   * Hands every record that is there to `onRecord`, in order, and returns their number. What arrives meanwhile
   * waits for the next call. If `onRecord` throws, the record counts as read. Not to be called from `onRecord`.
   */
  drain(onRecord: OnRecord): number
  /** True when there is something to drain. */
  hasRecords(): boolean
  /** After a `drain`: true if nothing has come since and it is right to wait for READER_BELL. */
  mayWait(): boolean
}

const NO_BYTES = new Uint8Array(0)

/** The receiving side. Continues where the memory stands. */
export function createRingReader(memory: RingMemory): RingReader {
  const { capacity } = memory
  let tail = memory.load(TAIL)
  let released = tail
  let draining = false
  /** A large record that is being put together, and how much of it is there. */
  let large = NO_BYTES
  let filled = 0

  function release(): void {
    if (released === tail) return
    released = tail
    memory.store(TAIL, tail)
    ring(memory, WRITER_BELL)
  }

  /** Takes one record, which may be a part or a gap, and returns how many whole ones that gave. */
  function take(onRecord: OnRecord): number {
    const position = tail & (capacity - 1)
    const word = memory.getWord(position)
    const kind = word >>> LENGTH_BITS
    const length = word & LENGTH_MASK
    if (kind === GAP) {
      tail = (tail + capacity - position) | 0
      return 0
    }
    const tag = memory.getWord(position + 4)
    const start = position + HEADER_BYTES
    if (kind === WHOLE) {
      tail = (tail + recordBytes(length)) | 0
      onRecord(tag, memory.bytes, start, start + length)
      return 1
    }
    if (kind === BEGIN) {
      tail = (tail + HEADER_BYTES) | 0
      large = new Uint8Array(length)
      filled = 0
      return 0
    }
    memory.copyOut(start, length, large, filled)
    tail = (tail + recordBytes(length)) | 0
    filled += length
    if (filled < large.length) return 0
    const record = large
    large = NO_BYTES
    onRecord(tag, record, 0, record.length)
    return 1
  }

  return {
    drain(onRecord) {
      if (draining) throw new Error('A ring is drained already: do not call drain from onRecord.')
      draining = true
      let count = 0
      try {
        const end = memory.load(HEAD)
        while (tail !== end) {
          count += take(onRecord)
          // A writer that waits for room gets some before the whole batch is done.
          if ((tail - released) >>> 0 >= capacity / 4) release()
        }
      } finally {
        draining = false
        release()
      }
      return count
    },

    hasRecords: () => memory.load(HEAD) !== tail,

    mayWait() {
      memory.store(READER_BELL, WAITING)
      if (memory.load(HEAD) === tail) return true
      memory.store(READER_BELL, AWAKE)
      return false
    },
  }
}
