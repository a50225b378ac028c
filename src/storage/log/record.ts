/**
 * A turn in the log: what it has changed, so that it can be done again.
 *
 *     crc32 u32 · bytes of all of it u32 · turn f64 · revision before f64 · revision f64 · time f64 ·
 *     flags u32 · bytes of the changes u32 · sum of the entries u32 · sum of the messages u32 · changes · steps
 *
 * All little-endian. The checksum is over everything behind it, and over the salt of its segment.
 */
export interface LogRecord {
  /** Counts transactions; grows by one. */
  readonly turn: number
  /** The revision before its changes, and that of the last of them; the same if it has none. */
  readonly after: number
  readonly revision: number
  /** Wall clock, whole milliseconds. */
  readonly atMs: number
  /** It was told without waiting for the disk. */
  readonly isRelaxed: boolean
  /** Sums over all entries and all messages behind it: whoever does it again compares. */
  readonly entriesDigest: number
  readonly messagesDigest: number
  /** As `changesText.ts` writes them; empty: none. */
  readonly changes: string
  /** What was done with queues, as JSON; empty: nothing. */
  readonly steps: string
}

/** A record where it lies. Its texts are read when they are asked for, before the next one is read. */
export interface FoundRecord extends LogRecord {
  /** Its place in the segment, and that of the next one. */
  readonly at: number
  readonly end: number
  /** With its head. */
  readonly bytes: Buffer
  readonly changesBytes: number
}

export const HEAD_BYTES = 56
const RELAXED = 1
/** Memory that is kept for writing. */
const KEPT_BYTES = 1024 * 1024

let scratch = Buffer.allocUnsafe(64 * 1024)

function roomFor(bytes: number): Buffer {
  if (bytes <= scratch.length) return scratch
  const room = Buffer.allocUnsafe(bytes)
  if (bytes <= KEPT_BYTES) scratch = room
  return room
}

const mostBytesOf = (text: string): number =>
  text.length > KEPT_BYTES / 3 ? Buffer.byteLength(text) : text.length * 3

/** Its bytes but for the checksum (`seal`). They are overwritten by the next one that is written. */
export function recordBytes(record: LogRecord): Buffer {
  const { changes, steps } = record
  const bytes = roomFor(HEAD_BYTES + mostBytesOf(changes) + mostBytesOf(steps))
  const changesBytes = changes === '' ? 0 : bytes.write(changes, HEAD_BYTES)
  const stepsBytes = steps === '' ? 0 : bytes.write(steps, HEAD_BYTES + changesBytes)
  const length = HEAD_BYTES + changesBytes + stepsBytes
  bytes.writeUInt32LE(length, 4)
  bytes.writeDoubleLE(record.turn, 8)
  bytes.writeDoubleLE(record.after, 16)
  bytes.writeDoubleLE(record.revision, 24)
  bytes.writeDoubleLE(record.atMs, 32)
  bytes.writeUInt32LE(record.isRelaxed ? RELAXED : 0, 40)
  bytes.writeUInt32LE(changesBytes, 44)
  bytes.writeUInt32LE(record.entriesDigest, 48)
  bytes.writeUInt32LE(record.messagesDigest, 52)
  return bytes.subarray(0, length)
}

/** `bytes`: all of a record. */
export function seal(bytes: Buffer, salt: number): void {
  bytes.writeUInt32LE(Bun.hash.crc32(bytes.subarray(4), salt), 0)
}

/** Bytes of the record whose head this is; less than those of a head: there is none. */
export const lengthIn = (head: Buffer): number => head.readUInt32LE(4)

/** `undefined`: it is not what was written. */
export function recordIn(bytes: Buffer, salt: number, at: number): FoundRecord | undefined {
  if (Bun.hash.crc32(bytes.subarray(4), salt) !== bytes.readUInt32LE(0)) return undefined
  const changesEnd = HEAD_BYTES + bytes.readUInt32LE(44)
  return {
    at,
    end: at + bytes.length,
    bytes,
    changesBytes: changesEnd - HEAD_BYTES,
    turn: bytes.readDoubleLE(8),
    after: bytes.readDoubleLE(16),
    revision: bytes.readDoubleLE(24),
    atMs: bytes.readDoubleLE(32),
    isRelaxed: (bytes.readUInt32LE(40) & RELAXED) !== 0,
    entriesDigest: bytes.readUInt32LE(48),
    messagesDigest: bytes.readUInt32LE(52),
    get changes() {
      return bytes.toString('utf8', HEAD_BYTES, changesEnd)
    },
    get steps() {
      return bytes.toString('utf8', changesEnd)
    },
  }
}
