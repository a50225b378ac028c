/** How a shard says that it lives: it counts. */
import type { Clock } from '../clock/clock.ts'
import type { Place } from '../engine/routes.ts'
import { limits } from '../protocol/limits.ts'

/** Counts the counter of a thread up, now and every `limits.heartbeatMs`, and runs `also`. Returns what ends it. */
export function startHeartbeat(
  beats: Int32Array,
  place: Place,
  clock: Clock,
  also: () => void = () => {},
): () => void {
  let cancel: () => void
  function beat(): void {
    Atomics.add(beats, place, 1)
    also()
    cancel = clock.after(limits.heartbeatMs, beat)
  }
  beat()
  return () => cancel()
}
