/**
 * A disk whose power can go. The process works with a folder under a shim that keeps beside it what is synced
 * (`syncedOnly.c`); what was written since then survives in part, in any part, or not at all.
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Random } from '../../support/random.ts'

/** What a disk writes as a whole. */
const SECTOR = 512
const SOURCE = join(import.meta.dir, 'syncedOnly.c')

/** How what was not synced survives. */
export const survivals = [
  'none of it',
  'its beginning',
  'any of its sectors',
  'any of them, others empty',
] as const
export type Survival = (typeof survivals)[number]

export interface Disk extends Disposable {
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  /** Nothing can be synced any more, until it is mended or the power is lost; what was to be synced is forgotten. */
  fail(): void
  mend(): void
  /** Call it when the process is dead. From then on the folder is as it was found when the power came back. */
  losePower(survival: Survival): void
}

/** Why there can be none on this machine. */
export function noDiskBecause(): string | undefined {
  if (process.platform !== 'linux') return 'the shim is for Linux'
  return Bun.which('cc') === null ? 'there is no C compiler (cc)' : undefined
}

function compileShim(into: string): string {
  const shim = join(into, 'syncedOnly.so')
  const words = ['cc', '-shared', '-fPIC', '-O1', '-o', shim, SOURCE, '-ldl', '-lpthread']
  const { exitCode, stderr } = Bun.spawnSync(words)
  if (exitCode !== 0) throw new Error(`the shim cannot be compiled: ${stderr}`)
  return shim
}

function picture(synced: Buffer, written: Buffer, survival: Survival, { between }: Random): Buffer {
  if (survival === 'none of it') return synced
  const most = Math.max(synced.length, written.length)
  const length =
    between(0, 2) === 0 ? synced.length : between(0, 2) === 0 ? written.length : between(0, most + 1)
  const found = Buffer.alloc(Math.max(length, synced.length))
  const end = between(0, most + 1)
  for (let at = 0; at < found.length; at += SECTOR) {
    const [before, after] = [synced, written].map(bytes => bytes.subarray(at, at + SECTOR)) as [
      Buffer,
      Buffer,
    ]
    if (before.equals(after)) {
      before.copy(found, at)
      continue
    }
    const isNew = survival === 'its beginning' ? at < end : between(0, 2) === 0
    // A sector that nothing was synced to may hold nothing yet, though others behind it do.
    const isEmpty = survival === 'any of them, others empty' && before.length === 0
    if (isNew) after.copy(found, at)
    else if (!isEmpty) before.copy(found, at)
  }
  return found
}

export function createDisk(random: Random): Disk {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'iii-disk-')))
  const [folder, synced] = [join(base, 'data'), join(base, 'synced')]
  for (const each of [folder, synced]) mkdirSync(each)
  const shim = compileShim(base)

  function filesOf(of: string): Map<string, Buffer> {
    const names = readdirSync(of).filter(name => !/^\.(new-|lost-|fails$)/.test(name))
    return new Map(names.map(name => [name, readFileSync(join(of, name))]))
  }

  return {
    folder,
    env: { LD_PRELOAD: shim, III_DISK_FOLDER: folder, III_DISK_SYNCED: synced },
    fail: () => writeFileSync(join(synced, '.fails'), ''),
    mend: () => rmSync(join(synced, '.fails')),
    losePower(survival) {
      const [onDisk, written] = [filesOf(synced), filesOf(folder)]
      const found = new Map<string, Buffer>()
      for (const name of new Set([...onDisk.keys(), ...written.keys()])) {
        const [before, after] = [onDisk.get(name), written.get(name)]
        // A file whose name is not synced may be there or not.
        if (before === undefined && (survival === 'none of it' || random.between(0, 2) === 0)) continue
        found.set(name, picture(before ?? Buffer.alloc(0), after ?? before!, survival, random))
      }
      for (const each of [folder, synced]) {
        rmSync(each, { recursive: true })
        mkdirSync(each)
        for (const [name, bytes] of found) writeFileSync(join(each, name), bytes)
      }
    },
    [Symbol.dispose]: () => rmSync(base, { recursive: true, force: true }),
  }
}
