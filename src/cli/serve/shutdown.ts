/**
 * The end of an engine, in two stages.
 *
 *     running ──signal──► draining: no new work, running work ends ──done, or time is up──► stopped, exit 0
 *                              └──second signal──► cut: ports freed at once, exit 130 (SIGINT) or 143 (SIGTERM)
 *
 * Each stage has a time limit, so that the process ends whatever hangs. An engine that cannot go on is cut, too, with
 * exit 1.
 */
import type { Clock } from '../../clock/clock.ts'
import type { Log } from '../../log/log.ts'
import { type ErrorCode, errorCatalogue } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { exitCodeOf, exitCodes, type StopSignal } from '../exitCodes.ts'

export interface Stoppable {
  /** Takes no new work; resolves when work under way has ended, after `ms` at the latest. */
  drain(ms: number): Promise<void>
  /** Ends at once and frees every port. */
  stop(): Promise<void>
  /** Resolves with the reason when it cannot go on. */
  readonly failed: Promise<Error>
}

export interface ShutdownOptions {
  readonly thread: Stoppable
  /** What ends, and the code it ends with when it cannot go on. */
  readonly subject?: { readonly name: string; readonly failure: ErrorCode }
  readonly drainMs: number
  readonly log: Log
  readonly clock: Clock
  /** Calls the handler on each stop signal; the returned function ends that. */
  readonly onStopSignal: (handler: (signal: StopSignal) => void) => () => void
}

/** Resolves with the exit code, once a signal has come and everything has ended. */
export function untilStopped({
  thread,
  subject = { name: 'the engine', failure: 'shards_lost' },
  drainMs,
  log,
  clock,
  onStopSignal,
}: ShutdownOptions): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  let stage: 'running' | 'draining' | 'cut' = 'running'
  const listenNoMore = onStopSignal(signal => {
    if (stage === 'running') {
      stage = 'draining'
      void drainAndStop(signal)
    } else if (stage === 'draining') {
      stage = 'cut'
      log.warn('second signal: stopping at once', { signal })
      void stop().then(() => finish(exitCodeOf(signal)))
    }
  })

  void thread.failed.then(({ message }) => {
    if (stage === 'cut') return
    stage = 'cut'
    const { name, failure: code } = subject
    log.error(`${name} ends: ${message}`, { code, fix: errorCatalogue[code].fix })
    void stop().then(() => finish(exitCodes.failure))
  })

  function finish(exitCode: number): void {
    listenNoMore()
    resolve(exitCode)
  }

  async function drainAndStop(signal: StopSignal): Promise<void> {
    log.info('stopping: running work may finish; a second signal stops at once', {
      signal,
      drain_ms: drainMs,
    })
    const drained = await within(drainMs + limits.drainMarginMs, () => thread.drain(drainMs), clock)
    if (stage === 'cut') return
    if (drained !== 'done') log.warn('running work did not end in time and is cut', { reason: drained })
    const stopped = await stop()
    if (stage === 'draining') finish(stopped ? exitCodes.success : exitCodes.failure)
  }

  async function stop(): Promise<boolean> {
    const outcome = await within(limits.stopMs, () => thread.stop(), clock)
    if (outcome === 'done') return true
    log.error(`${subject.name} did not stop cleanly`, { reason: outcome })
    return false
  }

  return promise
}

/** `done`, or why not: `time is up`, or the error. */
async function within(ms: number, work: () => Promise<void>, clock: Clock): Promise<unknown> {
  const { promise: timeIsUp, resolve } = Promise.withResolvers<unknown>()
  const cancel = clock.after(ms, () => resolve('time is up'))
  try {
    return await Promise.race([work().then(() => 'done'), timeIsUp])
  } catch (error) {
    return error
  } finally {
    cancel()
  }
}
