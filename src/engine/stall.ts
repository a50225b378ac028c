/**
 * Back-pressure between connections. A caller that feeds a worker which does not drain is held back: its socket is
 * not read for a moment. A caller that does not take its answers is held back itself, so that it makes no further
 * calls; the worker that answers it goes on, for it has other callers.
 *
 * The hold ends when the slow one has drained, or after `stallMs`, so that two connections that fill each other cannot
 * hold each other for ever. Built-in workers are never held: they serve everyone; their calls to an overloaded worker
 * are refused instead (`calls.ts`).
 *
 * Where the caller is on another thread, that thread is asked to hold it, over the trunk its calls come over:
 *
 *     caller's thread                              callee's thread
 *     call of W ─────────────────────────────────▶ its target is full
 *     W is not read  ◀───────────── hold W back ──
 *     W is read again ◀──────────────── let W go ── drained, gone, or after stallMs
 *
 * The caller's thread lets W go by itself after `stallMs`, and when the other thread is gone. Who feeds a full trunk is
 * held until it has drained or is gone, without a time limit: a thread reads its rings whatever its workers do, and one
 * that does not is replaced.
 *
 * Built-ins of the main thread answer whatever becomes of their answers. So that these do not pile up before the caller's
 * link, maybe on another thread, shows that they are not read, who calls when many of these calls are open is held too.
 */
import type { Connection } from './connection.ts'
import { MAIN } from './registry.ts'
import type { EngineState } from './state.ts'

/** `source` has fed `target`; for an answer both are the caller that is to read it. */
export function stallIfFull(engine: EngineState, target: Connection, source: Connection): void {
  if (target.link.backlog() < engine.limits.outboundHighWaterBytes && !isAskedMuch(engine, target)) return
  if (source.builtIn || source.phase === 'gone' || target.phase === 'gone') return
  if (source.trunk && source.speaker === undefined) return
  if (target.stalled === undefined) {
    target.stalled = new Set()
    releaseLater(engine, target)
  }
  if (source.trunk) {
    stallAfar(target, source, source.speaker!)
    return
  }
  if (target.stalled.has(source)) return
  target.stalled.add(source)
  if (++source.stalledBy === 1) source.link.pause()
}

/**
 * An answer of `callee` was sent to `caller`, who is held back if it does not take it. A thread takes whatever its
 * workers do, so a trunk that is full holds back who answers, for as long as it is.
 */
export function stallIfUntaken(engine: EngineState, caller: Connection, callee: Connection): void {
  if (!caller.trunk) stallIfFull(engine, caller, caller)
  else if (!callee.trunk) stallIfFull(engine, caller, callee)
  if (callee.stalled !== undefined && (callee.trunk || callee.builtIn)) releaseIfTaken(engine, callee)
}

/** Whether this is a built-in, or the way to those of the main thread, and many calls there are not answered. */
function isAskedMuch(engine: EngineState, target: Connection): boolean {
  if (!target.trunk && !target.builtIn) return false
  if (openCalls(target) < engine.limits.callsToBuiltIns) return false
  return target.builtIn || target === engine.trunks.get(MAIN)
}

/** Those that wait for something to happen may be many, and for long. */
function openCalls({ executing, link }: Connection): number {
  return executing.size() - (link.waiting?.() ?? 0)
}

function releaseIfTaken({ limits }: EngineState, callee: Connection): void {
  if (openCalls(callee) * 2 > limits.callsToBuiltIns || callee.link.backlog() >= limits.drainedBytes) return
  release(callee)
}

function releaseLater(engine: EngineState, target: Connection): void {
  target.cancelStall = engine.clock.after(engine.limits.stallMs, () => {
    if (target.trunk && target.link.backlog() >= engine.limits.drainedBytes) releaseLater(engine, target)
    else release(target)
  })
}

/** `workerId`, of the thread behind the trunk, has fed `target`. */
function stallAfar(target: Connection, trunk: Connection, workerId: string): void {
  target.stalledAfar ??= new Map()
  if (target === trunk || target.stalledAfar.has(workerId)) return
  target.stalledAfar.set(workerId, trunk)
  const count = trunk.asked.get(workerId) ?? 0
  trunk.asked.set(workerId, count + 1)
  if (count === 0) trunk.link.holdBack?.(workerId, true)
}

/** Lets everyone go on who was held back for this connection and for no other. */
export function release(target: Connection): void {
  const { stalled, stalledAfar } = target
  if (stalled === undefined) return
  target.stalled = undefined
  target.stalledAfar = undefined
  target.cancelStall()
  for (const source of stalled) if (--source.stalledBy === 0) source.link.resume()
  if (stalledAfar === undefined) return
  for (const [workerId, trunk] of stalledAfar) {
    const count = trunk.asked.get(workerId) ?? 1
    if (count > 1) trunk.asked.set(workerId, count - 1)
    else {
      trunk.asked.delete(workerId)
      if (trunk.phase !== 'gone') trunk.link.holdBack?.(workerId, false)
    }
  }
}

/** The thread behind the trunk asks to hold back a worker of this one. */
export function holdBack(engine: EngineState, trunk: Connection, workerId: string): void {
  const worker = engine.connections.get(workerId)
  if (worker === undefined || worker.builtIn || trunk.holds.has(workerId)) return
  const cancel = engine.clock.after(engine.limits.stallMs, () => letGo(trunk, workerId))
  trunk.holds.set(workerId, () => {
    cancel()
    if (--worker.stalledBy === 0) worker.link.resume()
  })
  if (++worker.stalledBy === 1) worker.link.pause()
}

/** It lets the worker go on, or the time is over. */
export function letGo(trunk: Connection, workerId: string): void {
  const go = trunk.holds.get(workerId)
  trunk.holds.delete(workerId)
  go?.()
}

/** The trunk is gone: nobody else would let its workers go on. */
export function letAllGo(trunk: Connection): void {
  for (const workerId of [...trunk.holds.keys()]) letGo(trunk, workerId)
}
