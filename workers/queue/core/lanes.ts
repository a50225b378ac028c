/**
 * The lanes of queues, each with a window into its messages. All of it can be made anew from the tables, but for parkings and who has
 * something: what has neither, and no messages, is forgotten when there is much of it.
 */
import { type Lane, laneId } from '../../../src/storage/queue/message.ts'
import { createKeysUnderWay, createSetAside, type KeysUnderWay, type PerKey, type SetAside } from './keys.ts'
import type { Parking } from './lease.ts'
import { createWindow, type Window, type WindowOptions } from './window.ts'

export interface QueueState {
  readonly name: string
  readonly parkings: Set<Parking>
  /** Leases of it, and those of them that have a place. */
  leased: number
  placed: number
  readonly keys: KeysUnderWay
  readonly lanes: Set<LaneState>
}

export interface LaneState {
  readonly lane: Lane
  readonly id: string
  readonly queue: QueueState
  readonly parkings: Set<Parking>
  window: Window
  /** Of its window: how often all had been renewed. */
  generation: number
  taken: number
  /** Not all of its messages have the same: then some leases are for the oldest. */
  hasPriorities: boolean
  /** As whoever takes has said it. */
  perKey: PerKey | undefined
  readonly setAside: SetAside
}

export interface LanesOptions extends Pick<WindowOptions, 'tables' | 'isBusy' | 'size' | 'most'> {
  /** Messages of a lane that may be set aside, of `most` characters. */
  readonly mostSetAside: number
  /** So many are remembered, whether they have messages or not. */
  readonly remembered: number
}

export interface Lanes {
  /** They are made if they are not there. */
  queueOf(name: string): QueueState
  laneOf(lane: Lane): LaneState
  findQueue(name: string): QueueState | undefined
  find(lane: Lane): LaneState | undefined
  all(): Iterable<LaneState>
  queues(): Iterable<QueueState>
  /** What was read may not be so any more. */
  renew(queue: QueueState): void
  renewAll(): void
  /** Some are to be forgotten: `idle` says which may be. */
  isCrowded(): boolean
  /** Lanes that have no messages, among the next ones; two are looked at for each that was made. Reads. */
  idle(): Lane[]
  /** What of them is not parked. */
  forget(lanes: readonly Lane[]): void
}

/** Made before it is looked which ones are idle. */
const PORTION = 32

export function createLanes(options: LanesOptions): Lanes {
  const { tables, isBusy, size, most, mostSetAside, remembered } = options
  const queues = new Map<string, QueueState>()
  const lanes = new Map<string, LaneState>()
  let generation = 0
  let last: LaneState | undefined
  /** Since it was looked which ones are idle. */
  let made = 0
  let walk = lanes.values()

  function queueOf(name: string): QueueState {
    let state = queues.get(name)
    if (state === undefined) {
      const keys = createKeysUnderWay()
      state = { name, parkings: new Set(), leased: 0, placed: 0, keys, lanes: new Set() }
      queues.set(name, state)
    }
    return state
  }

  const newWindow = (lane: Lane, setAside: SetAside): Window =>
    createWindow({ lane, tables, isBusy: one => isBusy(one) || setAside.has(one), size, most })

  function fresh(state: LaneState): LaneState {
    if (state.generation === generation) return state
    state.generation = generation
    state.setAside.clear()
    state.window = newWindow(state.lane, state.setAside)
    return state
  }

  function laneOf({ queue, functionId, namespace }: Lane): LaneState {
    // Messages of one lane come one after the other.
    if (
      last?.lane.queue === queue &&
      last.lane.functionId === functionId &&
      last.lane.namespace === namespace
    )
      return fresh(last)
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
        generation,
        taken: 0,
        hasPriorities: false,
        perKey: undefined,
        setAside,
      }
      lanes.set(id, state)
      state.queue.lanes.add(state)
      made++
    }
    last = state
    return fresh(state)
  }

  /** Nothing of it is known that could not be made anew. */
  const isIdle = ({ queue, setAside, window }: LaneState): boolean =>
    queue.leased === 0 && setAside.size() === 0 && window.isEmpty()

  function find(lane: Lane): LaneState | undefined {
    const state = lanes.get(laneId(lane))
    return state && fresh(state)
  }

  return {
    queueOf,
    laneOf,
    findQueue: name => queues.get(name),
    find,
    *all() {
      for (const state of lanes.values()) yield fresh(state)
    },
    queues: () => queues.values(),
    renew(queue) {
      for (const state of queue.lanes) {
        state.generation = -1
        fresh(state)
      }
    },
    renewAll() {
      generation++
    },
    isCrowded: () => made >= PORTION && lanes.size > remembered,
    idle() {
      const idle: Lane[] = []
      for (let left = 2 * made; left > 0; left--) {
        const { value: state, done } = walk.next()
        if (done === true) {
          walk = lanes.values()
          break
        }
        if (isIdle(fresh(state))) idle.push(state.lane)
      }
      made = 0
      return idle
    },
    forget(forgotten) {
      for (const lane of forgotten) {
        const state = find(lane)
        if (state === undefined || state.parkings.size > 0) continue
        const { id, queue } = state
        lanes.delete(id)
        queue.lanes.delete(state)
        if (queue.lanes.size === 0 && queue.parkings.size === 0) queues.delete(queue.name)
      }
      last = undefined
    },
  }
}
