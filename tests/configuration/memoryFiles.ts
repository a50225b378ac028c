/**
 * Files in memory that fail when they are told to. What was renamed, made or removed in a folder is safe from a loss of
 * power when the folder was synced.
 */
import { basename, dirname, join } from 'node:path'
import type { Files, ReadFile } from '../../workers/configuration/files.ts'
import type { Random } from '../support/random.ts'

type Folder = Map<string, ReadFile>

export interface MemoryFiles extends Files {
  /** Steps so far: each thing asked of it but reading is one. */
  steps(): number
  /** From this step on everything fails, as if the process was not there any more; that step itself is not done. */
  killAt(step: number): void
  /** The next step that this is true of fails with a code of the system. */
  failNext(code: string, which: (step: string, path: string) => boolean): void
  /** The process starts again. `power`: what was not synced may be lost, each change by chance. */
  restart(power?: Random): void
  text(path: string): string | undefined
  names(folder: string): string[]
  /** Somebody edits a file by hand; who watches is told. */
  edit(path: string, text: string | undefined): void
  /** What happens just before a step. */
  before(step: string, task: () => void): void
}

class Killed extends Error {}

export function createMemoryFiles(): MemoryFiles {
  let live = new Map<string, Folder>()
  const safe = new Map<string, Folder>()
  const watchers = new Set<{ folder: string; changed: (name: string | undefined) => void }>()
  let count = 0
  let killedAt = Number.POSITIVE_INFINITY
  let failing: { code: string; which: (step: string, path: string) => boolean } | undefined
  let interruption: { step: string; task: () => void } | undefined

  function step(name: string, path: string): void {
    if (interruption?.step === name) {
      const { task } = interruption
      interruption = undefined
      task()
    }
    count++
    if (count >= killedAt) throw new Killed(`killed at ${name} ${path}`)
    if (failing?.which(name, path) !== true) return
    const { code } = failing
    failing = undefined
    throw Object.assign(new Error(`${code}: ${name} '${path}'`), { code })
  }

  function folderOf(path: string): Folder {
    const folder = live.get(dirname(path))
    if (folder === undefined) throw Object.assign(new Error(`ENOENT: '${path}'`), { code: 'ENOENT' })
    return folder
  }

  function tell(path: string): void {
    for (const { folder, changed } of watchers) if (folder === dirname(path)) changed(basename(path))
  }

  return {
    async list(folder) {
      const found = live.get(folder)
      if (found === undefined) return undefined
      const inside = [...live.keys()].filter(path => dirname(path) === folder).map(path => basename(path))
      return [...found.keys(), ...inside]
    },
    async read(path) {
      if (count >= killedAt) throw new Killed('killed')
      return live.get(dirname(path))?.get(basename(path))
    },
    async write(path, text, mode) {
      // A write that is cut short leaves a part.
      if (count + 1 === killedAt)
        live.get(dirname(path))?.set(basename(path), { text: text.slice(0, text.length / 2), mode })
      step('write', path)
      folderOf(path).set(basename(path), { text, mode })
      tell(path)
    },
    async rename(from, to) {
      step('rename', to)
      const file = folderOf(from).get(basename(from))
      if (file === undefined) throw Object.assign(new Error(`ENOENT: '${from}'`), { code: 'ENOENT' })
      folderOf(to).set(basename(to), file)
      folderOf(from).delete(basename(from))
      tell(to)
    },
    async remove(path) {
      step('remove', path)
      folderOf(path).delete(basename(path))
      tell(path)
    },
    async makeFolder(path) {
      step('makeFolder', path)
      for (let each = path; each !== '/'; each = dirname(each)) {
        if (!live.has(each)) live.set(each, new Map())
        if (!safe.has(each)) safe.set(each, new Map())
      }
    },
    async syncFolder(path) {
      step('syncFolder', path)
      safe.set(path, new Map(live.get(path)))
    },
    watch(folder, changed) {
      const watcher = { folder, changed }
      watchers.add(watcher)
      return () => watchers.delete(watcher)
    },
    steps: () => count,
    killAt(at) {
      killedAt = at
    },
    failNext(code, which) {
      failing = { code, which }
    },
    restart(power) {
      killedAt = Number.POSITIVE_INFINITY
      count = 0
      watchers.clear()
      if (power === undefined) return
      const after = new Map<string, Folder>()
      for (const [path, synced] of safe) {
        const now = live.get(path) ?? new Map()
        const folder: Folder = new Map()
        for (const name of new Set([...synced.keys(), ...now.keys()])) {
          const file = (power.between(0, 2) === 0 ? synced : now).get(name)
          if (file !== undefined) folder.set(name, file)
        }
        after.set(path, folder)
      }
      live = after
      for (const [path, folder] of live) safe.set(path, new Map(folder))
    },
    text: path => live.get(dirname(path))?.get(basename(path))?.text,
    names: folder => [...(live.get(folder)?.keys() ?? [])].sort(),
    edit(path, text) {
      const folder = live.get(dirname(path)) ?? new Map<string, ReadFile>()
      live.set(dirname(path), folder)
      if (text === undefined) folder.delete(basename(path))
      else folder.set(basename(path), { text, mode: 0o644 })
      safe.set(dirname(path), new Map(folder))
      tell(path)
    },
    before(name, task) {
      interruption = { step: name, task }
    },
  }
}

export const DIRECTORY = '/project/config'
export const fileOf = (id: string): string => join(DIRECTORY, `${id}.yaml`)
