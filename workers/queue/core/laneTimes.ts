/**
 * When lanes have to be looked at because a message is due. Each lane has one time, its earliest: whoever looks says the next one, so
 * that nothing is asked of lanes in which nothing happens.
 */
import { type Lane, laneId } from '../../../src/storage/queue/message.ts'
import { createHeap, type HeapNode } from '../../heap.ts'

export interface LaneTimes {
  /** Wall clock, milliseconds. Does nothing if it has an earlier one. */
  add(lane: Lane, ms: number): void
  /** Lanes whose time has come; they have none any more. */
  take(nowMs: number): Lane[]
  /** Of all lanes the earliest. */
  nextMs(): number | undefined
}

interface LaneNode extends HeapNode {
  readonly id: string
  readonly lane: Lane
}

export function createLaneTimes(): LaneTimes {
  const nodes = new Map<string, LaneNode>()
  const heap = createHeap<LaneNode>()

  return {
    add({ queue, functionId, namespace }, ms) {
      const lane = { queue, functionId, namespace }
      const id = laneId(lane)
      let node = nodes.get(id)
      if (node !== undefined && node.dueMs <= ms) return
      node ??= { id, lane, dueMs: ms, place: -1 }
      nodes.set(id, node)
      heap.set(node, ms)
    },
    take(nowMs) {
      const lanes: Lane[] = []
      for (let node = heap.first(); node !== undefined && node.dueMs <= nowMs; node = heap.first()) {
        heap.remove(node)
        nodes.delete(node.id)
        lanes.push(node.lane)
      }
      return lanes
    },
    nextMs: () => heap.first()?.dueMs,
  }
}
