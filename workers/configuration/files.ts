/** The few things the store asks of a file system; a test puts its own in their place and lets them fail. */
import { constants, type FSWatcher, watch } from 'node:fs'
import { mkdir, open, readdir, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface ReadFile {
  readonly text: string
  /** Permission bits. */
  readonly mode: number
}

/** Paths are absolute. Failures are those of the system, with its `code`. */
export interface Files {
  /** Names in a folder; `undefined`: there is none. */
  list(folder: string): Promise<readonly string[] | undefined>
  /** `undefined`: there is no such file. Rejects when it is larger than `mostBytes`. */
  read(path: string, mostBytes: number): Promise<ReadFile | undefined>
  /** Writes a file, whatever was there, and waits until the disk has it. */
  write(path: string, text: string, mode: number): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** No matter if there is none. */
  remove(path: string): Promise<void>
  /** Makes a folder and those above it; the disk has them afterwards. */
  makeFolder(path: string): Promise<void>
  /** Waits until the disk has what was made, renamed and removed in a folder. */
  syncFolder(path: string): Promise<void>
  /** Tells the names of files that may have changed, `undefined`: any. Returns the end of it. */
  watch(
    folder: string,
    changed: (name: string | undefined) => void,
    failed: (error: unknown) => void,
  ): () => void
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

async function unlessMissing<Result>(done: Promise<Result>): Promise<Result | undefined> {
  try {
    return await done
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function read(path: string, mostBytes: number): Promise<ReadFile> {
  // Without waiting for a writer, should somebody have put a pipe there.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw new Error(`${path} is not a file`)
    if (stat.size > mostBytes) throw new Error(`${path} is larger than ${mostBytes} bytes`)
    return { text: await file.readFile('utf8'), mode: stat.mode & 0o777 }
  } finally {
    await file.close()
  }
}

async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder; its file systems keep the order of renames by themselves.
  if (process.platform === 'win32') return
  const folder = await open(path, constants.O_RDONLY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  // Every folder that was made is an entry in the one above it.
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
}

export const systemFiles: Files = {
  list: folder => unlessMissing(readdir(folder)),
  read: (path, mostBytes) => unlessMissing(read(path, mostBytes)),
  async write(path, text, mode) {
    const file = await open(path, 'w', mode)
    try {
      await file.writeFile(text, 'utf8')
      await file.sync()
    } finally {
      await file.close()
    }
  },
  rename,
  async remove(path) {
    await unlessMissing(unlink(path))
  },
  makeFolder,
  syncFolder,
  watch(folder, changed, failed) {
    let watcher: FSWatcher
    try {
      watcher = watch(folder, { persistent: false }, (_, name) => changed(name ?? undefined))
    } catch (error) {
      failed(error)
      return () => {}
    }
    watcher.on('error', failed)
    return () => watcher.close()
  },
}
