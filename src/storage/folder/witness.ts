/**
 * Up to which revision everything has reached the disk, in a file of its own. It is written after each fsync and not
 * synced itself: so it never says too much, and it tells when the database has lost its end. SQLite takes a log that is
 * damaged for one that ends there.
 */
import { closeSync, constants, existsSync, openSync, readSync, writeSync } from 'node:fs'
import { OWN_FILE } from './files.ts'

export interface Witness {
  /** It was there when it was opened. */
  readonly isThere: boolean
  /** 0: nothing is known. */
  revision(): number
  /** Until then nothing is witnessed where it was not there. */
  create(): void
  /** Everything up to here is on disk. */
  reached(revision: number): void
  close(): void
}

const BYTES = 16

export function openWitness(file: string): Witness {
  const isThere = existsSync(file)
  let handle = isThere ? openSync(file, constants.O_RDWR) : undefined
  const record = Buffer.alloc(BYTES)
  const checksum = (): number => Bun.hash.crc32(record.subarray(0, 8))
  return {
    isThere,
    create() {
      handle ??= openSync(file, constants.O_RDWR | constants.O_CREAT, OWN_FILE)
    },
    revision() {
      if (handle === undefined) return 0
      const length = readSync(handle, record, 0, BYTES, 0)
      // The power may go while it is written.
      if (length < BYTES || record.readUInt32LE(8) !== checksum()) return 0
      return record.readDoubleLE(0)
    },
    reached(revision) {
      if (handle === undefined) return
      record.writeDoubleLE(revision, 0)
      record.writeUInt32LE(checksum(), 8)
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
