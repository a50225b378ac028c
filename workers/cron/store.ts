/** What is remembered of schedules: the interface of a place to keep it, in the words of this worker. */
import type { Runs } from './history.ts'
import type { Tick } from './ticks.ts'

/**
 * `ok`, `failed`: how its function has answered. `interrupted`: the engine ended in between. `cancelled`: the next tick has come.
 * `left_out`: it was not called, and `reason` says why.
 */
export type Outcome = 'running' | 'ok' | 'failed' | 'interrupted' | 'cancelled' | 'left_out'

export type LeftOutReason =
  | 'overlap'
  | 'paused'
  | 'misfire'
  | 'condition'
  | 'not_stored'
  | 'no_worker'
  | 'dropped'
  | 'unregistered'

/** A run, or ticks in a row that were left out for the same reason. Times in milliseconds since 1970. */
export interface Run {
  readonly scheduledMs: number
  readonly outcome: Outcome
  readonly reason?: LeftOutReason
  /** Ticks that were left out. */
  readonly count?: number
  readonly startedMs?: number
  readonly endedMs?: number
  /** From 1 on. */
  readonly attempt?: number
  readonly isManual?: boolean
  readonly error?: string
}

export interface ScheduleRecord {
  readonly name: string
  /** With another one, what was missed of the one before is nobody's. */
  readonly expression: string
  readonly timezone: string
  /** The latest instant that was dealt with: it and those before never come again. */
  readonly lastMs: number
  readonly isPaused: boolean
  /** Ticks that wait for a run to end. */
  readonly waiting: readonly Tick[]
  /** The latest last, a bounded number. */
  readonly runs: Runs
}

export interface CronStore {
  /** Those that are not forgotten. */
  load(): Promise<ScheduleRecord[]>
  /** Resolves when they are on disk, rejects when it is not known that all of them are. Of one schedule, the one that is given last stays. */
  save(records: readonly ScheduleRecord[]): Promise<void>
}
