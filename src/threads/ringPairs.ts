/** The rings between two threads, and how large they are. */
import { MAIN } from '../engine/registry.ts'
import type { Place } from '../engine/routes.ts'
import { limits } from '../protocol/limits.ts'
import type { Layout } from './layout.ts'
import { createRingBuffer } from './ringMemory.ts'
import type { RingPair } from './shardTask.ts'

/**
 * Bytes of each ring between two threads. Those of the main thread, the acceptor and the durable thread are as many as there are
 * shards, and carry snapshots, all that comes over sockets, and all that is kept; those between shards are as many as the square
 * of it.
 */
export function ringBytesBetween(
  one: Place,
  other: Place,
  { acceptor, durable }: Pick<Layout, 'acceptor' | 'durable'>,
): number {
  const isBetweenShards = [one, other].every(
    place => place !== MAIN && place !== acceptor && place !== durable,
  )
  return isBetweenShards ? limits.ringBetweenShardsBytes : limits.ringBytes
}

/** Makes the two rings between threads; `there` is for one of them, `back` for the other. */
export function createRingPair(bytes: number): { there: RingPair; back: RingPair } {
  const [one, other] = [createRingBuffer(bytes), createRingBuffer(bytes)]
  return { there: { incoming: one, outgoing: other }, back: { incoming: other, outgoing: one } }
}

/** The rings between all threads but the main one, by the thread that has them and the one they lead to. */
export function createRingPairs(layout: Layout): Map<Place, Map<Place, RingPair>> {
  const { posts } = layout
  const pairs = new Map(posts.map(({ place }) => [place, new Map<Place, RingPair>()]))
  for (const [index, { place: one }] of posts.entries()) {
    for (const { place: other } of posts.slice(index + 1)) {
      const { there, back } = createRingPair(ringBytesBetween(one, other, layout))
      pairs.get(one)!.set(other, there)
      pairs.get(other)!.set(one, back)
    }
  }
  return pairs
}
