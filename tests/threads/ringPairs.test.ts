import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MAIN } from '../../src/engine/registry.ts'
import { createRingPair, ringBytesBetween } from '../../src/threads/ringPairs.ts'

const MiB = 1024 * 1024

/** Memory of all rings of an engine, in MiB. */
function ringMemory(shards: number, acceptor: 'kernel' | 'thread'): number {
  const place = acceptor === 'thread' ? shards + 1 : undefined
  const places = Array.from({ length: shards + (acceptor === 'thread' ? 2 : 1) }, (_, index) => index)
  let bytes = 0
  for (const one of places) {
    for (const other of places)
      if (one < other) bytes += 2 * ringBytesBetween(one, other, { acceptor: place, durable: undefined })
  }
  return bytes / MiB
}

describe('rings', () => {
  test('between shards are smaller than those of the main thread, of the acceptor and of the durable thread', () => {
    const layout = { acceptor: 3, durable: 4 }
    const ofMain = ringBytesBetween(MAIN, 1, layout)
    expect(ringBytesBetween(1, 2, layout)).toBeLessThan(ofMain)
    for (const [one, other] of [
      [1, 3],
      [MAIN, 3],
      [1, 4],
      [MAIN, 4],
      [3, 4],
    ] as const) {
      expect(ringBytesBetween(one, other, layout)).toBe(ofMain)
    }
    const without = { acceptor: undefined, durable: undefined }
    expect(ringBytesBetween(1, 3, without)).toBe(ringBytesBetween(1, 2, layout))
  })

  test('of a pair are what one side sends and the other reads', () => {
    const { there, back } = createRingPair(MiB)
    expect(there.incoming).toBe(back.outgoing)
    expect(there.outgoing).toBe(back.incoming)
    expect(there.incoming.byteLength).toBeGreaterThanOrEqual(MiB)
  })

  test('take the memory that the documentation says', () => {
    const text = readFileSync(join(import.meta.dir, '../../docs/configuration.md'), 'utf8')
    const said = [2, 4, 8].map(shards => `${ringMemory(shards, 'kernel')} MiB with ${shards} shards`)
    expect(text.replaceAll(/\s+/g, ' ')).toContain(said.join(', '))
  })
})
