/**
 * Sees to it that the shards live.
 *
 *     starting ──ready──▶ serving ──throws, exits, or stops counting──▶ lost ──after a pause──▶ starting
 *                                                                        └──too often──▶ the engine fails
 */
import type { Clock } from '../clock/clock.ts'
import type { Place } from '../engine/routes.ts'
import type { Log } from '../log/log.ts'
import { limits } from '../protocol/limits.ts'

/** A shard, as far as it is looked after. */
export interface Supervised {
  readonly place: Place
  readonly handle: { kill(reason: Error): void }
  /** The beats counted when it was last looked at. */
  beats: number
  silentMs: number
  state: 'starting' | 'serving' | 'lost'
  /** Milliseconds it may be silent while it serves. */
  readonly patienceMs: number
}

export interface SupervisionParts {
  readonly clock: Clock
  readonly log: Log
  /** The counter of each thread (`heartbeat.ts`). */
  readonly counted: Int32Array
  readonly shards: ReadonlyMap<Place, Supervised>
  /** Starts the shard of a place. */
  start(place: Place): Promise<void>
  /** What the thread of a place is called in messages. */
  nounOf(place: Place): string
  /** No shard is replaced any more. */
  isStopping(): boolean
  /** Shards are lost too often. */
  failed(reason: Error): void
}

export interface Supervision {
  /** The shard of a place is lost: another one takes its place after a pause, unless shards are lost too often. */
  replace(place: Place): void
  /** How often the shard of a place was replaced. */
  restarts(place: Place): number
  /** Looks at the shards no more. */
  stop(): void
}

/** Looks after the shards from now on, those that start included. */
export function createSupervision(parts: SupervisionParts): Supervision {
  const { clock, log, counted, shards } = parts
  const restarts = new Map<Place, number>()
  let losses: number[] = []
  let cancelWatch = clock.after(limits.heartbeatMs, watch)

  /** Looks whether each shard still counts. */
  function watch(): void {
    cancelWatch = clock.after(limits.heartbeatMs, watch)
    for (const shard of shards.values()) {
      const count = Atomics.load(counted, shard.place)
      shard.silentMs = count === shard.beats ? shard.silentMs + limits.heartbeatMs : 0
      shard.beats = count
      const patience = shard.state === 'serving' ? shard.patienceMs : limits.shardStartMs
      if (shard.silentMs >= patience) {
        shard.handle.kill(new Error(`it did not answer for ${patience / 1000} s`))
      }
    }
  }

  function replace(place: Place): void {
    const now = clock.now()
    losses = [...losses.filter(time => time > now - limits.shardLossWindowMs), now]
    if (losses.length > limits.shardLosses) {
      const window = limits.shardLossWindowMs / 1000
      parts.failed(new Error(`shards were lost ${losses.length} times within ${window} s`))
      return
    }
    clock.after(limits.shardPauseMs * 2 ** (losses.length - 1), () => {
      if (parts.isStopping()) return
      restarts.set(place, (restarts.get(place) ?? 0) + 1)
      parts.start(place).catch((error: Error) => {
        log.error(`${parts.nounOf(place)} could not be replaced`, { shard: place, error })
        if (!parts.isStopping()) replace(place)
      })
    })
  }

  return { replace, restarts: place => restarts.get(place) ?? 0, stop: () => cancelWatch() }
}
