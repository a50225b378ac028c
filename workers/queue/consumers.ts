/**
 * Who has messages handed to it: a function, called with each message of a lane.
 *
 *     something is ready ─┐                      ┌─ condition says no ─────────▶ finish
 *     a place is free ────┼─▶ take ─▶ call ──────┤─ answered ──────────────────▶ finish
 *     the function is back┘    ▲                 ├─ error, or the lease is over ▶ fail
 *                              │                 ├─ its worker is gone ─────────▶ lose
 *                              └─────────────────┴─ was not called ─────────────▶ giveBack
 *
 * No more is taken than can run now. Lanes of a queue, and consumers of a lane, take turns.
 */
import type { BuiltInClient } from '../../sdk/typescript/src/worker.ts'
import type { Clock } from '../../src/clock/clock.ts'
import { limits } from '../../src/protocol/limits.ts'
import { type Lane, laneId } from '../../src/storage/queue/message.ts'
import type { QueueBackend } from './backend.ts'
import type { Lease, Parking } from './core/lease.ts'
import type { Functions } from './functionWatch.ts'
import { type Consumer, type ConsumerOptions, createHandling } from './handling.ts'
import { createMetadataWriter } from './metadata.ts'
import { parseQueue } from './names.ts'
import { portionsOf } from './portions.ts'
import { createRate, type Rate } from './rate.ts'

export interface ConsumersParts {
  readonly client: Pick<BuiltInClient, 'call'>
  readonly backend: QueueBackend
  readonly functions: Functions
  readonly clock: Clock
  readonly wallClock: () => number
  /** The consumer of a lane that has none of its own: of the function that its messages name. */
  readonly implicit: (lane: Lane) => ConsumerOptions | undefined
  /** Messages of a queue that may begin in a second. Absent: as many as there are. */
  readonly ratePerSecond: (queue: string) => number | undefined
}

export interface Consumers {
  add(options: ConsumerOptions): void
  /** What runs may end; nothing more is taken. */
  remove(id: string): void
  /** These lanes may have something to hand out. */
  ready(lanes: Iterable<Lane>): void
  /** These lanes have no messages: those that have no consumers of their own are forgotten, and not parked any more. */
  idle(lanes: readonly Lane[]): void
  /** The lease of a call is over: it is given up. */
  expired(lease: Lease): void
  /** The settings of a queue are others: what they say holds from now on. */
  changed(queue: string): void
  /** `functions`: those of them that somebody answers, each once. */
  consumersOf(queue: string): {
    readonly consumers: number
    readonly running: number
    readonly functions: number
  }
  /** Takes nothing more; resolves when all that runs has ended. */
  drain(): Promise<void>
  stop(): void
}

interface LaneState {
  readonly lane: Lane
  readonly queue: QueueState
  consumers: Consumer[]
  /** Why it is left alone, until its function comes or the time is over. */
  rest: { readonly parking: Parking; readonly cancel: () => void } | undefined
  parking: Parking | undefined
  /** Looks at the store that are under way, with the places they may need. */
  takes: number
  /** Something came meanwhile, which they may not have seen. */
  isMissed: boolean
}

interface QueueState {
  perSecond: number | undefined
  rate: Rate | undefined
  readonly lanes: LaneState[]
  /** Which lane has its turn first. */
  turn: number
}

export function createConsumers(parts: ConsumersParts): Consumers {
  const { client, backend, functions, clock, wallClock, implicit, ratePerSecond } = parts
  const lanes = new Map<string, LaneState>()
  const queues = new Map<string, QueueState>()
  const byId = new Map<string, { readonly lane: LaneState; readonly consumer: Consumer }>()
  /** Lanes with consumers of a function. */
  const byFunction = new Map<string, Set<LaneState>>()
  const dirty = new Set<QueueState>()
  let running = 0
  let isEnding = false
  let idle: (() => void) | undefined

  const handling = createHandling<LaneState>({
    client,
    backend,
    functions,
    wallClock,
    over({ state, consumer }) {
      count(consumer, -1)
      look(state.queue)
    },
    rest: ({ state }, parking, ms) => rest(state, parking, ms),
  })

  const unfollow = functions.follow((namespace, functionId) => {
    for (const state of byFunction.get(functionId) ?? []) {
      const isOf = state.consumers.some(
        consumer =>
          consumer.functionId === functionId &&
          (namespace === undefined || (consumer.namespace ?? 'default') === namespace),
      )
      if (isOf) wake(state)
    }
  })

  function join(state: LaneState, options: ConsumerOptions): Consumer {
    const consumer = consumerOf(options)
    state.consumers.push(consumer)
    const served = byFunction.get(consumer.functionId)
    if (served === undefined) byFunction.set(consumer.functionId, new Set([state]))
    else served.add(state)
    return consumer
  }

  function leave({ lane, consumer }: { readonly lane: LaneState; readonly consumer: Consumer }): void {
    const { functionId } = consumer
    lane.consumers = lane.consumers.filter(one => one !== consumer)
    if (lane.consumers.some(one => one.functionId === functionId)) return
    const served = byFunction.get(functionId)
    served?.delete(lane)
    if (served?.size === 0) byFunction.delete(functionId)
  }

  function laneOf(lane: Lane): LaneState {
    const id = laneId(lane)
    let state = lanes.get(id)
    if (state !== undefined) return state
    let queue = queues.get(lane.queue)
    if (queue === undefined) {
      const perSecond = ratePerSecond(lane.queue)
      queue = {
        perSecond,
        rate: perSecond === undefined ? undefined : createRate(perSecond, clock.now),
        lanes: [],
        turn: 0,
      }
      queues.set(lane.queue, queue)
    }
    state = {
      lane,
      queue,
      consumers: [],
      rest: undefined,
      parking: undefined,
      takes: 0,
      isMissed: false,
    }
    lanes.set(id, state)
    queue.lanes.push(state)
    const usual = implicit(lane)
    if (usual !== undefined) join(state, usual)
    return state
  }

  const consumerOf = (options: ConsumerOptions): Consumer => ({
    ...options,
    writeMetadata: createMetadataWriter(options.metadata, options.tuning.batch !== undefined),
    running: 0,
    isOver: false,
  })

  function look(queue: QueueState): void {
    if (isEnding) return
    if (dirty.size === 0) queueMicrotask(pumpAll)
    dirty.add(queue)
  }

  function wake(state: LaneState): void {
    state.rest?.cancel()
    state.rest = undefined
    look(state.queue)
  }

  /** Leaves a lane alone for a time. */
  function rest(state: LaneState, parking: Parking, ms: number): void {
    // One that was forgotten has nobody who would wake it.
    if (state.rest !== undefined || isEnding || lanes.get(laneId(state.lane)) !== state) return
    const cancel = clock.after(ms, () => wake(state))
    state.rest = { parking, cancel }
    setParking(state, parking)
  }

  function setParking(state: LaneState, parking: Parking | undefined): void {
    if (state.parking === parking) return
    if (state.parking !== undefined) backend.unpark(state.lane, state.parking)
    if (parking !== undefined) backend.park(state.lane, parking)
    state.parking = parking
  }

  function pumpAll(): void {
    const queues = [...dirty]
    dirty.clear()
    for (const queue of queues) pump(queue)
  }

  function pump(queue: QueueState): void {
    if (isEnding) return
    const { lanes, turn } = queue
    queue.turn = lanes.length === 0 ? 0 : (turn + 1) % lanes.length
    for (let step = 0; step < lanes.length; step++) pumpLane(lanes[(turn + step) % lanes.length]!)
  }

  /** It waits for whoever takes it, and nobody has to be there. */
  const isForTakers = ({ lane, consumers }: LaneState): boolean =>
    consumers.length === 0 && lane.functionId === undefined && parseQueue(lane.queue).kind === 'named'

  const isServed = ({ functionId, namespace, tuning }: Consumer): boolean =>
    tuning.missing === 'fail' || functions.find(namespace, functionId) !== undefined

  function pumpLane(state: LaneState): void {
    if (state.rest !== undefined) return
    const { consumers } = state
    const served = consumers.filter(isServed)
    setParking(state, served.length === 0 && !isForTakers(state) ? 'no_worker' : undefined)
    for (const consumer of served) {
      const free = consumer.tuning.concurrency - consumer.running
      if (free > 0) take(state, consumer, free)
    }
    // The next one begins.
    if (consumers.length > 1) consumers.push(consumers.shift()!)
  }

  function take(state: LaneState, consumer: Consumer, free: number): void {
    const { tuning, hasPlace } = consumer
    const { rate } = state.queue
    const wanted = free * (tuning.batch ?? 1)
    const max = rate === undefined ? wanted : rate.take(wanted)
    if (max === 0) {
      rest(state, 'rate', rate!.waitMs())
      return
    }
    const taken = backend.take({
      lane: state.lane,
      holder: consumer.id,
      max,
      leaseMs: tuning.leaseMs,
      retry: tuning.retry,
      hasPlace,
      perKey: tuning.perKey,
    })
    if (!(taken instanceof Promise)) {
      began(state, max, handOut(state, consumer, taken, free))
      return
    }
    // Nobody else may have these places meanwhile.
    count(consumer, free)
    state.takes++
    const over = (): void => {
      state.takes--
      if (state.takes > 0 || !state.isMissed) return
      state.isMissed = false
      look(state.queue)
    }
    taken.then(
      leases => {
        const isGone = isEnding || consumer.isOver
        if (isGone) giveBack(leases)
        const had = isGone ? 0 : handOut(state, consumer, leases, free)
        count(consumer, -free)
        began(state, max, had)
        over()
      },
      () => {
        count(consumer, -free)
        rate?.giveBack(max)
        rest(state, 'no_capacity', limits.storageRetryMs)
        over()
      },
    )
  }

  const giveBack = (leases: readonly Lease[]): void => {
    for (const { token } of leases) void backend.giveBack(token)
  }

  /** In `free` calls at most: what they do not hold is given back. Returns how many messages they have. */
  function handOut(state: LaneState, consumer: Consumer, leases: readonly Lease[], free: number): number {
    const portions = portionsOf(leases, consumer.tuning.batch ?? 1)
    const calls = portions.slice(0, free)
    if (portions.length > free) giveBack(portions.slice(free).flat())
    let had = 0
    for (const portion of calls) {
      had += portion.length
      count(consumer, 1)
      handling.deliver({ state, consumer, leases: portion })
    }
    return had
  }

  /** Of `asked` messages so many were there; those that were not do not count. */
  function began({ queue }: LaneState, asked: number, had: number): void {
    queue.rate?.giveBack(asked - had)
    // There may be more.
    if (had === asked) look(queue)
  }

  function count(consumer: Consumer, more: number): void {
    consumer.running += more
    running += more
    if (running === 0) idle?.()
  }

  /** Nothing is under way that knows of it, and it can be made anew. */
  const canBeForgotten = ({ consumers, takes, rest }: LaneState): boolean =>
    takes === 0 &&
    rest === undefined &&
    consumers.every(consumer => consumer.running === 0 && byId.get(consumer.id)?.consumer !== consumer)

  function forget(state: LaneState): void {
    const { lane, queue } = state
    setParking(state, undefined)
    for (const consumer of state.consumers) leave({ lane: state, consumer })
    lanes.delete(laneId(lane))
    queue.lanes.splice(queue.lanes.indexOf(state), 1)
    // A rate goes on counting.
    if (queue.lanes.length === 0 && queue.rate === undefined) queues.delete(lane.queue)
  }

  return {
    add(options) {
      remove(options.id)
      const lane = laneOf(options.lane)
      const consumer = join(lane, options)
      byId.set(options.id, { lane, consumer })
      wake(lane)
    },
    remove,
    ready(given) {
      for (const lane of given) {
        const state = laneOf(lane)
        if (state.takes > 0) state.isMissed = true
        look(state.queue)
      }
    },
    idle(given) {
      for (const lane of given) {
        const state = lanes.get(laneId(lane))
        if (state !== undefined && canBeForgotten(state)) forget(state)
      }
    },
    expired: lease => handling.expired(lease),
    changed(name) {
      const queue = queues.get(name)
      if (queue === undefined) return
      const perSecond = ratePerSecond(name)
      if (perSecond !== queue.perSecond) {
        queue.perSecond = perSecond
        // What has begun within the last tenth of a second counts for the rate that holds now.
        queue.rate = perSecond === undefined ? undefined : createRate(perSecond, clock.now, true)
      }
      for (const state of queue.lanes) {
        const usual = state.consumers.length === 0 ? implicit(state.lane) : undefined
        if (usual !== undefined) join(state, usual)
        wake(state)
      }
    },
    consumersOf(name) {
      const all = queues.get(name)?.lanes.flatMap(({ consumers }) => consumers) ?? []
      const answered = all.filter(each => functions.find(each.namespace, each.functionId) !== undefined)
      return {
        consumers: all.length,
        running: all.reduce((sum, each) => sum + each.running, 0),
        functions: new Set(answered.map(each => `${each.namespace ?? 'default'} ${each.functionId}`)).size,
      }
    },
    drain() {
      isEnding = true
      return running === 0 ? Promise.resolve() : new Promise(resolve => (idle = resolve))
    },
    stop() {
      isEnding = true
      unfollow()
      for (const { rest } of lanes.values()) rest?.cancel()
    },
  }

  function remove(id: string): void {
    const found = byId.get(id)
    if (found === undefined) return
    byId.delete(id)
    found.consumer.isOver = true
    leave(found)
    look(found.lane.queue)
  }
}
