/**
 * Calls the functions of triggers on registry change. However many triggers there are, calls of others go on meanwhile:
 *
 *     change ──▶ job: watchers, payload ──▶ a few hundred calls ──pause──▶ the next few hundred ──▶ …
 */
import type { Binding, BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import type { Target } from '../../src/protocol/frames.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'

/** Time of one turn for making payloads and calls. */
const TURN_MS = 5

export interface Watcher {
  readonly binding: Binding
  /** Unbound, or replaced by a newer form of itself. */
  isOver: boolean
}

export function createWatcher(binding: Binding): Watcher {
  return { binding, isOver: false }
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

export function createTeller(client: BuiltInClient, clock: Clock): Teller {
  let jobs: Job[] = []
  let payload: JsonText | undefined
  /** Watchers of the first job that were told. */
  let told = 0
  let isRunning = false
  let turnEndsMs = 0
  /** Made in this turn. */
  let calls = 0
  let cancelPause = (): void => {}

  /** Tells the next ones of a job, as far as this turn reaches. */
  function callNext(watchers: readonly Watcher[], data: JsonText): void {
    const targets: Target[] = []
    for (; told < watchers.length && calls < limits.changeCallsPerTurn; told++) {
      const { binding, isOver } = watchers[told]!
      if (isOver) continue
      const { function_id: functionId, namespace, metadata } = binding
      targets.push({ functionId, namespace, metadata })
      calls++
    }
    if (targets.length > 0) client.tellAll(targets, data)
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
      else callNext(watchers, payload)
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
