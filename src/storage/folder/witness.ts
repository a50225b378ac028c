/**
 * Up to which revision everything has reached the disk, and how many transactions of queues, in a file of its own. It is written after each fsync and not
 * synced itself: so it never says too much, and it tells when the database has lost its end. SQLite takes a log that is
 * damaged for one that ends there.
 */
import { closeSync, constants, existsSync, openSync, readSync, writeSync } from 'node:fs'
import { OWN_FILE } from './files.ts'

export interface Reached {
  readonly revision: number
  readonly queueCommits: number
}

export interface Witness {
  /** It was there when it was opened. */
  readonly isThere: boolean
  /** 0: nothing is known. */
  read(): Reached
  /** Until then nothing is witnessed where it was not there. */
  create(): void
  /** Everything up to here is on disk. */
  reached(reached: Reached): void
  close(): void
}

/** The revision and its checksum, which is all that stood here before there were queues; then both and their checksum. */
const BYTES = 32
const BYTES_OF_REVISION = 16

export function openWitness(file: string): Witness {
  const isThere = existsSync(file)
  let handle = isThere ? openSync(file, constants.O_RDWR) : undefined
  const record = Buffer.alloc(BYTES)
  const checksum = (): number => Bun.hash.crc32(record.subarray(0, 8))
  const wholeChecksum = (): number => Bun.hash.crc32(record.subarray(16, 24), checksum())
  return {
    isThere,
    create() {
      handle ??= openSync(file, constants.O_RDWR | constants.O_CREAT, OWN_FILE)
    },
    read() {
      const length = handle === undefined ? 0 : readSync(handle, record, 0, BYTES, 0)
      // The power may go while it is written.
      if (length < BYTES_OF_REVISION || record.readUInt32LE(8) !== checksum()) {
        return { revision: 0, queueCommits: 0 }
      }
      const isWhole = length === BYTES && record.readUInt32LE(24) === wholeChecksum()
      return { revision: record.readDoubleLE(0), queueCommits: isWhole ? record.readDoubleLE(16) : 0 }
    },
    reached({ revision, queueCommits }) {
      if (handle === undefined) return
      record.writeDoubleLE(revision, 0)
      record.writeUInt32LE(checksum(), 8)
      record.writeDoubleLE(queueCommits, 16)
      record.writeUInt32LE(wholeChecksum(), 24)
      try {
        writeSync(handle, record, 0, BYTES, 0)
      } catch {
        // What is on disk is on disk, whether it is witnessed or not.
      }
    },
    close() {
      if (handle !== undefined) closeSync(handle)
    },
  }
}
