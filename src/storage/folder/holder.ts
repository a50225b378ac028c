/**
 * Which process works with the folder, since which start of the machine. The process is only for messages: the lock (`lock.ts`) is
 * what counts, which the system frees when the process ends, however it ends. The start of the machine tells whoever comes after a
 * process that was killed whether the power was gone meanwhile: what was written is lost with the power, not with the process.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { StorageError } from '../storageError.ts'
import { type FolderPaths, OWN_FILE, readIfThere } from './files.ts'

/** `boot`: `undefined` if what was written may be lost without a start of the machine. */
export function nameHolder(paths: FolderPaths, boot: string | undefined): void {
  const draft = `${paths.holder}.new`
  try {
    writeFileSync(draft, `${JSON.stringify({ pid: process.pid, boot })}\n`, { mode: OWN_FILE })
    renameSync(draft, paths.holder)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}

/** Whether everything that the last holder has written is there: it has left properly, or was killed since this start of the machine. */
export function hasLostNothing(paths: FolderPaths, boot: string | undefined): boolean {
  return (
    boot !== undefined && readIfThere(paths.holder)?.includes(JSON.stringify({ boot }).slice(1, -1)) === true
  )
}

/** Of this start of the machine. `undefined`: this system does not say. */
export const bootId = (): string | undefined => readIfThere('/proc/sys/kernel/random/boot_id')?.trim()

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
