/**
 * One tick, from its claim to its end:
 *
 *     claim on disk ──▶ function called ──▶ ok
 *          │                  └─ error ──▶ failed ──retries left──▶ pause ──▶ claim of the next attempt …
 *          └─ not stored ──▶ left out
 *
 * With `overlap: cancel_previous` the next tick gives it up, wherever it is: it ends as `cancelled`.
 *
 * The claim comes first: after a crash it is known that the tick was begun, and it is not begun again (at most once), unless the
 * trigger asks for retries.
 */
import type { Clock } from '../../src/clock/clock.ts'
import type { Deliveries, Subscription } from '../../src/delivery/deliveries.ts'
import type { Ending } from '../../src/delivery/queue.ts'
import type { Log } from '../../src/log/log.ts'
import { createBoundedTally, shortened } from '../../src/log/notices.ts'
import type { ErrorBody } from '../../src/protocol/frames.ts'
import { toJsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import { begun, type Runs, replaced } from './history.ts'
import type { CronStore, Run, ScheduleRecord } from './store.ts'
import type { Tick } from './ticks.ts'
import { rfc3339 } from './time.ts'
import type { Job } from './trigger.ts'

export interface Member {
  readonly subscription: Subscription
  readonly job: Job
}

/** What a run needs to know of its schedule, and changes of it. */
export interface Running {
  readonly name: string
  /** The trigger that is called; `undefined`: all have gone. */
  readonly active: () => Member | undefined
  readonly record: () => ScheduleRecord
  runs: Runs
  /** Ticks that will be tried again. */
  retrying: readonly Tick[]
}

export interface RunnerParts {
  readonly deliveries: Deliveries
  readonly store: CronStore
  readonly clock: Clock
  readonly wallClock: () => number
  readonly log: Log
}

export interface Runner {
  /** Resolves with the end of the last attempt, or when the signal gives it up. Never rejects. */
  run(schedule: Running, tick: Tick, isManual: boolean, signal: AbortSignal | undefined): Promise<Ending>
  /** Keeps what there is to remember; what goes wrong is logged. Nobody need wait for it. */
  keep(schedule: Running): void
  /** Resolves when everything is kept. */
  kept(): Promise<void>
  /** Nothing is tried again any more. */
  stop(): void
}

export function createRunner({ deliveries, store, clock, wallClock, log }: RunnerParts): Runner {
  const tally = createBoundedTally(limits.deliveryNotices)
  const saving = new Set<Promise<unknown>>()
  let gathered: ReturnType<typeof gather> | undefined
  const pauses = new Set<() => void>()
  /** Schedules whose runs have ended since the last time that was written. */
  const ended = new Set<Running>()
  let cancelEnds: (() => void) | undefined
  const scheduledText = latestOf(ms => rfc3339(ms))
  const actualText = latestOf(ms => rfc3339(ms))

  /** Resolves when it is on disk, with what went wrong. What is asked for in one task is written together. */
  function save(schedule: Running): Promise<string | undefined> {
    ended.delete(schedule)
    gathered ??= gather()
    gathered.schedules.add(schedule)
    return gathered.written
  }

  function gather(): { schedules: Set<Running>; written: Promise<string | undefined> } {
    const schedules = new Set<Running>()
    const written = Promise.resolve().then(() => {
      gathered = undefined
      return write([...schedules])
    })
    saving.add(written)
    void written.finally(() => saving.delete(written))
    return { schedules, written }
  }

  /** Never rejects. */
  async function write(schedules: readonly Running[]): Promise<string | undefined> {
    try {
      await store.save(schedules.map(schedule => schedule.record()))
      return undefined
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown.message : String(thrown)
      for (const { name } of schedules) {
        const count = tally(name)
        const about = { schedule: shortened(name), error }
        if (count !== undefined) log.error('what a schedule does could not be stored', { ...about, count })
      }
      return error
    }
  }

  function saveSoon(schedule: Running): void {
    ended.add(schedule)
    cancelEnds ??= clock.after(limits.cronEndsMs, saveEnds)
  }

  function saveEnds(): void {
    cancelEnds?.()
    cancelEnds = undefined
    for (const schedule of [...ended]) void save(schedule)
  }

  function payloadOf(schedule: Running, { subscription, job }: Member, tick: Tick, run: Run) {
    return toJsonText({
      trigger: 'cron',
      job_id: subscription.id,
      scheduled_time: scheduledText(tick.scheduledMs),
      actual_time: actualText(wallClock()),
      name: schedule.name,
      timezone: job.plan.timezone,
      attempt: run.attempt,
      missed: tick.missed,
      ...(run.isManual === true ? { manual: true } : {}),
    })
  }

  async function attempt(
    schedule: Running,
    tick: Tick,
    isManual: boolean,
    signal: AbortSignal | undefined,
  ): Promise<Ending> {
    let run: Run = {
      scheduledMs: tick.scheduledMs,
      outcome: 'running',
      startedMs: wallClock(),
      attempt: tick.attempt ?? 1,
      ...(isManual ? { isManual } : {}),
    }
    function become(after: Partial<Run>): void {
      const next = { ...run, ...after }
      schedule.runs = replaced(schedule.runs, run, next)
      run = next
    }
    schedule.runs = begun(schedule.runs, run)
    const error = await save(schedule)
    if (error !== undefined) {
      become({ outcome: 'left_out', reason: 'not_stored', error })
      return { kind: 'dropped', why: `what it does cannot be stored: ${error}` }
    }
    if (signal?.aborted === true) {
      become(outcomeOf(CANCELLED))
      return CANCELLED
    }
    const member = schedule.active()
    if (member === undefined) {
      become({ outcome: 'left_out', reason: 'unregistered' })
      return { kind: 'dropped', why: 'the trigger is gone' }
    }
    const data = payloadOf(schedule, member, tick, run)
    const ending = await new Promise<Ending>(resolve => {
      deliveries.deliver([member.subscription], { data, signal, over: (_, ending) => resolve(ending) })
    })
    become({ ...outcomeOf(ending, member), endedMs: wallClock() })
    return ending
  }

  return {
    async run(schedule, tick, isManual, signal) {
      let next = tick
      for (;;) {
        const ending = await attempt(schedule, next, isManual, signal)
        const { max, backoffMs } = schedule.active()?.job.retry ?? { max: 0, backoffMs: 0 }
        const made = next.attempt ?? 1
        const isLast = ending.kind !== 'failed' || isManual || made > max
        if (isLast) {
          saveSoon(schedule)
          return ending
        }
        const retry: Tick = { ...next, attempt: made + 1 }
        schedule.retrying = [...schedule.retrying, retry]
        void save(schedule)
        await pause(Math.min(backoffMs * 2 ** (made - 1), limits.cronRetryMs), signal)
        schedule.retrying = schedule.retrying.filter(each => each !== retry)
        if (signal?.aborted === true) {
          void save(schedule)
          return CANCELLED
        }
        next = retry
      }
    },
    keep: schedule => void save(schedule),
    async kept() {
      saveEnds()
      while (saving.size > 0) await Promise.all(saving)
    },
    stop() {
      for (const cancel of pauses) cancel()
      pauses.clear()
      cancelEnds?.()
    },
  }

  function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise(resolve => {
      const over = (): void => {
        cancel()
        pauses.delete(cancel)
        resolve()
      }
      const cancel = clock.after(ms, over)
      pauses.add(cancel)
      signal?.addEventListener('abort', over)
    })
  }
}

/** Of one instant many are called. */
function latestOf(textOf: (ms: number) => string): (ms: number) => string {
  let latest: number | undefined
  let text = ''
  return ms => {
    if (ms !== latest) {
      text = textOf(ms)
      latest = ms
    }
    return text
  }
}

const CANCELLED = { kind: 'cancelled' } as const

/** Not that a function which it calls itself is missing. */
const isMissing = ({ code, message }: ErrorBody, { subscription }: Member): boolean =>
  code === 'function_not_found' && message.includes(subscription.binding.function_id)

function outcomeOf(ending: Ending, member?: Member): Partial<Run> {
  switch (ending.kind) {
    case 'delivered':
      return { outcome: 'ok' }
    case 'failed': {
      const error = shortened(`${ending.error.code}: ${ending.error.message}`, 400)
      if (ending.of === 'handler' && member !== undefined && isMissing(ending.error, member))
        return { outcome: 'left_out', reason: 'no_worker', error }
      return { outcome: 'failed', error }
    }
    case 'cancelled':
      return { outcome: 'cancelled' }
    case 'skipped':
      return { outcome: 'left_out', reason: 'condition' }
    case 'dropped':
      return { outcome: 'left_out', reason: 'dropped', error: ending.why }
  }
}
