/** A file system of a few MiB, to be filled. Only root can mount one. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SmallDisk extends Disposable {
  readonly folder: string
  /** Half of it is taken, until `makeRoom`. */
  makeRoom(): void
  takeRoom(): void
}

const BYTES = 6 * 1024 * 1024

/** `undefined`: none can be had here. */
export function mountSmallDisk(): SmallDisk | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'iii-full-'))
  const ballast = join(folder, 'ballast')
  const { exitCode } = Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', `size=${BYTES}`, 'tmpfs', folder])
  if (exitCode !== 0) {
    rmSync(folder, { recursive: true })
    return undefined
  }
  const disk: SmallDisk = {
    folder,
    makeRoom: () => rmSync(ballast),
    takeRoom: () => writeFileSync(ballast, Buffer.alloc(BYTES / 2, 1)),
    [Symbol.dispose]() {
      Bun.spawnSync(['umount', '-l', folder])
      rmSync(folder, { recursive: true, force: true })
    },
  }
  disk.takeRoom()
  return disk
}
