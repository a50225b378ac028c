/** A lock between processes, so that test runs that share `.cache` do not prepare the same thing twice. */
import { Database } from 'bun:sqlite'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { until } from './waiting.ts'

/** Preparing an environment can take minutes on a slow network. */
const LONGEST_HOLD_MS = 15 * 60_000

/** Runs `work` while no other process that asks for the same `path` (a file, made when missing) does. */
export async function withLock<Value>(path: string, work: () => Promise<Value>): Promise<Value> {
  mkdirSync(dirname(path), { recursive: true })
  // The operating system lets go of a database's lock when its holder dies.
  using lock = new Database(path, { create: true })
  await until(`the lock ${path}`, () => isOurs(lock), LONGEST_HOLD_MS)
  return await work()
}

function isOurs(lock: Database): boolean {
  try {
    lock.run('BEGIN EXCLUSIVE')
    return true
  } catch {
    return false
  }
}
