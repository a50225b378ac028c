/** Data folders for tests: new ones, copies as a kill would leave them, and what is done in them. */
import { join } from 'node:path'
import { type OpenFolderOptions, openFolder } from '../../src/storage/folder/open.ts'
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
