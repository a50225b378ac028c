/**
 * Which process works with the folder. Only for messages: the lock (`lock.ts`) is what counts, which the system
 * frees when the process ends, however it ends.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { StorageError } from '../storageError.ts'
import { type FolderPaths, readIfThere } from './files.ts'

export function nameHolder(paths: FolderPaths): void {
  writeFileSync(paths.holder, `${JSON.stringify({ pid: process.pid })}\n`)
}

export function unnameHolder(paths: FolderPaths): void {
  rmSync(paths.holder, { force: true })
}

export function inUse(paths: FolderPaths): StorageError {
  const pid = /"pid":(\d+)/.exec(readIfThere(paths.holder) ?? '')?.[1]
  const who = pid === undefined ? 'Another process' : `Process ${pid}`
  return new StorageError(
    'data_folder_in_use',
    `${who} works with the data folder ${paths.folder}. Stop it, or name another folder.`,
  )
}
