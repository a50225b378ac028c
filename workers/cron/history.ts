/**
 * The latest runs of a schedule, and the ticks it left out. Pure: every function returns a new history.
 *
 * What is over and not the latest is kept as text: as objects, twenty for each of thousands of schedules, it would cost more to
 * walk over them and to collect garbage around them than everything else that a tick does.
 */
import { limits } from '../../src/protocol/limits.ts'
import { type RunList, runOf, textOf } from './runText.ts'
import type { LeftOutReason, Run } from './store.ts'

export interface Runs {
  /** JSON texts of runs, the latest last, with `SEPARATOR` in between. */
  readonly past: string
  readonly pastCount: number
  /** Those that came after them; the latest last. */
  readonly recent: readonly Run[]
  /** Runs that there ever were: each has a number by that, the first one 0. */
  readonly total: number
}

/** A line break stands nowhere in a text of JSON that was not laid out. */
const SEPARATOR = ',\n'

export const NO_RUNS: Runs = { past: '', pastCount: 0, recent: [], total: 0 }

/** `total`: there were more before these. */
export const historyOf = (runs: readonly Run[], total = runs.length): Runs =>
  folded({ ...NO_RUNS, recent: runs, total })

/** All of them, the latest last. */
export function runsOf({ past, recent }: Runs): Run[] {
  return [...(JSON.parse(`[${past}]`) as RunList[]).map(runOf), ...recent]
}

/** The same as JSON texts with commas in between. */
export function historyText({ past, recent }: Runs): string {
  let text = past
  for (const run of recent) text += text === '' ? textOf(run) : SEPARATOR + textOf(run)
  return text
}

/** Number of the first run that may still become another: what is before it stays as it is. */
export const openFrom = ({ total, recent }: Runs): number => total - recent.length

/** JSON texts of those from a number on, which is at most `openFrom`, with commas in between; of those that are still known. */
export function historyTextFrom(runs: Runs, from: number): string {
  const { past, pastCount } = runs
  const wanted = openFrom(runs) - from
  if (wanted >= pastCount) return historyText(runs)
  let end = past.length
  for (let found = 0; found < wanted; found++) end = past.lastIndexOf(SEPARATOR, end - 1)
  return historyText({ ...runs, past: past.slice(end + SEPARATOR.length) })
}

export const latestOf = ({ recent }: Runs): Run | undefined => recent.at(-1)

/** Those at the front that are over become text, but for the latest; and there are not too many. */
function folded(runs: Runs): Runs {
  const { recent, total } = runs
  if (recent.length < 2 && runs.pastCount < limits.cronHistory) return runs
  let { past, pastCount } = runs
  let over = 0
  while (over < recent.length - 1 && recent[over]!.outcome !== 'running') {
    past += past === '' ? textOf(recent[over]!) : SEPARATOR + textOf(recent[over]!)
    pastCount++
    over++
  }
  const kept = over === 0 ? recent : recent.slice(over)
  while (pastCount > 0 && pastCount + kept.length > limits.cronHistory) {
    const end = past.indexOf(SEPARATOR)
    past = end < 0 ? '' : past.slice(end + SEPARATOR.length)
    pastCount--
  }
  return { past, pastCount, recent: kept.slice(-limits.cronHistory), total }
}

export function begun(runs: Runs, run: Run): Runs {
  return folded({ ...runs, recent: [...runs.recent, run], total: runs.total + 1 })
}

/** Puts a run in the place of what it was before, also when that has left the list meanwhile. */
export function replaced(runs: Runs, before: Run, after: Run): Runs {
  if (!runs.recent.includes(before)) return begun(runs, after)
  return folded({ ...runs, recent: runs.recent.map(run => (run === before ? after : run)) })
}

/** Ticks in a row that are left out for one reason are one row with their number: else they would push everything else out. */
export function leftOut(runs: Runs, scheduledMs: number, reason: LeftOutReason, count: number): Runs {
  const last = latestOf(runs)
  const goesOn = last?.outcome === 'left_out' && last.reason === reason
  const row: Run = {
    scheduledMs,
    outcome: 'left_out',
    reason,
    count: count + (goesOn ? (last.count ?? 1) : 0),
  }
  return begun(goesOn ? { ...runs, recent: runs.recent.slice(0, -1), total: runs.total - 1 } : runs, row)
}

/** After the end of an engine nobody runs any more. */
export function interrupted(runs: Runs): { runs: Runs; interrupted: readonly Run[] } {
  const found = runs.recent.filter(({ outcome }) => outcome === 'running')
  const recent = runs.recent.map(run =>
    run.outcome === 'running' ? { ...run, outcome: 'interrupted' as const } : run,
  )
  return { interrupted: found, runs: folded({ ...runs, recent }) }
}
