/** Data folders for tests: new ones, copies as a kill would leave them, and what is done in them. */
import { join } from 'node:path'
import { type OpenFolderOptions, openFolder } from '../../src/storage/folder/open.ts'
import { recordsFrom } from '../../src/storage/log/readSegment.ts'
import { readHead, SEGMENT_HEAD_BYTES, segmentNumbers, segmentPath } from '../../src/storage/log/segment.ts'
import type { Level } from '../../src/storage/partition.ts'
import type { StorageError } from '../../src/storage/storageError.ts'
import { putOf, type Stage, setStage } from './stage.ts'
import { temporaryFolder } from './stores.ts'

export interface Folders extends Disposable {
  readonly root: string
  /** A name that is not taken. */
  newFolder(): string
  /** The folder as it would be found after a kill now. */
  copyOf(folder: string): string
}

export function createFolders(): Folders {
  const temporary = temporaryFolder()
  let count = 0
  const newFolder = (): string => join(temporary.folder, `data${++count}`)
  return {
    root: temporary.folder,
    newFolder,
    copyOf(folder) {
      const copy = newFolder()
      Bun.spawnSync(['cp', '-r', folder, copy])
      return copy
    },
    [Symbol.dispose]: temporary[Symbol.dispose],
  }
}

/** The segment that was written to last, and where its records begin and end. */
export function lastSegment(folder: string): { readonly path: string; readonly places: readonly number[] } {
  for (const number of segmentNumbers(folder).toReversed()) {
    const path = segmentPath(folder, number)
    const head = readHead(path)
    if (typeof head === 'string') continue
    const records = [...recordsFrom(path, head.salt, SEGMENT_HEAD_BYTES)]
    return { path, places: [SEGMENT_HEAD_BYTES, ...records.map(({ end }) => end)] }
  }
  throw new Error(`there is no segment in ${folder}`)
}

export function open(folder: string, options: OpenFolderOptions = {}): Stage {
  return setStage({ store: openFolder(folder, options) })
}

export function write(stage: Stage, key: string, value: string, level: Level = 'disk'): void {
  void stage.partition.submit([putOf(key, value)], { level })
  stage.endTurn()
}

/** Code of what is thrown. */
export function codeOf(work: () => unknown): string {
  try {
    work()
    return 'nothing'
  } catch (error) {
    return (error as StorageError).code ?? String(error)
  }
}
