/**
 * Back-pressure between connections. A caller that feeds a worker which does not drain is held back: its socket is
 * not read for a moment. A caller that does not take its answers is held back itself, so that it makes no further
 * calls; the worker that answers it goes on, for it has other callers.
 *
 * The hold ends when the slow one has drained, or after `stallMs`, so that two connections that fill each other cannot
 * hold each other for ever. Who is on another thread is held back there: that thread is asked to. Built-in workers are never held: they serve everyone; their calls to an overloaded worker
 * are refused instead (`calls.ts`).
 */
import type { Connection, Stall } from './connection.ts'
import type { Place } from './routes.ts'
import type { EngineState } from './state.ts'

/** `source` has fed `target`; for an answer both are the caller that is to read it. */
export function stallIfFull(engine: EngineState, target: Connection, source: Connection): void {
  if (target.link.backlog() < engine.limits.outboundHighWaterBytes) return
  if (source.builtIn || source.phase === 'gone' || target.phase === 'gone') return
  if (source.trunk) {
    stallElsewhere(engine, target, source)
    return
  }
  const { held } = stallOf(engine, target)
  if (held.has(source)) return
  held.add(source)
  if (++source.stalledBy === 1) source.link.pause()
}

function stallOf(engine: EngineState, target: Connection): Stall {
  if (target.stall === undefined) {
    const cancel = engine.clock.after(engine.limits.stallMs, () => release(target))
    target.stall = { held: new Set(), elsewhere: new Map(), cancel }
  }
  return target.stall
}

/** Whoever feeds the target is on the other side of this trunk. */
function stallElsewhere(engine: EngineState, target: Connection, trunk: Connection): void {
  const { speaker } = trunk
  if (speaker === undefined || engine.holdElsewhere === undefined) return
  const { elsewhere } = stallOf(engine, target)
  if (elsewhere.has(speaker)) return
  const place = placeOf(engine, trunk)
  if (place === undefined) return
  elsewhere.set(speaker, () => engine.holdElsewhere?.(place, speaker, false))
  engine.holdElsewhere(place, speaker, true)
}

function placeOf(engine: EngineState, trunk: Connection): Place | undefined {
  for (const [place, other] of engine.trunks) if (other === trunk) return place
  return undefined
}

/** Lets everyone go on who was held back for this connection and for no other. */
export function release(target: Connection): void {
  const { stall } = target
  if (stall === undefined) return
  target.stall = undefined
  stall.cancel()
  for (const source of stall.held) if (--source.stalledBy === 0) source.link.resume()
  for (const release of stall.elsewhere.values()) release()
}

/**
 * A thread (`by`) asks that a worker of this one be held back, or that it go on. What it forgets to take back, because
 * it is no more, ends by itself after `stallMs`.
 */
export function holdFor(engine: EngineState, by: Place, workerId: string, held: boolean): void {
  const key = `${by} ${workerId}`
  const known = engine.holds.get(key)
  if (!held) {
    if (known !== undefined && --known.count === 0) endHold(engine, key)
    return
  }
  if (known !== undefined) {
    known.count++
    return
  }
  const connection = engine.connections.get(workerId)
  if (connection === undefined || connection.builtIn) return
  const cancel = engine.clock.after(engine.limits.stallMs, () => endHold(engine, key))
  engine.holds.set(key, { connection, cancel, count: 1 })
  if (++connection.stalledBy === 1) connection.link.pause()
}

function endHold(engine: EngineState, key: string): void {
  const hold = engine.holds.get(key)
  if (hold === undefined) return
  engine.holds.delete(key)
  hold.cancel()
  const { connection } = hold
  if (--connection.stalledBy === 0 && connection.phase !== 'gone') connection.link.resume()
}
