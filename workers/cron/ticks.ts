/**
 * What there is to do when a schedule is looked at: pure. One instant that has come since the last look, at most `lateMs` ago,
 * fires. Everything else is a gap (nobody had the schedule, the engine was down, the machine asleep, the clock set forward), and
 * the misfire policy says what becomes of all of its instants, however late each of them is.
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
  /** It came while a run was under way, and waits for the end of it. */
  readonly isQueued?: boolean
}

export interface Ticks {
  /** Instants of a gap that are made up for, oldest first. */
  readonly madeUp: readonly Tick[]
  /** The instant whose time has come. */
  readonly due: Tick | undefined
  /** Missed and not made up for, oldest first; of very many, the latest. */
  readonly skipped: readonly number[]
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

export interface LookedAt {
  /** The latest instant that was dealt with; none at or before it ever comes again, whatever the clock does. */
  readonly last: number
  /** The instant after it, if that is known; looking for instants is most of what a look costs. */
  readonly first?: number | undefined
  /** Nobody has looked at it for a time: also one instant alone is a gap. */
  readonly wasAway?: boolean
}

export function ticksAt(
  plan: Plan,
  { last, first, wasAway = false }: LookedAt,
  nowMs: number,
  misfire: Misfire,
  bounds: TickBounds,
): Ticks {
  const from = last - nowMs > bounds.aheadMs ? nowMs : last
  const lateFrom = Math.max(from, nowMs - bounds.lateMs - 1)
  const isNoneLate = from === last && first !== undefined && first > lateFrom
  const { found: inTime, next } = instantsIn(plan, lateFrom, nowMs, isNoneLate ? first : undefined)
  const late = isNoneLate ? [] : missedIn(plan, from, lateFrom, bounds.lookedAt)
  const all = late.length === 0 ? inTime : [...late, ...inTime]
  const { madeUp, due } =
    all.length === 1 && inTime.length === 1 && !wasAway
      ? { madeUp: [], due: tickOf(all[0]!) }
      : ofGap(all, inTime, nowMs, misfire, bounds)
  const dealtWith = madeUp.reduce((sum, tick) => sum + 1 + tick.missed, due === undefined ? 0 : 1)
  return {
    madeUp,
    due,
    // Those that are dealt with are the latest.
    skipped: all.slice(0, all.length - dealtWith),
    last: all.at(-1) ?? from,
    next,
  }
}

const tickOf = (scheduledMs: number): Tick => ({ scheduledMs, missed: 0 })

/** `all`: the instants of the gap, oldest first; `inTime`: those of them that are not too late. */
function ofGap(
  all: readonly number[],
  inTime: readonly number[],
  nowMs: number,
  { policy, limit, maxAgeMs }: Misfire,
  { lateMs }: TickBounds,
): Pick<Ticks, 'madeUp' | 'due'> {
  const latest = inTime.at(-1)
  if (policy === 'skip') return { madeUp: [], due: latest === undefined ? undefined : tickOf(latest) }
  // What is not late at all is not too old either.
  const wanted = all.filter(instant => nowMs - instant <= Math.max(maxAgeMs, lateMs))
  if (wanted.length === 0) return { madeUp: [], due: undefined }
  if (policy === 'once')
    return { madeUp: [{ scheduledMs: wanted.at(-1)!, missed: wanted.length - 1 }], due: undefined }
  return { madeUp: wanted.slice(Math.max(0, wanted.length - limit)).map(tickOf), due: undefined }
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
