/**
 * What there is to do when a schedule is looked at: pure. An instant that is at most `lateMs` old fires, late or not; older
 * ones are missed (the engine was down, the machine asleep, the clock set forward), and the misfire policy says what
 * becomes of them.
 */
import type { Plan } from './plan.ts'

export const MISFIRE = ['skip', 'once', 'all'] as const
export interface Misfire {
  readonly policy: (typeof MISFIRE)[number]
  /** Missed instants that are made up for at most, the latest of them. */
  readonly limit: number
  /** Older ones are not made up for; milliseconds. */
  readonly maxAgeMs: number
}

export interface Tick {
  readonly scheduledMs: number
  /** Instants before it that it stands for, because they were missed. */
  readonly missed: number
  /** Of a tick that is tried again: number of the attempt that is next. */
  readonly attempt?: number
}

export interface Ticks {
  /** Missed instants that are made up for, oldest first. */
  readonly madeUp: readonly Tick[]
  /** Instants whose time has come, oldest first. */
  readonly due: readonly Tick[]
  /** Missed and not made up for; at least so many, the older ones are not counted. */
  readonly skipped: number
  /** The latest of those. */
  readonly latestSkipped: number | undefined
  /** The latest instant that is dealt with by this; as before if there was none. */
  readonly last: number
  /** The next instant; `undefined`: there is none any more. */
  readonly next: number | undefined
}

export interface TickBounds {
  readonly lateMs: number
  /** A last instant that lies further ahead than this was made by a clock that was wrong, and is forgotten. */
  readonly aheadMs: number
  /** So many missed instants are looked at one by one, the latest. */
  readonly lookedAt: number
}

const MINUTE_MS = 60_000

/**
 * `last`: the latest instant that was dealt with; none at or before it ever comes again, whatever the clock does. `first`: the
 * instant after it, if that is known; looking for instants is most of what a look costs.
 */
export function ticksAt(
  plan: Plan,
  last: number,
  nowMs: number,
  misfire: Misfire,
  bounds: TickBounds,
  first?: number,
): Ticks {
  const from = last - nowMs > bounds.aheadMs ? nowMs : last
  const lateFrom = Math.max(from, nowMs - bounds.lateMs - 1)
  const isNoneMissed = from === last && first !== undefined && first > lateFrom
  const { found: due, next } = instantsIn(plan, lateFrom, nowMs, isNoneMissed ? first : undefined)
  const missed = isNoneMissed ? [] : missedIn(plan, from, lateFrom, bounds.lookedAt)
  const madeUp = madeUpFor(
    missed.filter(instant => nowMs - instant <= misfire.maxAgeMs),
    misfire,
  )
  const skipped = missed.length - madeUp.reduce((sum, tick) => sum + 1 + tick.missed, 0)
  return {
    madeUp,
    due: due.map(scheduledMs => ({ scheduledMs, missed: 0 })),
    skipped,
    // Those that are made up for are the latest.
    latestSkipped: missed[skipped - 1],
    last: due.at(-1) ?? missed.at(-1) ?? from,
    next,
  }
}

/** Those after `from`, up to and with `to`, and the one that comes then. */
function instantsIn(plan: Plan, from: number, to: number, first = plan.next(from)) {
  const found: number[] = []
  let next = first
  for (; next !== undefined && next <= to; next = plan.next(next)) found.push(next)
  return { found, next }
}

/** The latest of them: all, or more than `enough`. Looks back further and further, because there may be millions. */
function missedIn(plan: Plan, from: number, to: number, enough: number): number[] {
  if (from >= to) return []
  for (let window = MINUTE_MS; ; window *= 4) {
    const start = Math.max(from, to - window)
    const { found } = instantsIn(plan, start, to)
    if (start === from || found.length > enough) return found.slice(-enough)
  }
}

function madeUpFor(missed: readonly number[], { policy, limit }: Misfire): Tick[] {
  if (policy === 'skip' || missed.length === 0) return []
  if (policy === 'once') return [{ scheduledMs: missed.at(-1)!, missed: missed.length - 1 }]
  return missed.slice(-limit).map(scheduledMs => ({ scheduledMs, missed: 0 }))
}

/** Milliseconds by which a tick of a schedule is put off: the same for the same tick, spread evenly from 0 to `most`. */
export function jitterOf(name: string, scheduledMs: number, most: number): number {
  if (most === 0) return 0
  // FNV-1a, mixed once more so that neighbours lie far apart.
  let hash = 0x811c9dc5
  for (const character of `${name}\0${scheduledMs}`)
    hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % (most + 1)
}
