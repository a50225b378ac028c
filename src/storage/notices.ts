/** What went wrong with the tables themselves, told once each: afterwards whoever asks for what is damaged hears of it. */
import type { Log } from '../log/log.ts'
import { CorruptData } from './storageError.ts'

export interface Notices {
  /** What was found damaged, and is told until the engine is started anew. */
  damage(): string | undefined
  /** False: it is no damage. */
  noticeDamage(error: unknown): boolean
  /** Once, until something else fails: every turn may end so. */
  noticeUnforeseen(error: unknown): void
}

export function createNotices(log: Log): Notices {
  let damage: string | undefined
  let unforeseen: string | undefined
  return {
    damage: () => damage,
    noticeDamage(error) {
      if (!(error instanceof CorruptData)) return false
      if (damage === undefined) log.error(error.message)
      damage ??= error.message
      return true
    },
    noticeUnforeseen(error) {
      const what = String(error)
      if (what === unforeseen) return
      unforeseen = what
      log.error('A transaction failed for a reason that nobody has thought of.', { error: what })
    },
  }
}
