/**
 * When an expression fires in a time zone. Where the clock on the wall is changed there are two kinds of expressions
 * (`docs/cron.md#summer-time`):
 *
 *  - by the time of day (`30 2 * * *`): a wall time that is left out fires at the instant of the change, once however many
 *    are left out; one that comes twice fires the first time;
 *  - every hour (`30 * * * *`): what has elapsed counts; wall times that are left out do not fire, those that come twice fire
 *    twice.
 */
import type { Expression } from './expression.ts'
import { UTC, type Zone } from './zone.ts'

export interface Plan {
  readonly expression: string
  readonly timezone: string
  /** The first instant after `ms`, in milliseconds since 1970; `undefined`: there is none any more. */
  next(ms: number): number | undefined
  /** How far the clock on the wall of its time zone is ahead of UTC at an instant; milliseconds. */
  offsetAt(ms: number): number
}

/** Longer than the wall clock is ever changed by, and than the time in which it could be changed twice. */
const NEAR_MS = 3 * 3_600_000
const DAY_MS = 86_400_000

export function createPlan(expression: Expression, zone: Zone): Plan {
  const next = nextIn(expression, zone)
  return { expression: expression.text, timezone: zone.name, next, offsetAt: zone.offsetAt }
}

function nextIn(expression: Expression, zone: Zone): Plan['next'] {
  if (zone === UTC) return expression.next
  const find = expression.isEveryHour ? nextElapsed : nextTimeOfDay
  return ms => find(expression, zone, ms)
}

/** The first instant in (`from`, `to`] whose offset is not that of `from`, if that of `to` is not. */
function changeBetween(zone: Zone, from: number, to: number): number {
  const before = zone.offsetAt(from)
  let [low, high] = [from, to]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (zone.offsetAt(middle) === before) low = middle
    else high = middle
  }
  return high
}

function nextTimeOfDay(expression: Expression, zone: Zone, ms: number): number | undefined {
  let wall = ms + zone.offsetAt(ms)
  for (;;) {
    const found = expression.next(wall)
    if (found === undefined) return undefined
    const instant = firstInstantOf(zone, found)
    if (instant > ms) return instant
    wall = found
  }
}

/** The first instant at which the wall shows this; if it never does, that of the change that leaves it out. */
function firstInstantOf(zone: Zone, wall: number): number {
  const early = zone.offsetAt(wall - DAY_MS)
  const late = zone.offsetAt(wall + DAY_MS)
  if (early === late) return wall - early
  const first = wall - Math.max(early, late)
  if (first + zone.offsetAt(first) === wall) return first
  const second = wall - Math.min(early, late)
  if (second + zone.offsetAt(second) === wall) return second
  return changeBetween(zone, first, second)
}

function nextElapsed(expression: Expression, zone: Zone, ms: number): number | undefined {
  let from = ms
  let wall = ms + zone.offsetAt(ms)
  for (;;) {
    const offset = zone.offsetAt(from)
    const found = expression.next(wall)
    if (found === undefined) return undefined
    const instant = found - offset
    if (zone.offsetAt(instant) === offset && zone.offsetAt(Math.min(instant, from + NEAR_MS)) === offset)
      return instant
    // The clock is changed on the way there: go on from where it is.
    const near = Math.min(instant, from + NEAR_MS)
    const change = changeBetween(zone, from, zone.offsetAt(near) === offset ? instant : near)
    from = change
    wall = change + zone.offsetAt(change) - 1
  }
}
