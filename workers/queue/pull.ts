/**
 * Whoever takes messages instead of having them handed to it: `queue::pop` waits until there is one, and its leases are ended by
 * their tokens. When the worker that has popped is gone, its leases are lost.
 */
import type { Clock } from '../../src/clock/clock.ts'
import { limits } from '../../src/protocol/limits.ts'
import { type Lane, laneId } from '../../src/storage/queue/message.ts'
import { createWaiters } from '../waiters.ts'
import type { QueueBackend } from './backend.ts'
import type { Lease } from './core/lease.ts'
import { portionsOf } from './portions.ts'
import type { Tuning } from './tuning.ts'

export interface Pop {
  readonly lane: Lane
  readonly tuning: Pick<Tuning, 'leaseMs' | 'retry' | 'perKey'>
  readonly holder: string
  readonly max: number
  readonly waitMs: number
  readonly signal: AbortSignal
}

export interface Pull {
  pop(pop: Pop): Promise<readonly Lease[]>
  ready(lanes: Iterable<Lane>): void
  /** Nobody waits any more. */
  end(): void
}

export function createPull(backend: QueueBackend, clock: Clock, waits: (more: number) => void): Pull {
  const waiters = createWaiters({ clock, most: limits.queueWaiters, of: 'queue::pop', waits })
  /** How often something has come. */
  let comings = 0
  return {
    async pop({ lane, tuning, holder, max, waitMs, signal }) {
      const untilMs = clock.now() + waitMs
      for (;;) {
        const before = comings
        const leases = await backend.take({
          lane,
          holder,
          max,
          leaseMs: tuning.leaseMs,
          retry: tuning.retry,
          hasPlace: false,
          perKey: tuning.perKey,
        })
        if (signal.aborted) {
          // Nobody hears of them.
          for (const { token } of leases) void backend.giveBack(token)
          return []
        }
        const leftMs = untilMs - clock.now()
        if (leases.length > 0 || leftMs <= 0 || waiters.isOver()) {
          // More than an answer can hold is for the next call.
          const [portion = [], ...others] = portionsOf(leases, max)
          for (const { token } of others.flat()) void backend.giveBack(token)
          return portion
        }
        // What came while it was looked for may not have been seen.
        if (comings === before) await waiters.wait(laneId(lane), leftMs, signal)
      }
    },
    ready(lanes) {
      comings++
      if (waiters.isEmpty()) return
      for (const lane of lanes) waiters.wake(laneId(lane))
    },
    end: waiters.end,
  }
}
