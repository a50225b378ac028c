/** Calls that wait until something happens, which has a name, or until their time is over. */
import { HandlerError } from '../sdk/typescript/src/errors.ts'
import type { Clock } from '../src/clock/clock.ts'

/** `Event`: what those who wait may look at, to find that it is not what they wait for. */
export interface Waiters<Event = void> {
  /** Nobody waits: there is nothing to wake. */
  isEmpty(): boolean
  /**
   * Resolves when `id` is woken, after `ms` milliseconds, when the call is given up, or when all of it ends. Throws a `HandlerError`
   * `limit_exceeded` when too many wait already. `isMeant`: only for such events; absent: for all of them.
   */
  wait(id: string, ms: number, signal: AbortSignal, isMeant?: (event: Event) => boolean): Promise<void>
  /** All who wait for it go on; who came in vain waits again. */
  wake(id: string, event: Event): void
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

interface Waiter<Event> {
  isMeant(event: Event): boolean
  wake(): void
}

export function createWaiters<Event = void>({ clock, most, of, waits }: WaitersOptions): Waiters<Event> {
  const waiting = new Map<string, Set<Waiter<Event>>>()
  let count = 0
  let isOver = false

  return {
    isEmpty: () => count === 0,
    async wait(id, ms, signal, isMeant = () => true) {
      if (isOver || signal.aborted) return
      if (count >= most) throw new HandlerError('limit_exceeded', `${most} calls of ${of} wait already`)
      await new Promise<void>(resolve => {
        const others = waiting.get(id) ?? new Set()
        const waiter: Waiter<Event> = { isMeant, wake }
        const cancel = clock.after(ms, wake)
        function wake(): void {
          if (!others.delete(waiter)) return
          count--
          waits(-1)
          if (others.size === 0) waiting.delete(id)
          cancel()
          signal.removeEventListener('abort', wake)
          resolve()
        }
        waiting.set(id, others.add(waiter))
        count++
        waits(1)
        signal.addEventListener('abort', wake)
      })
    },
    wake(id, event) {
      for (const waiter of [...(waiting.get(id) ?? [])]) if (waiter.isMeant(event)) waiter.wake()
    },
    isOver: () => isOver,
    end() {
      isOver = true
      for (const { wake } of [...waiting.values()].flatMap(each => [...each])) wake()
    },
  }
}
