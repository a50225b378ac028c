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
import {
  canBeLeased,
  type Lane,
  type Message,
  type MessageChange,
} from '../../../src/storage/queue/message.ts'
import type { ReadQueueTables } from '../../../src/storage/queue/tables.ts'
import { isSameBound, keyOf } from './keys.ts'
import { createLanes, type LaneState, type Lanes, type QueueState } from './lanes.ts'
import { type Lease, PARKINGS, type Parking, type Reason, type TakeRequest } from './lease.ts'

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
  /** Lanes beyond these are forgotten while they have no messages. */
  readonly lanesRemembered: number
}

export interface Dispatch extends Pick<Lanes, 'isCrowded' | 'idle'> {
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
  /** The clock was set forward, or back: the times of all leases with it. */
  moveLeases(ms: number): void
  /** Ends leases whose time has passed. */
  expired(nowMs: number): Lease[]
  /** Lanes in which messages may be leased now that could not be before; asked for after leases have ended. */
  freed(): readonly Lane[]
  /** The end of a lease could not be written: the message is available again, in the lane that is returned. See `freed`, too. */
  revive(lease: Lease): Lane | undefined
  /** Its end is committed, and has changed nothing if that was not told before: the message is gone already. */
  settle(lease: Lease): void
  /** After a commit. Returns the lanes that may have something to hand out now, by their ids. */
  changed(changes: readonly MessageChange[]): ReadonlyMap<string, Lane>
  /** What is in the tables is not what was told: windows begin anew, leases stay. */
  forget(): void
  /** All messages of a queue are those of another: of the lane `to`, if they named no function. */
  adopted(queue: string, to: Lane): void
  /** Of lanes that are idle, those that are not parked. */
  forgetLanes(lanes: readonly Lane[]): void
  /** The whole queue hands out nothing. Of a lane it is only the reason: who serves it does not take, and others may. */
  park(of: string | Lane, parking: Parking): void
  unpark(of: string | Lane, parking: Parking): void
  /** Queues that are parked so. */
  parked(parking: Parking): readonly string[]
  /** Why nothing of a lane is handed out, the first that applies. */
  parkingOf(lane: Lane): Parking | undefined
  leased(queue: string): number
  /** When something happens in a lane without anybody doing anything: a message is due. Without reading, if that is known. */
  nextDueMs(lane: Lane, nowMs: number, mayRead?: boolean): number | undefined
  /** Of a queue, or all. */
  lanes(queue?: string): Lane[]
  /** When the time of a lease is over, of all of them the first. */
  nextExpiryMs(): number | undefined
  reasonOf(message: Message, nowMs: number): Reason
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
  /** It may be extended, and its message may be moved. */
  lease: Lease
  /** The lease is over, and how it has ended is not committed. */
  isEnding: boolean
  /** The message was removed: it does not come back when the lease is given back. */
  isGone: boolean
  /** Where it counts while the lease goes on: the queue of its message. */
  queue: QueueState
  /** How often everything was forgotten before: what was read before may not be so any more. */
  readonly era: number
}

export function createDispatch(options: DispatchOptions): Dispatch {
  const { tables, concurrencyOf, epoch, windowSize, mostSetAside, mostCharacters, lanesRemembered } = options
  const byToken = new Map<string, Held>()
  /** Messages that somebody has, or whose end is not committed, by their numbers. */
  const busy = new Map<number, Held>()
  const isBusy = (number: number): boolean => busy.has(number)
  const lanes = createLanes({
    tables,
    isBusy,
    size: windowSize,
    most: mostCharacters,
    mostSetAside,
    remembered: lanesRemembered,
  })
  const { laneOf } = lanes
  const freed = new Set<Lane>()
  let areAllFreed = false
  let given = 0
  let era = 0

  const isOldestNext = ({ hasPriorities, taken }: LaneState): boolean =>
    hasPriorities && taken % OLDEST_EACH === OLDEST_EACH - 1

  function count({ queue, lease }: Held): void {
    queue.leased++
    if (lease.hasPlace) queue.placed++
    if (lease.key !== undefined) queue.keys.begin(lease.key)
  }

  function uncount({ queue, lease }: Held): void {
    queue.leased--
    if (lease.hasPlace) queue.placed--
    if (lease.key === undefined) return
    queue.keys.end(lease.key)
    makeRoom(queue, lease.key)
  }

  function release(held: Held): void {
    byToken.delete(held.lease.token)
    held.isEnding = true
    uncount(held)
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
    const { perKey, queue } = lanes.find(message) ?? {}
    const key = perKey && keyOf(message, perKey)
    return key !== undefined && queue!.keys.of(key) >= perKey!.most
  }

  /** It is in its lane no more. If nobody had it, it may have been the next of its key. */
  function left(message: Message, held: Held | undefined): void {
    const { perKey, queue, setAside, window } = laneOf(message)
    window.gone(message)
    if (held !== undefined || setAside.size() === 0) return
    setAside.drop(message.number)
    const key = perKey && keyOf(message, perKey)
    if (key !== undefined) makeRoom(queue, key)
  }

  /** What was told of a message that somebody has. */
  function follow(held: Held, message: Message): void {
    held.isGone = false
    const queue = lanes.queueOf(message.queue)
    const isElsewhere = queue !== held.queue
    if (isElsewhere && !held.isEnding) uncount(held)
    held.queue = queue
    held.lease = { ...held.lease, message }
    if (isElsewhere && !held.isEnding) count(held)
  }

  /** Where it is available now; `undefined`: nowhere, or in a lane that nobody knows, and `freed` has all of them. */
  function available(held: Held): Lane | undefined {
    const { message } = held.lease
    busy.delete(message.number)
    if (held.era !== era) {
      lanes.renewAll()
      areAllFreed = true
      return undefined
    }
    if (held.isGone || !canBeLeased(message)) return undefined
    const { lane, window } = laneOf(message)
    window.putBack(message)
    return lane
  }

  function endAll(isOver: (lease: Lease) => boolean): Lease[] {
    const over = [...byToken.values()].filter(({ lease }) => isOver(lease))
    for (const held of over) release(held)
    return over.map(({ lease }) => lease)
  }

  function parkingOf(lane: Lane): Parking | undefined {
    const parked = [lanes.find(lane)?.parkings, lanes.findQueue(lane.queue)?.parkings]
    return PARKINGS.find(one => parked.some(each => each?.has(one)))
  }

  /** Returns the lane that may have something to hand out because of it. */
  function told(change: MessageChange): LaneState | undefined {
    const { event, message } = change
    const held = busy.get(message.number)
    if (event === 'gone') {
      if (held?.isEnding === true) busy.delete(message.number)
      else if (held !== undefined) held.isGone = true
      left(message, held)
      return undefined
    }
    // One that was read and handed out before it was told of is not at its end yet.
    if (event === 'placed' && held?.isEnding === true && message.failures >= held.lease.attempt)
      busy.delete(message.number)
    else if (held !== undefined) follow(held, message)
    if (event === 'moved') left(change.before, held)
    if (!canBeLeased(message)) return undefined
    const state = laneOf(message)
    state.window.placed(message)
    return state
  }

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
        const held: Held = { lease, isEnding: false, isGone: false, queue, era }
        byToken.set(token, held)
        busy.set(message.number, held)
        count(held)
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
      const held = byToken.get(token)
      if (held !== undefined) release(held)
      return held?.lease
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
      const held = byToken.get(token)
      if (held === undefined) return false
      release(held)
      available(held)
      return true
    },
    leave: holder => endAll(lease => lease.holder === holder),
    moveLeases(ms) {
      for (const held of byToken.values()) held.lease = { ...held.lease, untilMs: held.lease.untilMs + ms }
    },
    expired: nowMs => endAll(({ untilMs }) => untilMs <= nowMs),
    freed() {
      if (freed.size === 0 && !areAllFreed) return NO_LANES
      const found = areAllFreed ? [...lanes.all()].map(({ lane }) => lane) : [...freed]
      freed.clear()
      areAllFreed = false
      return found
    },
    revive({ message: { number } }) {
      const held = busy.get(number)
      return held?.isEnding === true ? available(held) : undefined
    },
    settle({ token, message: { number } }) {
      const held = busy.get(number)
      if (held?.isEnding === true && held.lease.token === token) busy.delete(number)
    },
    changed(changes) {
      const touched = new Map<string, Lane>()
      for (const change of changes) {
        const state = told(change)
        if (state !== undefined) touched.set(state.id, state.lane)
      }
      return touched
    },
    forget() {
      era++
      lanes.renewAll()
    },
    adopted(from, to) {
      for (const held of busy.values()) {
        const { message } = held.lease
        if (message.queue === from)
          follow(held, { ...message, ...(message.functionId === undefined ? to : { queue: to.queue }) })
      }
      for (const name of [from, to.queue]) {
        const queue = lanes.findQueue(name)
        if (queue !== undefined) lanes.renew(queue)
      }
      laneOf(to)
    },
    isCrowded: lanes.isCrowded,
    idle: lanes.idle,
    forgetLanes: lanes.forget,
    park: (of, parking) =>
      void (typeof of === 'string' ? lanes.queueOf(of) : laneOf(of)).parkings.add(parking),
    unpark: (of, parking) =>
      void (typeof of === 'string' ? lanes.findQueue(of) : lanes.find(of))?.parkings.delete(parking),
    parked: parking =>
      [...lanes.queues()].filter(({ parkings }) => parkings.has(parking)).map(({ name }) => name),
    parkingOf,
    leased: queue => lanes.findQueue(queue)?.leased ?? 0,
    nextDueMs: (lane, nowMs, mayRead) => laneOf(lane).window.nextDueMs(nowMs, mayRead),
    lanes(queue) {
      const states = queue === undefined ? lanes.all() : (lanes.findQueue(queue)?.lanes ?? [])
      return [...states].map(({ lane }) => lane)
    },
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
      if ((lanes.findQueue(message.queue)?.placed ?? 0) >= concurrencyOf(message.queue)) return 'no_capacity'
      return isKeyFull(message) ? 'key' : 'ready'
    },
  }
}
