/** The rings between two threads, and how large they are. */
import { MAIN } from '../engine/registry.ts'
import type { Place } from '../engine/routes.ts'
import { limits } from '../protocol/limits.ts'
import { createRingBuffer } from './ringMemory.ts'
import type { RingPair } from './shardTask.ts'

/**
 * Bytes of each ring between two threads. Those of the main thread and of the acceptor are as many as there are shards,
 * and carry snapshots and all that comes over sockets; those between shards are as many as the square of it.
 */
export function ringBytesBetween(one: Place, other: Place, acceptor: Place | undefined): number {
  const isBetweenShards = [one, other].every(place => place !== MAIN && place !== acceptor)
  return isBetweenShards ? limits.ringBetweenShardsBytes : limits.ringBytes
}

/** Makes the two rings between threads; `there` is for one of them, `back` for the other. */
export function createRingPair(bytes: number): { there: RingPair; back: RingPair } {
  const [one, other] = [createRingBuffer(bytes), createRingBuffer(bytes)]
  return { there: { incoming: one, outgoing: other }, back: { incoming: other, outgoing: one } }
}
