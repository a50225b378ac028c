/**
 * Schedules that nobody has at the moment: their workers are away. They are asked about just then, so what is kept of them can be
 * seen, and they are listed until long after the first instant that they have missed.
 */
import { limits } from '../../src/protocol/limits.ts'
import type { Plan } from './plan.ts'
import { ticksAt } from './ticks.ts'
import { planOf } from './trigger.ts'

/** What is known of a schedule, whoever has it. Times in milliseconds since 1970. */
export interface Remembered {
  readonly expression: string
  readonly timezone: string
  readonly lastMs: number
}

const NONE = { policy: 'skip', limit: 0, maxAgeMs: 0 } as const

/** By what is kept; `undefined`: this version does not understand that. */
export function planOfRemembered({ expression, timezone }: Remembered): Plan | undefined {
  try {
    return planOf(expression, timezone)
  } catch {
    return undefined
  }
}

/** The first instant that was not dealt with, if it has come. */
export function missedSince(schedule: Remembered, nowMs: number): number | undefined {
  const first = planOfRemembered(schedule)?.next(schedule.lastMs)
  return first === undefined || first > nowMs ? undefined : first
}

/** Instants that were not dealt with (of very many, the latest `limits.cronMissed`), and the latest that there was. */
export function missedBy(schedule: Remembered, nowMs: number): { count: number; last: number } {
  const plan = planOfRemembered(schedule)
  if (plan === undefined) return { count: 0, last: nowMs }
  const bounds = { lateMs: -1, aheadMs: limits.cronAheadMs, lookedAt: limits.cronMissed }
  const { skipped, last } = ticksAt(plan, { last: schedule.lastMs }, nowMs, NONE, bounds)
  return { count: skipped.length, last }
}

/** Those that are listed, that which did something last first. */
export function shownOf<Of extends Remembered>(absent: readonly Of[], nowMs: number): Of[] {
  return [...absent]
    .sort((one, other) => other.lastMs - one.lastMs)
    .slice(0, limits.cronAbsent)
    .filter(schedule => isShown(schedule, nowMs))
}

function isShown(schedule: Remembered, nowMs: number): boolean {
  const from = nowMs - limits.cronAbsentMs
  // Most are: only for the others the first instant that they have missed is looked for.
  return schedule.lastMs >= from || (planOfRemembered(schedule)?.next(schedule.lastMs) ?? 0) >= from
}
