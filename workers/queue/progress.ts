/** How far handlers are, as they say themselves. In memory only: it is gone with the engine, or when there is too much of it. */
import type { JsonText } from '../../src/protocol/jsonText.ts'

export interface Progress {
  readonly value: JsonText
  /** Wall clock, milliseconds. */
  readonly atMs: number
}

export interface ProgressOfMessages {
  /** By the number of a message. */
  set(number: number, progress: Progress): void
  of(number: number): Progress | undefined
  forget(number: number): void
}

/** Of so many messages; beyond it what was said the longest time ago is forgotten. */
export function createProgress(most: number): ProgressOfMessages {
  const all = new Map<number, Progress>()
  return {
    set(number, progress) {
      all.delete(number)
      all.set(number, progress)
      if (all.size > most) all.delete(all.keys().next().value!)
    },
    of: number => all.get(number),
    forget(number) {
      if (all.size > 0) all.delete(number)
    },
  }
}
