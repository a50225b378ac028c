/** Folders that are damaged: nobody may be told what was not written. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { limits } from '../../src/protocol/limits.ts'
import { pathsOf } from '../../src/storage/folder/files.ts'
import type { StorageError } from '../../src/storage/storageError.ts'
import { createRandom } from '../support/random.ts'
import { type Folders, open } from './folders.ts'
import type { Stage } from './stage.ts'

/** Whether a user would get everything as it was (`all` reads it), or an error. */
export async function isNoticedOrHarmless(
  folder: string,
  all: (stage: Stage) => unknown,
  expected: unknown,
): Promise<boolean> {
  let stage: Stage
  try {
    stage = open(folder)
  } catch (error) {
    return (error as StorageError).code === 'data_folder_corrupt'
  }
  try {
    return Bun.deepEquals(all(stage), expected)
  } catch (error) {
    return (error as StorageError).code === 'CORRUPT_DATA'
  } finally {
    await stage.partition.close().catch(() => {})
  }
}

/** Turns one bit of each page of the database, in copies of a folder that is closed. Throws if one of them is not noticed. */
export async function flipEachPage(
  { copyOf }: Pick<Folders, 'copyOf'>,
  folder: string,
  all: (stage: Stage) => unknown,
): Promise<void> {
  const before = open(folder)
  const expected = all(before)
  await before.partition.close()
  const bytes = readFileSync(pathsOf(folder).database)
  const random = createRandom()
  for (let page = 0; page < bytes.length / limits.pageBytes; page++) {
    const at = page * limits.pageBytes + random.between(0, limits.pageBytes)
    const bit = 1 << random.between(0, 8)
    const copy = copyOf(folder)
    const flipped = Buffer.from(bytes)
    flipped[at]! ^= bit
    writeFileSync(pathsOf(copy).database, flipped)
    if (!(await isNoticedOrHarmless(copy, all, expected)))
      throw new Error(`III_TEST_SEED=${random.seed}: bit ${bit} of byte ${at} was not noticed`)
    rmSync(copy, { recursive: true })
  }
}
