/** How full a queue of the partition is, and what holds it up. */
import { limits } from '../../../src/protocol/limits.ts'
import type { Lane } from '../../../src/storage/queue/message.ts'
import type { ReadQueueTables } from '../../../src/storage/queue/tables.ts'
import type { ParkedLane, QueueState } from '../backend.ts'
import type { Dispatch } from '../core/dispatch.ts'
import type { Meter } from '../core/meter.ts'

export interface StateParts {
  readonly tables: ReadQueueTables
  readonly dispatch: Pick<Dispatch, 'leased' | 'parkingOf'>
  readonly meter: Meter
  /** Wall clock, milliseconds. */
  readonly nowMs: number
}

export function stateOf(queue: string, { tables, dispatch, meter, nowMs }: StateParts): QueueState {
  const counts = tables.counts(queue)
  const leased = dispatch.leased(queue)
  const all = tables.lanes(queue)
  const lanes = all.slice(0, limits.queueLanesLooked)
  let oldestAtMs: number | undefined
  let handsOut = false
  const parkedLanes: ParkedLane[] = []
  for (const lane of lanes) {
    const atMs = oldestOf(tables, lane, nowMs)
    if (atMs === undefined) continue
    oldestAtMs = Math.min(oldestAtMs ?? atMs, atMs)
    const reason = dispatch.parkingOf(lane)
    if (reason === undefined) handsOut = true
    else if (parkedLanes.length < limits.queueParkedLanes) parkedLanes.push({ lane, reason })
  }
  const isKnown = lanes.length === all.length
  const isParked = parkedLanes.length > 0 && !handsOut && isKnown
  return {
    ...counts,
    leased,
    isPaused: tables.queue(queue)?.isPaused === true,
    oldestAtMs,
    rates: meter.rates(queue),
    parked: isParked
      ? Math.max(0, counts.ready - leased)
      : parkedLanes.length > 0 || !isKnown
        ? undefined
        : 0,
    parkedLanes,
  }
}

/** When it was published: the oldest of a lane that waits for no time. */
function oldestOf(tables: ReadQueueTables, lane: Lane, nowMs: number): number | undefined {
  const ready = tables.oldest(lane, 0, 1).map(number => tables.get(number)!)
  const found = [...ready, ...tables.due(lane, nowMs, undefined, 1)]
  return found.length === 0 ? undefined : Math.min(...found.map(({ publishedAtMs }) => publishedAtMs))
}
