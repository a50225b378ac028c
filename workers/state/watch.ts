/**
 * `state::watch`: what happened after a revision. A call that finds nothing may wait for something; the answer says up
 * to which revision it looked, and the next call goes on from there.
 */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { RawJson } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { limits } from '../../src/protocol/limits.ts'
import { createWaiters } from '../waiters.ts'
import { watchAnswer } from './answers.ts'
import type { StateChange, StateStore } from './store.ts'

export interface WatchRequest {
  /** Absent: any. */
  readonly scope: string | undefined
  readonly key: string | undefined
  /** Absent: what happens from now on. */
  readonly since: number | undefined
  readonly limit: number
  /** Milliseconds to wait for the first change. */
  readonly waitMs: number
  readonly signal: AbortSignal
}

export interface Watch {
  ask(request: WatchRequest): Promise<RawJson>
  /** Those that wait are answered with what there is: nothing. */
  end(): void
}

/** Those who wait for any scope. No scope is called so: their names are marked. */
const ANY = 'any'
const idOf = (scope: string | undefined): string => (scope === undefined ? ANY : `scope ${scope}`)

/** `waits`: told of so many more that wait; negative: fewer. */
export function createWatch(store: StateStore, clock: Clock, waits: (more: number) => void): Watch {
  const waiters = createWaiters<StateChange>({ clock, most: limits.watchers, of: 'state::watch', waits })

  const unfollow = store.follow(changes => {
    if (waiters.isEmpty()) return
    for (const change of changes) {
      waiters.wake(idOf(change.scope), change)
      waiters.wake(ANY, change)
    }
  })

  return {
    async ask({ scope, key, since, limit, waitMs, signal }) {
      const matches = (change: StateChange): boolean =>
        (scope === undefined || change.scope === scope) && (key === undefined || change.key === key)

      /** All that is known after a revision, as far as it matters. */
      async function look(from: number): Promise<{ changes: StateChange[]; revision: number }> {
        const changes: StateChange[] = []
        // Of what happened under other keys as much is read at once as may be: each look has its price.
        const portion = key === undefined ? limit : limits.watchEvents
        for (let revision = from; ; ) {
          const feed = await store.since(scope, revision, portion)
          if (feed.kind === 'gone') throw gone(from, feed)
          for (const change of feed.changes) {
            if (!matches(change)) continue
            changes.push(change)
            if (changes.length === limit) return { changes, revision: change.revision }
          }
          if (feed.changes.length < portion || signal.aborted) return { changes, revision: feed.revision }
          revision = feed.revision
          // What is in memory is found at once: others have their turn meanwhile.
          await new Promise<void>(resolve => clock.after(0, resolve))
        }
      }

      let from = since ?? store.revision()
      const untilMs = clock.now() + waitMs
      for (;;) {
        const { changes, revision } = await look(from)
        const leftMs = untilMs - clock.now()
        if (changes.length > 0 || leftMs <= 0 || waiters.isOver() || signal.aborted)
          return watchAnswer(changes, revision)
        from = revision
        // Something may have happened while it looked.
        if (store.revision() === revision) await waiters.wait(idOf(scope), leftMs, signal, matches)
      }
    },
    end() {
      unfollow()
      waiters.end()
    },
  }
}

function gone(
  from: number,
  { oldest, revision }: { readonly oldest: number; readonly revision: number },
): HandlerError {
  const message =
    from > revision
      ? `there is no revision ${from} yet, the last is ${revision}: was the data replaced by older data? Read everything anew and go on from there`
      : `changes after revision ${from} are not all kept any more, those after ${oldest} are; read everything anew and go on from ${revision}`
  return new HandlerError('REVISION_GONE', message, { oldest, revision })
}
