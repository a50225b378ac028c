/** The files of a data folder. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

export interface FolderPaths {
  readonly folder: string
  /** The database; SQLite puts its log beside it. */
  readonly database: string
  /** Who has written the folder, in which format. */
  readonly marker: string
  /** Which process works with it. */
  readonly holder: string
  /** Held by whoever works with it. */
  readonly lock: string
  /** Up to which revision everything has reached the disk. */
  readonly witness: string
}

export function pathsOf(folder: string): FolderPaths {
  return {
    folder,
    database: join(folder, 'partition.db'),
    marker: join(folder, 'iii-data.json'),
    holder: join(folder, 'holder.json'),
    lock: join(folder, 'lock'),
    witness: join(folder, 'witness'),
  }
}

/** The name of a file until it is whole. No backup has such a name. */
export const draftOf = (file: string): string => join(dirname(file), `.${basename(file)}.new`)

export const isDraft = (file: string): boolean => /^\..*\.new$/s.test(basename(file))

/** What is kept is for nobody but who runs the engine. */
export const OWN_FOLDER = 0o700
export const OWN_FILE = 0o600

/**
 * Makes an empty file if there is none: what makes it otherwise leaves it readable to everyone. One that is there is not opened, because
 * closing it would end locks of this process.
 */
export function makeOwn(file: string): void {
  try {
    closeSync(openSync(file, 'wx', OWN_FILE))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** `undefined`: there is no such file. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** What was renamed or created in it stays so, when the power goes. */
export function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

export function syncFile(file: string): void {
  const handle = openSync(file, 'r+')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** All of it or nothing, and on disk. */
export function writeWhole(file: string, text: string): void {
  const draft = `${file}.new`
  writeFileSync(draft, text, { mode: OWN_FILE })
  syncFile(draft)
  renameSync(draft, file)
  syncFolder(dirname(file))
}
