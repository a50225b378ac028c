/**
 * Who has which message now. Nothing of it is written: after a restart a new one begins, and everything is ready again.
 *
 *                   take                        end                     committed
 *      available ──────────▶ leased ───────────────────────▶ ending ──────────────▶ gone, or available again
 *          ▲                   │ giveBack                       │
 *          └───────────────────┴────────────────────────────────┘ revive: the end could not be written
 *
 * A lease that has ended frees its slot at once, but its message is nobody's until its end is committed. `end` is for whoever
 * shows the token; `expired` and `leave` end leases of those who do not come back. For each of them the caller submits
 * what `verdict.ts` says.
 *
 * Pure: times and tokens come from outside.
 */
import type { Message, MessageChange } from '../../../src/storage/queue/message.ts'
import type { ReadQueueTables } from '../../../src/storage/queue/tables.ts'
import { type Lease, PARKINGS, type Parking, type Reason } from './lease.ts'
import { createWindow, type Window } from './window.ts'

export interface QueueLimits {
  /** Messages that are leased at once, at most. */
  readonly concurrency: number
  /** Milliseconds of a lease. */
  readonly leaseMs: number
}

export interface DispatchOptions {
  readonly tables: Pick<ReadQueueTables, 'ready' | 'due' | 'nextDueMs'>
  readonly limitsOf: (queue: string) => QueueLimits
  /** Of this start of the engine: tokens begin with it. */
  readonly epoch: string
  readonly windowSize: number
}

export interface Dispatch {
  /** Leases up to `max` messages, as many as there are slots. */
  take(queue: string, holder: string, max: number, nowMs: number): Lease[]
  /** `undefined`: the lease is over, or somebody else's. */
  end(token: string): Lease | undefined
  /** It goes on until `untilMs`. False: it is over. */
  extend(token: string, untilMs: number): boolean
  /** Ended without an attempt: it was not begun. False: it was over. */
  giveBack(token: string): boolean
  /** Ends all leases of a holder who is gone. */
  leave(holder: string): Lease[]
  /** Ends leases whose time has passed. */
  expired(nowMs: number): Lease[]
  /** The end of a lease could not be written: the message is available again. */
  revive(lease: Lease): void
  /** After a commit. Returns the queues that may have something to hand out now. */
  changed(changes: readonly MessageChange[]): ReadonlySet<string>
  park(queue: string, parking: Parking): void
  unpark(queue: string, parking: Parking): void
  leased(queue: string): number
  /** When something happens without anybody doing anything: a lease ends, a message is due. */
  nextMs(nowMs: number): number | undefined
  reasonOf(message: Message, nowMs: number): Reason
}

interface State {
  readonly window: Window
  readonly parkings: Set<Parking>
  leased: number
}

export function createDispatch({ tables, limitsOf, epoch, windowSize }: DispatchOptions): Dispatch {
  const states = new Map<string, State>()
  const byToken = new Map<string, Lease>()
  /** Numbers of messages that somebody has, or whose end is not committed. */
  const busy = new Map<number, 'leased' | 'ending'>()
  let given = 0

  function stateOf(queue: string): State {
    const found = states.get(queue)
    if (found !== undefined) return found
    const lane = { queue, functionId: undefined, namespace: undefined }
    const isBusy = (number: number): boolean => busy.has(number)
    const state: State = {
      window: createWindow({ lane, tables, isBusy, size: windowSize }),
      parkings: new Set(),
      leased: 0,
    }
    states.set(queue, state)
    return state
  }

  function release(lease: Lease): void {
    byToken.delete(lease.token)
    busy.set(lease.message.number, 'ending')
    stateOf(lease.message.queue).leased--
  }

  function available({ message }: Lease): void {
    busy.delete(message.number)
    stateOf(message.queue).window.putBack(message)
  }

  function endAll(isOver: (lease: Lease) => boolean): Lease[] {
    const over = [...byToken.values()].filter(isOver)
    for (const lease of over) release(lease)
    return over
  }

  return {
    take(queue, holder, max, nowMs) {
      const state = stateOf(queue)
      const leases: Lease[] = []
      if (state.parkings.size > 0) return leases
      const { concurrency, leaseMs } = limitsOf(queue)
      while (leases.length < max && state.leased < concurrency) {
        const message = state.window.take(nowMs)
        if (message === undefined) break
        const token = `${epoch}-${++given}`
        const lease = { token, message, attempt: message.failures + 1, holder, untilMs: nowMs + leaseMs }
        byToken.set(token, lease)
        busy.set(message.number, 'leased')
        state.leased++
        leases.push(lease)
      }
      return leases
    },
    end(token) {
      const lease = byToken.get(token)
      if (lease !== undefined) release(lease)
      return lease
    },
    extend(token, untilMs) {
      const lease = byToken.get(token)
      if (lease !== undefined) byToken.set(token, { ...lease, untilMs })
      return lease !== undefined
    },
    giveBack(token) {
      const lease = byToken.get(token)
      if (lease === undefined) return false
      release(lease)
      available(lease)
      return true
    },
    leave: holder => endAll(lease => lease.holder === holder),
    expired: nowMs => endAll(({ untilMs }) => untilMs <= nowMs),
    revive(lease) {
      if (busy.get(lease.message.number) === 'ending') available(lease)
    },
    changed(changes) {
      const queues = new Set<string>()
      for (const change of changes) {
        const { number, queue } = change.message
        if (busy.get(number) === 'ending') busy.delete(number)
        stateOf(queue).window.changed(change)
        queues.add(queue)
      }
      return queues
    },
    park: (queue, parking) => void stateOf(queue).parkings.add(parking),
    unpark: (queue, parking) => void stateOf(queue).parkings.delete(parking),
    leased: queue => stateOf(queue).leased,
    nextMs(nowMs) {
      let next = Number.POSITIVE_INFINITY
      for (const { untilMs } of byToken.values()) next = Math.min(next, untilMs)
      for (const { window } of states.values()) next = Math.min(next, window.nextDueMs(nowMs) ?? next)
      return next === Number.POSITIVE_INFINITY ? undefined : next
    },
    reasonOf(message, nowMs) {
      if (message.deadAtMs !== undefined) return 'dead'
      const held = busy.get(message.number)
      if (held !== undefined) return held
      if (!message.isHead) return 'predecessor'
      if (message.dueAtMs !== undefined && message.dueAtMs > nowMs) {
        return message.failures > 0 ? 'backing_off' : 'scheduled'
      }
      const { parkings, leased } = stateOf(message.queue)
      const parking = PARKINGS.find(one => parkings.has(one))
      if (parking !== undefined) return parking
      return leased >= limitsOf(message.queue).concurrency ? 'no_capacity' : 'ready'
    },
  }
}
