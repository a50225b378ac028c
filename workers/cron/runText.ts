/** A run as text: a list of few characters and not an object with names, because there are twenty of each schedule. */
import { toJsonText } from '../../src/protocol/jsonText.ts'
import type { Outcome, Run } from './store.ts'

const LETTERS = {
  running: 'r',
  ok: 'o',
  failed: 'f',
  interrupted: 'i',
  cancelled: 'c',
  left_out: 'l',
} as const
type Letter = (typeof LETTERS)[Outcome]
const OUTCOMES = Object.fromEntries(
  Object.entries(LETTERS).map(([outcome, letter]) => [letter, outcome]),
) as Record<Letter, Outcome>

type Rest = Pick<Run, 'reason' | 'count' | 'isManual' | 'error'>

/** Instant, outcome, attempt, milliseconds from the instant to the start and from there to the end, everything else. */
export type RunList = readonly [number, Letter, (number | null)?, (number | null)?, (number | null)?, Rest?]

export function textOf(run: Run): string {
  const { scheduledMs, startedMs, endedMs, attempt = null, reason, count, isManual, error } = run
  const began = startedMs === undefined ? null : startedMs - scheduledMs
  const took = startedMs === undefined || endedMs === undefined ? null : endedMs - startedMs
  const isPlain = reason === undefined && count === undefined && isManual === undefined && error === undefined
  const rest = isPlain ? '' : `,${toJsonText({ reason, count, isManual, error })}`
  return `[${scheduledMs},"${LETTERS[run.outcome]}",${attempt},${began},${took}${rest}]`
}

export function runOf([scheduledMs, letter, attempt, began, took, rest]: RunList): Run {
  const startedMs = typeof began === 'number' ? scheduledMs + began : undefined
  return {
    scheduledMs,
    outcome: OUTCOMES[letter],
    ...(typeof attempt === 'number' ? { attempt } : {}),
    ...(startedMs === undefined ? {} : { startedMs }),
    ...(startedMs === undefined || typeof took !== 'number' ? {} : { endedMs: startedMs + took }),
    ...rest,
  }
}
