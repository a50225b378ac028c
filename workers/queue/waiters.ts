/** Calls that wait until something happens, which has a name, or until their time is over. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import type { Clock } from '../../src/clock/clock.ts'

export interface Waiters {
  /** Nobody waits: there is nothing to wake. */
  isEmpty(): boolean
  /**
   * Resolves when `id` is woken, after `ms` milliseconds, when the call is given up, or when all of it ends. Throws a `HandlerError`
   * `limit_exceeded` when too many wait already.
   */
  wait(id: string, ms: number, signal: AbortSignal): Promise<void>
  /** All who wait for it go on; who came in vain waits again. */
  wake(id: string): void
  /** Nobody waits any more. */
  end(): void
  isOver(): boolean
}

export interface WaitersOptions {
  readonly clock: Clock
  /** Calls that wait at once. */
  readonly most: number
  /** What waits, in messages. */
  readonly of: string
  /** So many more are waiting, or fewer. */
  readonly waits: (more: number) => void
}

export function createWaiters({ clock, most, of, waits }: WaitersOptions): Waiters {
  const waiting = new Map<string, Set<() => void>>()
  let count = 0
  let isOver = false

  return {
    isEmpty: () => count === 0,
    async wait(id, ms, signal) {
      if (isOver || signal.aborted) return
      if (count >= most) throw new HandlerError('limit_exceeded', `${most} calls of ${of} wait already`)
      await new Promise<void>(resolve => {
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
    },
    wake(id) {
      for (const wake of [...(waiting.get(id) ?? [])]) wake()
    },
    isOver: () => isOver,
    end() {
      isOver = true
      for (const wakes of [...waiting.values()]) for (const wake of [...wakes]) wake()
    },
  }
}
