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
import { interrupted, leftOut, NO_RUNS } from './history.ts'
import { createRunner, type Member, type RunnerParts, type Running } from './run.ts'
import type { LeftOutReason, Run, ScheduleRecord } from './store.ts'
import { jitterOf, type Tick, ticksAt } from './ticks.ts'
import type { Job } from './trigger.ts'

export interface Schedule extends Running, HeapNode {
  /** By the ids of their triggers; the last one is called. */
  readonly members: Map<string, Member>
  latest: Member | undefined
  expression: string
  timezone: string
  /** Milliseconds since 1970, as everywhere here. */
  lastMs: number
  /** The instant that comes next; `undefined`: none, or nobody has the schedule. */
  nextMs: number | undefined
  isPaused: boolean
  /** Since nobody had the schedule, it was not looked at. */
  wasAway: boolean
  /** For each run that the next tick gives up. */
  readonly giveUps: Set<AbortController>
  waiting: readonly Tick[]
  /** Runs under way. */
  running: number
  /** Runs of the engine before that did not end. */
  unfinished: readonly Run[]
}

export interface Schedules {
  /** Before anything else: what is remembered. */
  load(): Promise<void>
  /** What it has of the trigger of this id. */
  member(id: string): Member | undefined
  /** A trigger whose id it does not have. Throws a `HandlerError` when there are too many. */
  add(binding: Binding, job: Job): void
  remove(id: string): void
  /** By the id of a trigger, or by its name. */
  find(idOrName: string): Schedule | undefined
  /** Those that somebody has, in the order in which they came. */
  all(): Schedule[]
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
    const { runs, interrupted: unfinished } = interrupted(record.runs)
    const members = new Map<string, Member>()
    const schedule: Schedule = {
      ...record,
      members,
      runs,
      unfinished,
      retrying: [],
      giveUps: new Set(),
      wasAway: false,
      running: 0,
      nextMs: undefined,
      dueMs: 0,
      place: -1,
      latest: undefined,
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
    const { plan, misfire, jitterMs, overlap } = schedule.active()!.job
    const bounds = {
      lateMs: limits.cronLateMs + jitterMs,
      aheadMs: limits.cronAheadMs,
      lookedAt: limits.cronMissed,
    }
    const { madeUp, due, skipped, latestSkipped, last, next } = ticksAt(
      plan,
      schedule.lastMs,
      now,
      misfire,
      bounds,
      schedule.nextMs,
    )
    const hasMoved = last !== schedule.lastMs
    schedule.lastMs = last
    schedule.nextMs = next
    if (next === undefined) heap.remove(schedule)
    else heap.set(schedule, next + jitterOf(schedule.name, next, jitterMs))
    if (!hasMoved) return
    if (latestSkipped !== undefined)
      leaveOut(schedule, latestSkipped, schedule.wasAway ? 'no_worker' : 'misfire', skipped)
    if (schedule.isPaused) {
      for (const { scheduledMs } of [...madeUp, ...due]) leaveOut(schedule, scheduledMs, 'paused')
    } else {
      if (madeUp.length > 0) schedule.waiting = [...schedule.waiting, ...madeUp]
      proceed(schedule)
      for (const tick of due) {
        if (overlap === 'cancel_previous') for (const run of schedule.giveUps) run.abort()
        if (schedule.running === 0 || overlap === 'parallel' || overlap === 'cancel_previous')
          begin(schedule, tick)
        else if (overlap === 'queue' && schedule.waiting.length === 0) schedule.waiting = [tick]
        else leaveOut(schedule, tick.scheduledMs, 'overlap')
      }
    }
    // With `skip`, what was missed does not matter; what was begun is kept by its claim.
    if (misfire.policy !== 'skip' || schedule.waiting.length > 0) runner.keep(schedule)
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
    void begin(schedule, first)
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
      schedule.wasAway = true
    }
    arm()
  }

  return {
    async load() {
      for (const record of await store.load()) create(record)
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
      schedule.members.set(binding.id, schedule.latest)
      byTrigger.set(binding.id, schedule)
      for (const { scheduledMs, attempt = 1, isManual } of schedule.unfinished) {
        if (isManual === true || attempt > retry.max) continue
        schedule.waiting = [{ scheduledMs, missed: 0, attempt: attempt + 1 }, ...schedule.waiting]
      }
      schedule.unfinished = []
      // From here on something can be missed.
      if (isNew && job.misfire.policy !== 'skip') runner.keep(schedule)
      look(schedule, now)
      schedule.wasAway = false
      proceed(schedule)
      arm()
    },

    remove(id) {
      remove(id)
      deliveries.remove(id)
    },

    find: idOrName => byTrigger.get(idOrName) ?? held(byName.get(idOrName)),
    all: () => [...byName.values()].filter(schedule => held(schedule) !== undefined),
    runNow: schedule => begin(schedule, { scheduledMs: wallClock(), missed: 0 }, true),

    async pause(schedule, isPaused) {
      // Ticks that came before are left out, or not, as they would have been without this.
      look(schedule, wallClock())
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

const held = (schedule: Schedule | undefined): Schedule | undefined =>
  schedule !== undefined && schedule.members.size > 0 ? schedule : undefined

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
