/** Rings between two real threads. */
import { describe, expect, test } from 'bun:test'
import { Worker } from 'node:worker_threads'
import { createRingBuffer } from '../../src/threads/ringMemory.ts'
import type { PeerTask, PeerVerdict } from './ringPeer.ts'

const peerFile = new URL('./ringPeer.ts', import.meta.url)

/** Resolves with the verdict when the thread has ended by itself. */
async function runThread(task: PeerTask): Promise<PeerVerdict> {
  const worker = new Worker(peerFile, { workerData: task })
  let verdict: PeerVerdict | undefined
  worker.once('message', message => {
    verdict = message as PeerVerdict
  })
  const [code] = await new Promise<[number]>((resolve, reject) => {
    worker.once('exit', (...args) => resolve(args as [number]))
    worker.once('error', reject)
  })
  if (verdict === undefined) throw new Error(`a thread ended early with code ${code}`)
  return verdict
}

async function exchange(
  ringBytes: number,
  records: number,
  most: number,
  spins: number,
): Promise<PeerVerdict[]> {
  const [left, right] = [createRingBuffer(ringBytes), createRingBuffer(ringBytes)]
  const shape = { records, most, spins }
  return Promise.all([
    runThread({ ...shape, incoming: left, outgoing: right, seed: 1000, expectedSeed: 2000 }),
    runThread({ ...shape, incoming: right, outgoing: left, seed: 2000, expectedSeed: 1000 }),
  ])
}

describe('between two threads, both ways at once, every record arrives once, whole and in order', () => {
  test('a million records through a ring of ordinary size', async () => {
    const verdicts = await exchange(1 << 20, 500_000, 300, 60)
    for (const verdict of verdicts)
      expect(verdict).toMatchObject({ received: 500_000, wrong: 0, missedWakeUps: 0 })
  }, 60_000)

  test('through rings so small that both ends sleep all the time and most records are parked', async () => {
    const verdicts = await exchange(256, 20_000, 200, 0)
    for (const verdict of verdicts) {
      expect(verdict).toMatchObject({ received: 20_000, wrong: 0, missedWakeUps: 0 })
      expect(verdict.mostBacklog).toBeGreaterThan(10_000)
    }
  }, 60_000)
})
