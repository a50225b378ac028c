/**
 * All schedules and the one timer that wakes for them. Triggers with the same name are one schedule: of its instants each fires
 * once, at the trigger that came last.
 *
 *     timer ──▶ first of the heap is due ──▶ ticks.ts: what is there to do ──▶ overlap ──▶ run.ts
 *                                                                              └─ left out, with its reason
 *
 * Looked at by the clock on the wall: it is read at least every second, so that it is noticed when it is set.
 */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Binding } from '../../sdk/typescript/src/worker.ts'
import type { Ending } from '../../src/delivery/queue.ts'
import { limits } from '../../src/protocol/limits.ts'
import { createHeap, type HeapNode } from '../heap.ts'
import { missedBy, shownOf } from './absent.ts'
import { interrupted, leftOut, NO_RUNS, type Runs } from './history.ts'
import { createRunner, type Member, type RunnerParts, type Running } from './run.ts'
import type { LeftOutReason, ScheduleRecord } from './store.ts'
import { jitterOf, type Misfire, type Tick, ticksAt } from './ticks.ts'
import type { Job } from './trigger.ts'

export interface Schedule extends Running, HeapNode {
  /** By the ids of their triggers; the last one is called. */
  readonly members: Map<string, Member>
  latest: Member | undefined
  /** The one that was called last, or would have been, also when it has gone; `undefined`: this engine has seen none. */
  seen: Member | undefined
  expression: string
  timezone: string
  /** Milliseconds since 1970, as everywhere here. */
  lastMs: number
  /** The instant that comes next; `undefined`: none, or nobody has the schedule. */
  nextMs: number | undefined
  isPaused: boolean
  /** Since when nobody has the schedule, as far as this engine knows, so that it is not looked at. */
  awayMs: number | undefined
  /** For each run that the next tick gives up. */
  readonly giveUps: Set<AbortController>
  waiting: readonly Tick[]
  /** Runs under way. */
  running: number
  /** Nobody had it since the engine began: runs that did not end are those of the engine before. */
  isFromBefore: boolean
}

export interface Schedules {
  /** Before anything else: what is remembered. */
  load(): Promise<void>
  /** What it has of the trigger of this id. */
  member(id: string): Member | undefined
  /** A trigger whose id it does not have. Throws a `HandlerError` when there are too many. */
  add(binding: Binding, job: Job): void
  remove(id: string): void
  /** By the id of a trigger, or by its name, also if nobody has it. */
  find(idOrName: string): Schedule | undefined
  /** Those that somebody has, in the order in which they came; then those that nobody has and that miss something, or may soon (`absent.ts`). */
  all(): Schedule[]
  /** Of a schedule that somebody has. */
  runNow(schedule: Schedule): Promise<Ending>
  /** Resolves when that is on disk. */
  pause(schedule: Schedule, isPaused: boolean): Promise<void>
  /** Nothing fires any more; resolves when what was begun is over and kept. */
  drain(): Promise<void>
  stop(): void
}

const WALL_STEP_MS = 1000

export function createSchedules(parts: RunnerParts): Schedules {
  const { deliveries, store, clock, wallClock } = parts
  const runner = createRunner(parts)
  /** Also those that nobody has at the moment. */
  const byName = new Map<string, Schedule>()
  const byTrigger = new Map<string, Schedule>()
  const heap = createHeap<Schedule>()
  let cancelTimer: (() => void) | undefined
  /** When the timer wakes; not by the wall. */
  let wakesAt = Number.POSITIVE_INFINITY
  let wallBefore = wallClock()
  let hasStopped = false

  function create(record: ScheduleRecord): Schedule {
    const members = new Map<string, Member>()
    const schedule: Schedule = {
      ...record,
      members,
      isFromBefore: false,
      retrying: [],
      giveUps: new Set(),
      awayMs: undefined,
      running: 0,
      nextMs: undefined,
      dueMs: 0,
      place: -1,
      latest: undefined,
      seen: undefined,
      active: () => schedule.latest,
      record: () => recordOf(schedule),
    }
    byName.set(record.name, schedule)
    return schedule
  }

  function arm(): void {
    const first = heap.first()
    if (first === undefined || hasStopped) {
      cancelTimer?.()
      cancelTimer = undefined
      return
    }
    const wait = Math.min(Math.max(0, first.dueMs - wallClock()), limits.cronLookMs)
    const at = clock.now() + wait
    if (cancelTimer !== undefined && wakesAt <= at) return
    cancelTimer?.()
    wakesAt = at
    cancelTimer = clock.after(wait, wake)
  }

  function wake(): void {
    cancelTimer = undefined
    const now = wallClock()
    if (now < wallBefore - WALL_STEP_MS) {
      for (const schedule of byName.values()) if (schedule.members.size > 0) look(schedule, now)
    }
    wallBefore = now
    // The first ones are called before the last ones are looked at.
    for (let looked = 0; looked < limits.cronPortion; looked++) {
      const first = heap.first()
      if (first === undefined || first.dueMs > now) break
      look(first, now)
    }
    arm()
  }

  function look(schedule: Schedule, now: number): void {
    const { plan, misfire, jitterMs } = schedule.active()!.job
    const bounds = {
      lateMs: limits.cronLateMs + jitterMs,
      aheadMs: limits.cronAheadMs,
      lookedAt: limits.cronMissed,
    }
    const { lastMs, nextMs: first, awayMs } = schedule
    const room = { ...misfire, limit: misfire.limit - madeUpIn(schedule.waiting).length }
    const looked = { last: lastMs, first, wasAway: awayMs !== undefined }
    const { madeUp, due, skipped, last, next } = ticksAt(plan, looked, now, room, bounds)
    schedule.lastMs = last
    schedule.nextMs = next
    if (next === undefined) heap.remove(schedule)
    else heap.set(schedule, next + jitterOf(schedule.name, next, jitterMs))
    if (last === lastMs) return
    if (schedule.isPaused) {
      const count = [...madeUp, ...(due === undefined ? [] : [due])].reduce(
        (sum, { missed }) => sum + 1 + missed,
        skipped.length,
      )
      if (count > 0) leaveOut(schedule, last, 'paused', count)
    } else {
      leaveOutMissed(schedule, skipped)
      if (madeUp.length > 0) schedule.waiting = withMadeUp(schedule.waiting, madeUp, misfire.policy)
      proceed(schedule)
      if (due !== undefined) fire(schedule, due)
    }
    // With `skip`, what was missed does not matter; what was begun is kept by its claim.
    if (misfire.policy !== 'skip' || schedule.waiting.length > 0) runner.keep(schedule)
  }

  /** Nobody looks at it, but what came in its pause is not to be made up for later. */
  function leaveOutPause(schedule: Schedule, now: number): void {
    const { count, last } = missedBy(schedule, now)
    schedule.lastMs = last
    if (count > 0) leaveOut(schedule, last, 'paused', count)
  }

  /** A tick whose instant has come, whatever is under way. */
  function fire(schedule: Schedule, tick: Tick): void {
    const { overlap } = schedule.active()!.job
    if (overlap === 'cancel_previous') for (const run of schedule.giveUps) run.abort()
    if (schedule.running === 0 || overlap === 'parallel' || overlap === 'cancel_previous')
      void begin(schedule, tick)
    else if (overlap === 'queue' && !schedule.waiting.some(({ isQueued }) => isQueued === true))
      schedule.waiting = [...schedule.waiting, { ...tick, isQueued: true }]
    else leaveOut(schedule, tick.scheduledMs, 'overlap')
  }

  function leaveOutMissed(schedule: Schedule, missed: readonly number[]): void {
    const { awayMs = Number.POSITIVE_INFINITY } = schedule
    const before = missed.filter(instant => instant <= awayMs)
    if (before.length > 0) leaveOut(schedule, before.at(-1)!, 'misfire', before.length)
    const away = missed.length - before.length
    if (away > 0) leaveOut(schedule, missed.at(-1)!, 'no_worker', away)
  }

  function leaveOut(schedule: Schedule, scheduledMs: number, reason: LeftOutReason, count = 1): void {
    schedule.runs = leftOut(schedule.runs, scheduledMs, reason, count)
  }

  function begin(schedule: Schedule, tick: Tick, isManual = false): Promise<Ending> {
    schedule.running++
    const giveUp = schedule.active()?.job.overlap === 'cancel_previous' ? new AbortController() : undefined
    if (giveUp !== undefined) schedule.giveUps.add(giveUp)
    return runner.run(schedule, tick, isManual, giveUp?.signal).finally(() => {
      schedule.running--
      if (giveUp !== undefined) schedule.giveUps.delete(giveUp)
      if (!hasStopped) proceed(schedule)
    })
  }

  /** Ticks that wait run one after the other. */
  function proceed(schedule: Schedule): void {
    if (schedule.running > 0 || schedule.isPaused || schedule.members.size === 0) return
    const [first, ...rest] = schedule.waiting
    if (first === undefined) return
    schedule.waiting = rest
    const { isQueued: _, ...tick } = first
    void begin(schedule, tick)
  }

  /** What the engine before has begun is tried again, if the trigger asks for that. */
  function interrupt(schedule: Schedule, retries: number): void {
    const { runs, interrupted: unfinished } = interrupted(schedule.runs)
    schedule.isFromBefore = false
    schedule.runs = runs
    for (const { scheduledMs, attempt = 1, isManual } of unfinished) {
      if (isManual === true || attempt > retries) continue
      schedule.waiting = [{ scheduledMs, missed: 0, attempt: attempt + 1 }, ...schedule.waiting]
    }
  }

  function remove(id: string): void {
    const schedule = byTrigger.get(id)
    if (schedule === undefined) return
    byTrigger.delete(id)
    schedule.members.delete(id)
    schedule.latest = [...schedule.members.values()].at(-1)
    // It may go by another expression now.
    schedule.nextMs = undefined
    if (schedule.members.size > 0) look(schedule, wallClock())
    else {
      heap.remove(schedule)
      schedule.awayMs = wallClock()
    }
    arm()
  }

  return {
    async load() {
      const records = await store.load()
      for (const record of records) {
        const schedule = create(record)
        schedule.isFromBefore = true
        schedule.awayMs = wallClock()
      }
    },

    member: id => byTrigger.get(id)?.members.get(id),

    add(binding, job) {
      const { name, plan, retry } = job
      const now = wallClock()
      if (!byName.has(name) && byName.size >= limits.cronSchedules)
        throw new HandlerError(
          'trigger_registration_failed',
          `there are ${limits.cronSchedules} schedules, which is the most`,
        )
      const known = byName.get(name)
      const schedule = known ?? create(newRecord(job, now))
      const { expression, timezone } = schedule
      const isNew = known === undefined || expression !== plan.expression || timezone !== plan.timezone
      if (isNew) {
        // What the plan before has missed is not missed by this one.
        schedule.expression = plan.expression
        schedule.timezone = plan.timezone
        schedule.lastMs = now
        schedule.nextMs = undefined
      }
      schedule.latest = { subscription: deliveries.add(binding, job.delivery), job }
      schedule.seen = schedule.latest
      schedule.members.set(binding.id, schedule.latest)
      byTrigger.set(binding.id, schedule)
      if (schedule.isFromBefore) interrupt(schedule, retry.max)
      // From here on something can be missed, and asked about.
      if (isNew) runner.keep(schedule)
      look(schedule, now)
      schedule.awayMs = undefined
      proceed(schedule)
      arm()
    },

    remove(id) {
      remove(id)
      deliveries.remove(id)
    },

    find: idOrName => byTrigger.get(idOrName) ?? byName.get(idOrName),
    all() {
      const [held, absent]: [Schedule[], Schedule[]] = [[], []]
      for (const schedule of byName.values()) (isHeld(schedule) ? held : absent).push(schedule)
      return [...held, ...shownOf(absent, wallClock())]
    },
    runNow: schedule => begin(schedule, { scheduledMs: wallClock(), missed: 0 }, true),

    async pause(schedule, isPaused) {
      // Ticks that came before are left out, or not, as they would have been without this.
      if (isHeld(schedule)) look(schedule, wallClock())
      else if (schedule.isPaused) leaveOutPause(schedule, wallClock())
      schedule.isPaused = isPaused
      await store.save([schedule.record()])
      proceed(schedule)
    },

    async drain() {
      hasStopped = true
      arm()
      await deliveries.idle()
      await runner.kept()
    },

    stop() {
      hasStopped = true
      arm()
      runner.stop()
    },
  }
}

/** Its runs as they are to be told. */
export const runsNow = ({ isFromBefore, runs }: Schedule): Runs =>
  isFromBefore ? interrupted(runs).runs : runs

export const isHeld = ({ members }: Schedule): boolean => members.size > 0

/** Ticks of gaps. */
const madeUpIn = (waiting: readonly Tick[]): readonly Tick[] =>
  waiting.filter(({ attempt, isQueued }) => attempt === undefined && isQueued !== true)

/** With `once`, one call stands for all gaps since the last. */
function withMadeUp(
  waiting: readonly Tick[],
  madeUp: readonly Tick[],
  policy: Misfire['policy'],
): readonly Tick[] {
  const before = policy === 'once' ? madeUpIn(waiting).at(-1) : undefined
  if (before === undefined) return [...waiting, ...madeUp]
  const all = madeUp.map(tick => ({ ...tick, missed: tick.missed + before.missed + 1 }))
  return [...waiting.filter(tick => tick !== before), ...all]
}

/** A schedule that nobody knows begins now: it has missed nothing. */
function newRecord({ name, plan }: Job, lastMs: number): ScheduleRecord {
  const { expression, timezone } = plan
  return { name, expression, timezone, lastMs, isPaused: false, waiting: [], runs: NO_RUNS }
}

function recordOf(schedule: Schedule): ScheduleRecord {
  const { name, expression, timezone, lastMs, isPaused, waiting, retrying, runs } = schedule
  const ticks = retrying.length === 0 ? waiting : [...retrying, ...waiting]
  return { name, expression, timezone, lastMs, isPaused, waiting: ticks, runs }
}
