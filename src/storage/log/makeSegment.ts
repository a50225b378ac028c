/** Makes the file of a segment: zeros, on disk with its name when that is over. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { OWN_FILE, syncFolder } from '../folder/files.ts'

const CHUNK_BYTES = 256 * 1024

/** Throws what the disk says; nothing is left then. */
export function makeSegment(path: string, bytes: number): void {
  const file = openSync(path, 'wx+', OWN_FILE)
  try {
    const zeros = Buffer.alloc(Math.min(bytes, CHUNK_BYTES))
    for (let at = 0; at < bytes; ) at += writeSync(file, zeros, 0, Math.min(zeros.length, bytes - at), at)
    fdatasyncSync(file)
    syncFolder(dirname(path))
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
}

/** To write and to sync. */
export const openSegment = (path: string): number => openSync(path, 'r+')

/** The same beside everything else. */
export async function makeSegmentBeside(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'wx', OWN_FILE)
  try {
    const zeros = Buffer.alloc(Math.min(bytes, CHUNK_BYTES))
    for (let at = 0; at < bytes; ) {
      const { bytesWritten } = await file.write(zeros, 0, Math.min(zeros.length, bytes - at), at)
      at += bytesWritten
    }
    await file.datasync()
    await file.close()
    const folder = await open(dirname(path), 'r')
    await folder.sync().finally(() => folder.close())
  } catch (error) {
    await file.close().catch(() => {})
    await rm(path, { force: true })
    throw error
  }
}
