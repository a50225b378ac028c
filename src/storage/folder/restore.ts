/** Makes a data folder of a backup. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { segmentNumbers, segmentPath } from '../log/segment.ts'
import { StorageError } from '../storageError.ts'
import { type FolderPaths, OWN_FILE, OWN_FOLDER, pathsOf, syncFile, syncFolder } from './files.ts'
import { checkMarker } from './marker.ts'
import { type OpenFolderOptions, takeFolder } from './open.ts'
import { type FolderReport, verifyFolder } from './verify.ts'
import { openWitness } from './witness.ts'

export interface RestoreOptions {
  /** What is in the folder is replaced; else a folder with data in it is refused. */
  readonly replaces?: boolean
}

/**
 * The backup is copied and looked at as a whole before anything in the folder changes. Revisions that were told since it was
 * made do not come again: the folder goes on behind all of them, and nobody resumes from before. Throws a `StorageError`:
 * `data_folder_corrupt` if the backup is damaged, `data_folder_unusable` if there is data in the folder,
 * `data_folder_newer`, `data_folder_in_use`.
 */
export async function restoreFolder(
  backup: string,
  folder: string,
  { replaces = false }: RestoreOptions = {},
): Promise<FolderReport> {
  const paths = pathsOf(folder)
  const unlock = takeFolder(paths)
  try {
    if (!replaces && existsSync(paths.database)) {
      throw new StorageError(
        'data_folder_unusable',
        `There is data in ${folder} already; nothing was changed. Name another folder, or replace what is there with --force.`,
      )
    }
    markFolder(paths, replaces)
    return await replace(paths, backup)
  } finally {
    unlock()
  }
}

/** Throws a `StorageError` if the folder is not for this version. A marker that is damaged is replaced with the rest. */
function markFolder(paths: FolderPaths, replaces: boolean): void {
  try {
    checkMarker(paths)
  } catch (error) {
    if (!replaces || (error as StorageError).code !== 'data_folder_corrupt') throw error
    rmSync(paths.marker)
    checkMarker(paths)
  }
}

async function replace(paths: FolderPaths, backup: string): Promise<FolderReport> {
  const { folder } = paths
  const draft = join(folder, 'restoring')
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true, mode: OWN_FOLDER })
  try {
    const report = await verified(backup, draft, { replacesRevision: witnessed(paths) })
    for (const suffix of ['-wal', '-wal.kept', '-shm', '-journal'])
      rmSync(paths.database + suffix, { force: true })
    for (const number of segmentNumbers(folder)) rmSync(segmentPath(folder, number))
    rmSync(paths.witness, { force: true })
    renameSync(pathsOf(draft).database, paths.database)
    renameSync(pathsOf(draft).witness, paths.witness)
    syncFolder(folder)
    return { ...report, folder }
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** Up to which revision the folder that is replaced was written. */
function witnessed(paths: FolderPaths): number {
  const witness = openWitness(paths.witness)
  try {
    return witness.read().revision
  } finally {
    witness.close()
  }
}

async function verified(backup: string, draft: string, options: OpenFolderOptions): Promise<FolderReport> {
  const { database } = pathsOf(draft)
  try {
    copyFileSync(backup, database)
    chmodSync(database, OWN_FILE)
    syncFile(database)
  } catch (error) {
    throw new StorageError(
      'data_folder_unusable',
      `The backup ${backup} cannot be copied: ${(error as Error).message}. Check its name, and that there is room for it.`,
      { cause: error },
    )
  }
  const report = await verifyFolder(draft, options)
  if (report.problems.length === 0) return report
  throw new StorageError(
    'data_folder_corrupt',
    `The backup ${backup} is damaged, nothing was changed: ${report.problems[0]!.replaceAll(draft, backup)}`,
  )
}
