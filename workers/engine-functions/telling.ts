/**
 * Calls the functions of triggers on registry change. However many triggers there are, calls of others go on meanwhile:
 *
 *     change ──▶ job: watchers, payload ──▶ a few hundred calls ──pause──▶ the next few hundred ──▶ …
 */
import type { Binding, TextCall, WorkerClient } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Log } from '../../src/log/log.ts'
import { countIn, isMilestone, type Tally } from '../../src/log/notices.ts'
import type { ErrorBody } from '../../src/protocol/frames.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'

/** Time of one turn for making payloads and calls. */
const TURN_MS = 5

/** Log lines about triggers that fail before they become few: there can be any number of them. */
const FAILURE_LINES = 50

export interface Watcher {
  readonly binding: Binding
  /** Calls it has not answered. */
  unanswered: number
  /** Calls that it did not take. */
  failures: number
  /** Unbound, or replaced by a newer form of itself. */
  isOver: boolean
}

export function createWatcher(binding: Binding): Watcher {
  return { binding, unanswered: 0, failures: 0, isOver: false }
}

export interface Job {
  readonly watchers: readonly Watcher[]
  /** Made when its turn has come; `undefined`: they need not be told. */
  readonly payload: () => JsonText | undefined
  readonly done?: () => void
}

export interface Teller {
  /** Begins at once, unless others are being told. */
  tell(more: readonly Job[]): void
  /** Jobs that are not done. */
  waiting(): number
  stop(): void
}

export function createTeller(client: WorkerClient, clock: Clock, log: Log): Teller {
  let jobs: Job[] = []
  let payload: JsonText | undefined
  /** Watchers of the first job that were told. */
  let told = 0
  let isRunning = false
  let turnEndsMs = 0
  /** Made in this turn. */
  let calls = 0
  let cancelPause = (): void => {}
  let unanswered = 0
  const warnings: Tally = new Map()

  function call(watcher: Watcher, data: JsonText): void {
    const { binding } = watcher
    if (unanswered >= limits.changeCallsInFlight && watcher.unanswered > 0) {
      leaveOut(watcher)
      return
    }
    const request: TextCall = {
      functionId: binding.function_id,
      data,
      namespace: binding.namespace,
      metadata: binding.metadata,
      timeoutMs: limits.callTimeoutMs,
      traceparent: undefined,
      baggage: undefined,
    }
    unanswered++
    watcher.unanswered++
    client.call(request, error => {
      unanswered--
      watcher.unanswered--
      if (error !== undefined) noteFailure(watcher, error)
    })
  }

  function noteFailure(watcher: Watcher, error: ErrorBody): void {
    const count = ++watcher.failures
    if (!isMilestone(count) || !countIn(warnings, 'not taken', FAILURE_LINES).isToldOf) return
    log.warn('a registry change was not taken', { trigger_id: watcher.binding.id, ...error, count })
  }

  /** Who does not answer is not called again and again while many others do not either. */
  function leaveOut({ binding }: Watcher): void {
    const { count, isToldOf } = countIn(warnings, 'left out')
    if (!isToldOf) return
    log.warn(
      'a registry change was not told: too many such calls are unanswered, some of them of this trigger',
      {
        trigger_id: binding.id,
        unanswered,
        count,
      },
    )
  }

  function run(): void {
    isRunning = true
    const now = clock.now()
    // Jobs that come one by one in the same moment share one turn.
    if (now >= turnEndsMs) {
      turnEndsMs = now + TURN_MS
      calls = 0
    }
    while (jobs.length > 0) {
      if (calls >= limits.changeCallsPerTurn || clock.now() >= turnEndsMs) {
        cancelPause = clock.after(limits.changePauseMs, nextTurn)
        return
      }
      const { watchers, payload: make, done } = jobs[0]!
      if (told === 0 && watchers.length > 0) payload = make()
      if (payload === undefined) told = watchers.length
      for (; told < watchers.length && calls < limits.changeCallsPerTurn; told++) {
        const watcher = watchers[told]!
        if (watcher.isOver) continue
        call(watcher, payload!)
        calls++
      }
      if (told === watchers.length) {
        jobs.shift()
        told = 0
        payload = undefined
        done?.()
      }
    }
    isRunning = false
  }

  function nextTurn(): void {
    turnEndsMs = 0
    run()
  }

  return {
    tell(more) {
      for (const job of more) jobs.push(job)
      if (!isRunning) run()
    },
    waiting: () => jobs.length,
    stop() {
      jobs = []
      isRunning = true
      cancelPause()
    },
  }
}
