/**
 * Back-pressure between connections. A caller that feeds a worker which does not drain is held back: its socket is
 * not read for a moment. A caller that does not take its answers is held back itself, so that it makes no further
 * calls; the worker that answers it goes on, for it has other callers.
 *
 * The hold ends when the slow one has drained, or after `stallMs`, so that two connections that fill each other cannot
 * hold each other for ever. Built-in workers are never held: they serve everyone; their calls to an overloaded worker
 * are refused instead (`calls.ts`).
 */
import type { Connection } from './connection.ts'
import type { EngineState } from './state.ts'

/** `source` has fed `target`; for an answer both are the caller that is to read it. */
export function stallIfFull(engine: EngineState, target: Connection, source: Connection): void {
  if (target.link.backlog() < engine.limits.outboundHighWaterBytes) return
  if (source.builtIn || source.trunk || source.phase === 'gone' || target.phase === 'gone') return
  if (target.stalled === undefined) {
    target.stalled = new Set()
    target.cancelStall = engine.clock.after(engine.limits.stallMs, () => release(target))
  }
  if (target.stalled.has(source)) return
  target.stalled.add(source)
  if (++source.stalledBy === 1) source.link.pause()
}

/** Lets everyone go on who was held back for this connection and for no other. */
export function release(target: Connection): void {
  const stalled = target.stalled
  if (stalled === undefined) return
  target.stalled = undefined
  target.cancelStall()
  for (const source of stalled) if (--source.stalledBy === 0) source.link.resume()
}
