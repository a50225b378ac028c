/** The latest runs of a schedule, and the ticks it left out. Pure: every function returns a new list. */
import { limits } from '../../src/protocol/limits.ts'
import type { LeftOutReason, Run } from './store.ts'

export type Runs = readonly Run[]

export function begun(runs: Runs, run: Run): Runs {
  return [...runs, run].slice(-limits.cronHistory)
}

/** Puts a run in the place of what it was before, also when that has left the list meanwhile. */
export function replaced(runs: Runs, before: Run, after: Run): Runs {
  return runs.includes(before) ? runs.map(run => (run === before ? after : run)) : begun(runs, after)
}

/** Ticks in a row that are left out for one reason are one row with their number: else they would push everything else out. */
export function leftOut(runs: Runs, scheduledMs: number, reason: LeftOutReason, count: number): Runs {
  const last = runs.at(-1)
  const goesOn = last?.outcome === 'left_out' && last.reason === reason
  const row: Run = {
    scheduledMs,
    outcome: 'left_out',
    reason,
    count: count + (goesOn ? (last.count ?? 1) : 0),
  }
  return begun(goesOn ? runs.slice(0, -1) : runs, row)
}

/** After the end of an engine nobody runs any more. */
export function interrupted(runs: Runs): { runs: Runs; interrupted: Runs } {
  const found = runs.filter(({ outcome }) => outcome === 'running')
  return {
    interrupted: found,
    runs: runs.map(run => (run.outcome === 'running' ? { ...run, outcome: 'interrupted' as const } : run)),
  }
}
