/**
 * A segment: a file of the log, as large from the beginning as it may become, so that syncing it does not have to write its
 * size. Before it is begun all of it is zero.
 *
 *     head: magic · lineage f64 · number f64 · first turn f64 · revision before it f64 · time f64 · bytes of changes before it f64 ·
 *           salt u32 · crc32 u32
 *     records, one behind the other; zeros
 */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'

export interface SegmentHead {
  /** Of the revisions of the folder: what was written before a restore is not for the database that is there now. */
  readonly lineage: number
  readonly number: number
  readonly firstTurn: number
  /** Before its first turn. */
  readonly revision: number
  /** When it was begun. Wall clock, milliseconds. */
  readonly atMs: number
  /** Bytes of all changes in the segments before it. */
  readonly changesBytes: number
  /** In the checksums of its records: no others are taken for them. */
  readonly salt: number
}

export const SEGMENT_HEAD_BYTES = 64
const MAGIC = 'iiilog01'
const NAME = /^log-(\d{12,})$/

export const segmentPath = (folder: string, number: number): string =>
  join(folder, `log-${String(number).padStart(12, '0')}`)

/** Of all files that are named as segments are, in order. */
export function segmentNumbers(folder: string): number[] {
  const numbers = readdirSync(folder).flatMap(name => {
    const found = NAME.exec(name)
    return found === null ? [] : [Number(found[1])]
  })
  return numbers.sort((one, other) => one - other)
}

export function headBytes(head: SegmentHead): Buffer {
  const { lineage, number, firstTurn, revision, atMs, changesBytes, salt } = head
  const bytes = Buffer.alloc(SEGMENT_HEAD_BYTES)
  bytes.write(MAGIC, 0, 'latin1')
  for (const [place, value] of [lineage, number, firstTurn, revision, atMs, changesBytes].entries())
    bytes.writeDoubleLE(value, 8 + 8 * place)
  bytes.writeUInt32LE(salt, 56)
  bytes.writeUInt32LE(Bun.hash.crc32(bytes.subarray(0, 60)), 60)
  return bytes
}

/** `unused`: it was made and not begun. `damaged`: it is not what was written. */
export function readHead(path: string): SegmentHead | 'unused' | 'damaged' {
  const bytes = Buffer.alloc(SEGMENT_HEAD_BYTES)
  const file = openSync(path, 'r')
  try {
    readSync(file, bytes, 0, SEGMENT_HEAD_BYTES, 0)
  } finally {
    closeSync(file)
  }
  if (bytes.every(byte => byte === 0)) return 'unused'
  if (bytes.toString('latin1', 0, 8) !== MAGIC) return 'damaged'
  if (Bun.hash.crc32(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) return 'damaged'
  return {
    lineage: bytes.readDoubleLE(8),
    number: bytes.readDoubleLE(16),
    firstTurn: bytes.readDoubleLE(24),
    revision: bytes.readDoubleLE(32),
    atMs: bytes.readDoubleLE(40),
    changesBytes: bytes.readDoubleLE(48),
    salt: bytes.readUInt32LE(56),
  }
}
