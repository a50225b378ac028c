/**
 * Whoever takes messages instead of having them handed to it: `queue::pop` waits until there is one, and its leases are ended by
 * their tokens. When the worker that has popped is gone, its leases are lost.
 */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { limits } from '../../src/protocol/limits.ts'
import { type Lane, laneId } from '../../src/storage/queue/message.ts'
import type { QueueBackend } from './backend.ts'
import type { Lease } from './core/lease.ts'
import { portionsOf } from './portions.ts'
import type { Tuning } from './tuning.ts'

export interface Pop {
  readonly lane: Lane
  readonly tuning: Pick<Tuning, 'leaseMs' | 'retry'>
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
  const waiting = new Map<string, Set<() => void>>()
  let count = 0
  let isOver = false

  function woken(lane: Lane, ms: number, signal: AbortSignal): Promise<void> {
    if (isOver || signal.aborted) return Promise.resolve()
    if (count >= limits.queueWaiters)
      throw new HandlerError('limit_exceeded', `${limits.queueWaiters} calls of queue::pop wait already`)
    return new Promise(resolve => {
      const id = laneId(lane)
      const others = waiting.get(id) ?? new Set()
      const cancel = clock.after(ms, wake)
      function wake(): void {
        if (!others.delete(wake)) return
        count--
        waits(-1)
        if (others.size === 0) waiting.delete(id)
        cancel()
        signal.removeEventListener('abort', wake)
        resolve()
      }
      waiting.set(id, others.add(wake))
      count++
      waits(1)
      signal.addEventListener('abort', wake)
    })
  }

  return {
    async pop({ lane, tuning, holder, max, waitMs, signal }) {
      const untilMs = clock.now() + waitMs
      for (;;) {
        const leases = await backend.take({
          lane,
          holder,
          max,
          leaseMs: tuning.leaseMs,
          retry: tuning.retry,
          hasPlace: false,
        })
        if (signal.aborted) {
          // Nobody hears of them.
          for (const { token } of leases) void backend.giveBack(token)
          return []
        }
        const leftMs = untilMs - clock.now()
        if (leases.length > 0 || leftMs <= 0 || isOver) {
          // More than an answer can hold is for the next call.
          const [portion = [], ...others] = portionsOf(leases, max)
          for (const { token } of others.flat()) void backend.giveBack(token)
          return portion
        }
        await woken(lane, leftMs, signal)
      }
    },
    ready(lanes) {
      if (count === 0) return
      for (const lane of lanes) {
        // All of them look; who comes too late waits again.
        for (const wake of [...(waiting.get(laneId(lane)) ?? [])]) wake()
      }
    },
    end() {
      isOver = true
      for (const wakes of [...waiting.values()]) for (const wake of [...wakes]) wake()
    },
  }
}
