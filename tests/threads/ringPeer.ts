/**
 * One end of two rings on a thread of its own: sends numbered records of varying size and checks those that come.
 * Used by `ringThreads.test.ts`; posts its verdict.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../src/clock/clock.ts'
import { listenToRing } from '../../src/threads/ringListener.ts'
import { openRingMemory } from '../../src/threads/ringMemory.ts'
import { createRingSender } from '../../src/threads/ringSender.ts'

export interface PeerTask {
  readonly incoming: SharedArrayBuffer
  readonly outgoing: SharedArrayBuffer
  /** Records to send and to expect. */
  readonly records: number
  /** Largest content; now and then a record is a hundred times as large. */
  readonly most: number
  readonly seed: number
  readonly expectedSeed: number
  readonly spins: number
}

export interface PeerVerdict {
  received: number
  /** Records that were not the expected ones: order, length, checksum. */
  wrong: number
  mostBacklog: number
  missedWakeUps: number
}

/** Records are made while the backlog is below this, so that both ways of sending are used. */
const BACKLOG = 256 * 1024
/** Records made between two turns of the event loop. */
const BURST = 500

/** The n-th number of a sequence that both ends can compute. */
function scramble(seed: number, n: number): number {
  let x = (seed + Math.imul(n, 0x9e3779b1)) | 0
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad)
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97)
  return (x ^ (x >>> 15)) >>> 0
}

function lengthOf(task: PeerTask, seed: number, n: number): number {
  const random = scramble(seed, n)
  return random % 20_011 === 0 ? task.most * 100 : random % (task.most + 1)
}

/** Contents are slices of this; a checksum leads each. */
const noise = new Uint8Array(1 << 20)
for (let i = 0; i < noise.length; i++) noise[i] = scramble(1, i)

function runPeer(task: PeerTask, report: (verdict: PeerVerdict) => void): void {
  const verdict: PeerVerdict = { received: 0, wrong: 0, mostBacklog: 0, missedWakeUps: 0 }
  const scratch = new Uint8Array(task.most * 100)
  let sent = 0
  let waiting = false

  function produce(): void {
    waiting = false
    for (let burst = BURST; burst > 0 && sent < task.records; burst--) {
      if (sender.backlog() > BACKLOG) {
        waiting = true
        return
      }
      const length = lengthOf(task, task.seed, sent)
      const from = scramble(task.seed + 1, sent) % (noise.length - scratch.length)
      scratch.set(noise.subarray(from, from + length))
      sender.send(Bun.hash.crc32(scratch.subarray(0, length)) | 0, scratch, 0, length)
      // What was handed over is the ring's: changing it now must change nothing.
      scratch[0] = 0
      sent++
      verdict.mostBacklog = Math.max(verdict.mostBacklog, sender.backlog())
    }
    if (sent < task.records) setImmediate(produce)
    else finish()
  }

  function finish(): void {
    if (sent < task.records || sender.backlog() > 0 || verdict.received < task.records) return
    verdict.missedWakeUps = listener.missedWakeUps() + sender.missedWakeUps()
    listener.stop()
    sender.stop()
    report(verdict)
  }

  const sender = createRingSender(openRingMemory(task.outgoing), systemClock, () => {
    if (waiting) produce()
    finish()
  })
  const listener = listenToRing(openRingMemory(task.incoming), {
    onRecord(tag, bytes, start, end) {
      const right =
        end - start === lengthOf(task, task.expectedSeed, verdict.received) &&
        (Bun.hash.crc32(bytes.subarray(start, end)) | 0) === tag
      if (!right) verdict.wrong++
      verdict.received++
    },
    afterBatch: finish,
    clock: systemClock,
    later: task => void setImmediate(task),
    spins: task.spins,
  })
  produce()
}

if (parentPort !== null) runPeer(workerData as PeerTask, verdict => parentPort!.postMessage(verdict))
