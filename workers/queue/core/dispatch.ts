/**
 * Who has which message now. Nothing of it is written: after a restart a new one begins, and everything is ready again.
 *
 *                   take                        end                     committed
 *      available ──────────▶ leased ───────────────────────▶ ending ──────────────▶ gone, or available again
 *          ▲                   │ giveBack                       │
 *          └───────────────────┴────────────────────────────────┘ revive: the end could not be written
 *
 * A lease that has ended frees its place at once, but its message is nobody's until its end is committed. `end` is for whoever
 * shows the token; `expired` and `leave` are for those who do not come back. The caller submits what `verdict.ts` says.
 *
 * A queue has lanes, one for each function that its messages name. Pure: times and tokens come from outside.
 */
import { type Lane, laneId, type Message, type MessageChange } from '../../../src/storage/queue/message.ts'
import type { ReadQueueTables } from '../../../src/storage/queue/tables.ts'
import {
  createKeysUnderWay,
  createSetAside,
  isSameBound,
  type KeysUnderWay,
  keyOf,
  type PerKey,
  type SetAside,
} from './keys.ts'
import { type Lease, PARKINGS, type Parking, type Reason, type TakeRequest } from './lease.ts'
import { createWindow, type Window } from './window.ts'

export interface DispatchOptions {
  readonly tables: Pick<ReadQueueTables, 'ready' | 'due' | 'nextDueMs' | 'oldest' | 'get'>
  /** Messages of a queue that are leased at once with a place, at most. */
  readonly concurrencyOf: (queue: string) => number
  /** Of this start of the engine: tokens begin with it. */
  readonly epoch: string
  readonly windowSize: number
  /** Messages of a lane that may be set aside because of their keys. */
  readonly mostSetAside: number
  /** Characters of a window, and of what is set aside. */
  readonly mostCharacters: number
}

export interface Dispatch {
  /** Leases up to `max` messages, as many as there are places; without reading, of those that are known. */
  take(request: TakeRequest, nowMs: number, mayRead?: boolean): Lease[]
  /** The next one can be taken without reading, or it is known that there is none. */
  isFilled(lane: Lane, nowMs: number): boolean
  /** `undefined`: the lease is over, or somebody else's. */
  end(token: string): Lease | undefined
  get(token: string): Lease | undefined
  /** Of a message. */
  leaseOf(number: number): Lease | undefined
  /** It goes on until `untilMs`. False: it is over. */
  extend(token: string, untilMs: number): boolean
  /** Ended without an attempt: it was not begun. False: it was over. */
  giveBack(token: string): boolean
  /** Ends all leases of a holder who is gone. */
  leave(holder: string): Lease[]
  /** Ends leases whose time has passed. */
  expired(nowMs: number): Lease[]
  /** Lanes in which messages were set aside and may be leased now; asked for after leases have ended. */
  freed(): readonly Lane[]
  /** The end of a lease could not be written: the message is available again. */
  revive(lease: Lease): void
  /** Its end is committed, and has changed nothing if that was not told before: the message is gone already. */
  settle(lease: Lease): void
  /** After a commit. Returns the lanes that may have something to hand out now, by their ids. */
  changed(changes: readonly MessageChange[]): ReadonlyMap<string, Lane>
  /** What is in the tables is not what was told: windows begin anew, leases stay. */
  forget(): void
  /** The whole queue hands out nothing. Of a lane it is only the reason: who serves it does not take, and others may. */
  park(of: string | Lane, parking: Parking): void
  unpark(of: string | Lane, parking: Parking): void
  parkings(queue: string): ReadonlySet<Parking>
  /** Why nothing of a lane is handed out, the first that applies. */
  parkingOf(lane: Lane): Parking | undefined
  leased(queue: string): number
  /** When something happens in a lane without anybody doing anything: a message is due. Without reading, if that is known. */
  nextDueMs(lane: Lane, nowMs: number, mayRead?: boolean): number | undefined
  lanes(): Lane[]
  /** When the time of a lease is over, of all of them the first. */
  nextExpiryMs(): number | undefined
  reasonOf(message: Message, nowMs: number): Reason
}

interface QueueState {
  readonly parkings: Set<Parking>
  /** Leases of it, and those of them that have a place. */
  leased: number
  placed: number
  readonly keys: KeysUnderWay
  readonly lanes: LaneState[]
}

interface LaneState {
  readonly lane: Lane
  readonly id: string
  readonly queue: QueueState
  readonly parkings: Set<Parking>
  window: Window
  taken: number
  /** Not all of its messages have the same: then some leases are for the oldest. */
  hasPriorities: boolean
  /** As whoever takes has said it. */
  perKey: PerKey | undefined
  readonly setAside: SetAside
}

/** With priorities, each of so many leases is for the oldest message, so that low ones do not wait for ever. */
const OLDEST_EACH = 8

const NO_LANES: readonly Lane[] = []

interface Candidate {
  readonly message: Message
  readonly key: string | undefined
}

/** A message that is nobody else’s. */
interface Held {
  /** It may be extended. */
  lease: Lease
  /** The lease is over, and how it has ended is not committed. */
  isEnding: boolean
  /** How often everything was forgotten before: what was read before may not be so any more. */
  readonly era: number
}

export function createDispatch(options: DispatchOptions): Dispatch {
  const { tables, concurrencyOf, epoch, windowSize, mostSetAside, mostCharacters: most } = options
  const queues = new Map<string, QueueState>()
  const lanes = new Map<string, LaneState>()
  const byToken = new Map<string, Held>()
  /** Messages that somebody has, or whose end is not committed, by their numbers. */
  const busy = new Map<number, Held>()
  const freed = new Set<Lane>()
  let given = 0
  let era = 0
  let last: LaneState | undefined

  function queueOf(name: string): QueueState {
    let state = queues.get(name)
    if (state === undefined) {
      state = { parkings: new Set(), leased: 0, placed: 0, keys: createKeysUnderWay(), lanes: [] }
      queues.set(name, state)
    }
    return state
  }

  const newWindow = (lane: Lane, setAside: SetAside): Window =>
    createWindow({ lane, tables, isBusy: one => busy.has(one) || setAside.has(one), size: windowSize, most })

  function laneOf({ queue, functionId, namespace }: Lane): LaneState {
    // Messages of one lane come one after the other.
    if (
      last?.lane.queue === queue &&
      last.lane.functionId === functionId &&
      last.lane.namespace === namespace
    )
      return last
    const lane = { queue, functionId, namespace }
    const id = laneId(lane)
    let state = lanes.get(id)
    if (state === undefined) {
      const setAside = createSetAside({ messages: mostSetAside, characters: most })
      state = {
        lane,
        id,
        queue: queueOf(queue),
        parkings: new Set(),
        window: newWindow(lane, setAside),
        taken: 0,
        hasPriorities: false,
        perKey: undefined,
        setAside,
      }
      lanes.set(id, state)
      state.queue.lanes.push(state)
    }
    last = state
    return state
  }

  const isOldestNext = ({ hasPriorities, taken }: LaneState): boolean =>
    hasPriorities && taken % OLDEST_EACH === OLDEST_EACH - 1

  function release(lease: Lease): void {
    byToken.delete(lease.token)
    const held = busy.get(lease.message.number)
    if (held !== undefined) held.isEnding = true
    const queue = queueOf(lease.message.queue)
    queue.leased--
    if (lease.hasPlace) queue.placed--
    if (lease.key === undefined) return
    queue.keys.end(lease.key)
    makeRoom(queue, lease.key)
  }

  /** Who was set aside because of a key comes back, as many as there is room for. */
  function makeRoom({ keys, lanes }: QueueState, key: string): void {
    for (const { lane, perKey, setAside, window } of lanes) {
      if (perKey === undefined || setAside.size() === 0) continue
      const messages = setAside.takeOf(key, perKey.most - keys.of(key))
      for (const message of messages) window.putBack(message)
      if (messages.length > 0) freed.add(lane)
    }
  }

  /** The next message whose key is not full; the others are set aside, up to a bound. */
  function next(state: LaneState, nowMs: number, mayRead: boolean): Candidate | undefined {
    const { window, perKey, queue, setAside } = state
    while (!setAside.isFull()) {
      const isForOldest = isOldestNext(state)
      if (isForOldest && !mayRead) return undefined
      const message = (isForOldest ? window.takeOldest() : undefined) ?? window.take(nowMs, mayRead)
      if (message === undefined) return undefined
      const key = perKey && keyOf(message, perKey)
      if (key === undefined || queue.keys.of(key) < perKey!.most) return { message, key }
      setAside.add(message, key)
    }
    return undefined
  }

  function isKeyFull(message: Message): boolean {
    const { perKey, queue } = laneOf(message)
    const key = perKey && keyOf(message, perKey)
    return key !== undefined && queue.keys.of(key) >= perKey!.most
  }

  /** It is gone, and nobody had it: it may have been the next of its key. */
  function left(message: Message, { perKey, setAside, queue }: LaneState): void {
    setAside.drop(message.number)
    const key = perKey && keyOf(message, perKey)
    if (key !== undefined) makeRoom(queue, key)
  }

  function available({ message }: Lease): void {
    const state = laneOf(message)
    const isOfNow = busy.get(message.number)?.era === era
    busy.delete(message.number)
    if (isOfNow) state.window.putBack(message)
    else renew(state)
  }

  /** What was read may not be so any more. */
  function renew(state: LaneState): void {
    state.setAside.clear()
    state.window = newWindow(state.lane, state.setAside)
  }

  function endAll(isOver: (lease: Lease) => boolean): Lease[] {
    const over: Lease[] = []
    for (const { lease } of byToken.values()) if (isOver(lease)) over.push(lease)
    for (const lease of over) release(lease)
    return over
  }

  function parkingOf(lane: Lane): Parking | undefined {
    const { queue, parkings } = laneOf(lane)
    return PARKINGS.find(one => parkings.has(one) || queue.parkings.has(one))
  }

  const parkingsOf = (of: string | Lane): Set<Parking> =>
    (typeof of === 'string' ? queueOf(of) : laneOf(of)).parkings

  return {
    take({ lane, holder, max, leaseMs, retry, hasPlace, perKey }, nowMs, mayRead = true) {
      const state = laneOf(lane)
      const { queue } = state
      if (!isSameBound(state.perKey, perKey)) {
        for (const message of state.setAside.takeAll()) state.window.putBack(message)
        state.perKey = perKey
      }
      const leases: Lease[] = []
      if (queue.parkings.size > 0) return leases
      const places = hasPlace ? concurrencyOf(lane.queue) : Number.POSITIVE_INFINITY
      while (leases.length < max && (!hasPlace || queue.placed < places)) {
        const found = next(state, nowMs, mayRead)
        if (found === undefined) break
        const { message, key } = found
        state.taken++
        if (message.priority !== 0) state.hasPriorities = true
        const token = `${epoch}-${++given}`
        const attempt = message.failures + 1
        const lease = { token, message, attempt, holder, untilMs: nowMs + leaseMs, retry, hasPlace, key }
        const held: Held = { lease, isEnding: false, era }
        byToken.set(token, held)
        busy.set(message.number, held)
        queue.leased++
        if (hasPlace) queue.placed++
        if (key !== undefined) queue.keys.begin(key)
        leases.push(lease)
      }
      return leases
    },
    isFilled(lane, nowMs) {
      const state = laneOf(lane)
      if (state.setAside.isFull()) return true
      return !isOldestNext(state) && state.window.isFilled(nowMs)
    },
    end(token) {
      const lease = byToken.get(token)?.lease
      if (lease !== undefined) release(lease)
      return lease
    },
    get: token => byToken.get(token)?.lease,
    leaseOf(number) {
      const held = busy.get(number)
      return held?.isEnding === false ? held.lease : undefined
    },
    extend(token, untilMs) {
      const held = byToken.get(token)
      if (held !== undefined) held.lease = { ...held.lease, untilMs }
      return held !== undefined
    },
    giveBack(token) {
      const lease = byToken.get(token)?.lease
      if (lease === undefined) return false
      release(lease)
      available(lease)
      return true
    },
    leave: holder => endAll(lease => lease.holder === holder),
    expired: nowMs => endAll(({ untilMs }) => untilMs <= nowMs),
    freed() {
      if (freed.size === 0) return NO_LANES
      const lanes = [...freed]
      freed.clear()
      return lanes
    },
    revive(lease) {
      if (busy.get(lease.message.number)?.isEnding === true) available(lease)
    },
    settle(lease) {
      const held = busy.get(lease.message.number)
      if (held?.isEnding === true && held.lease === lease) busy.delete(lease.message.number)
    },
    changed(changes) {
      const touched = new Map<string, Lane>()
      for (const change of changes) {
        const { event, message } = change
        const held = busy.get(message.number)
        if (held?.isEnding === true) {
          // It was read and handed out before it was told of: that is not the end that it waits for.
          if (event === 'placed' && message.failures < held.lease.attempt) continue
          busy.delete(message.number)
        }
        const state = laneOf(message)
        state.window.changed(change)
        if (event === 'gone' && held === undefined && state.setAside.size() > 0) left(message, state)
        if (event === 'placed') touched.set(state.id, state.lane)
      }
      return touched
    },
    forget() {
      era++
      for (const state of lanes.values()) renew(state)
    },
    park: (of, parking) => void parkingsOf(of).add(parking),
    unpark: (of, parking) => void parkingsOf(of).delete(parking),
    parkings: queue => queueOf(queue).parkings,
    parkingOf,
    leased: queue => queueOf(queue).leased,
    nextDueMs: (lane, nowMs, mayRead) => laneOf(lane).window.nextDueMs(nowMs, mayRead),
    lanes: () => [...lanes.values()].map(({ lane }) => lane),
    nextExpiryMs() {
      let next = Number.POSITIVE_INFINITY
      for (const { lease } of byToken.values()) next = Math.min(next, lease.untilMs)
      return next === Number.POSITIVE_INFINITY ? undefined : next
    },
    reasonOf(message, nowMs) {
      if (message.deadAtMs !== undefined) return 'dead'
      const held = busy.get(message.number)
      if (held !== undefined) return held.isEnding ? 'ending' : 'leased'
      if (!message.isHead) return 'predecessor'
      if (message.dueAtMs !== undefined && message.dueAtMs > nowMs) {
        return message.failures > 0 ? 'backing_off' : 'scheduled'
      }
      const parking = parkingOf(message)
      if (parking !== undefined) return parking
      if (queueOf(message.queue).placed >= concurrencyOf(message.queue)) return 'no_capacity'
      return isKeyFull(message) ? 'key' : 'ready'
    },
  }
}
