/** That what was written to a file is on disk. One way for all of it, so that tests can let a disk fail. */
import { fdatasync, fdatasyncSync } from 'node:fs'
import { promisify } from 'node:util'

/** It is when this returns, or when its promise resolves; with `isHere` when it returns. Throws or rejects with what the disk says. */
export interface SyncFile {
  (file: number, isHere: true): void
  (file: number, isHere: boolean): void | Promise<void>
}

const syncBeside = promisify(fdatasync)

export const syncWritten: SyncFile = (file: number, isHere: boolean): void | Promise<void> => {
  if (isHere) fdatasyncSync(file)
  else return syncBeside(file)
}
