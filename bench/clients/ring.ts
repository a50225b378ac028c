/**
 * Two threads that send records to each other: `bun ring.ts '{"measure":"rate","by":"ring","count":1000000}'`.
 * This file is both of them. Prints one number, see `RingPlan`.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { systemClock } from '../../src/clock/clock.ts'
import { limits } from '../../src/protocol/limits.ts'
import { listenToRing } from '../../src/threads/ringListener.ts'
import { createRingBuffer, openRingMemory } from '../../src/threads/ringMemory.ts'
import { createRingSender } from '../../src/threads/ringSender.ts'
import { median } from '../histogram.ts'
import type { RingPlan } from '../suites/ring.ts'

const RECORD_BYTES = 200
const PAUSE_MS = 1
/** Records made before the event loop gets a turn, and bytes that may be parked. */
const BURST = 2000
const MOST_PARKED = 1024 * 1024
/** Lengths of checked records, and how often one is larger than its ring. */
const MOST_CHECKED = 400
const LARGE_EVERY = 100_000
const LARGE_BYTES = limits.ringBytes + 1000

interface Setup {
  readonly plan: RingPlan
  readonly there: SharedArrayBuffer
  readonly back: SharedArrayBuffer
}

/** One direction: sends, and says whether it can take more. */
interface Out {
  send(tag: number, bytes: Uint8Array, length: number): void
  isFull(): boolean
}

type OnRecord = (tag: number, bytes: Uint8Array, start: number, end: number) => void

interface Port {
  postMessage(message: unknown): void
  on(event: 'message', listener: (message: { tag: number; bytes: Uint8Array }) => void): unknown
}

function openRing(
  outgoing: SharedArrayBuffer,
  incoming: SharedArrayBuffer,
  onRecord: OnRecord,
  onRoom: () => void,
): Out {
  const sender = createRingSender(openRingMemory(outgoing), systemClock, onRoom)
  const later = (task: () => void): void => void setImmediate(task)
  listenToRing(openRingMemory(incoming), { onRecord, afterBatch() {}, clock: systemClock, later })
  return {
    send: (tag, bytes, length) => sender.send(tag, bytes, 0, length),
    isFull: () => sender.backlog() > MOST_PARKED,
  }
}

/** `postMessage` knows no full: its queue grows as long as it is fed, so the feeder goes by turns of the loop. */
function openPort(port: Port, onRecord: OnRecord): Out {
  port.on('message', ({ tag, bytes }) => onRecord(tag, bytes, 0, bytes.length))
  return {
    send: (tag, bytes, length) => port.postMessage({ tag, bytes: bytes.slice(0, length) }),
    isFull: () => false,
  }
}

const checksum = (bytes: Uint8Array): number => Bun.hash.crc32(bytes) | 0
const lengthOf = (number: number): number =>
  number % LARGE_EVERY === LARGE_EVERY - 1
    ? LARGE_BYTES
    : (Math.imul(number, 0x9e3779b1) >>> 0) % (MOST_CHECKED + 1)

/** The far thread: counts, checks or sends back what comes. */
function serve({ plan, there, back }: Setup): void {
  let received = 0
  let wrong = 0
  const done = (): void => void out.send(wrong, new Uint8Array(4), 4)
  const onRecord: OnRecord = (tag, bytes, start, end) => {
    if (plan.measure === 'wake') {
      out.send(tag, bytes.subarray(start, end), end - start)
      return
    }
    if (plan.measure === 'checked') {
      const isRight = end - start === lengthOf(received) && checksum(bytes.subarray(start, end)) === tag
      if (!isRight) wrong++
    }
    if (++received === plan.count) done()
  }
  const out = plan.by === 'ring' ? openRing(back, there, onRecord, () => {}) : openPort(parentPort!, onRecord)
  parentPort!.postMessage('up')
}

/** Makes `plan.count` records as fast as they are taken; resolves when the far thread has them all. */
function feed(plan: RingPlan, open: (onRecord: OnRecord, onRoom: () => void) => Out): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const bytes = new Uint8Array(Math.max(RECORD_BYTES, LARGE_BYTES))
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.imul(i, 0x9e3779b1) >>> 24
  let sent = 0
  let waits = false

  function sendNext(): void {
    if (plan.measure !== 'checked') {
      out.send(sent, bytes, RECORD_BYTES)
    } else {
      const length = lengthOf(sent)
      bytes[0] = sent
      out.send(checksum(bytes.subarray(0, length)), bytes, length)
    }
    sent++
  }

  function run(): void {
    waits = false
    for (let burst = BURST; burst > 0 && sent < plan.count; burst--) {
      if (out.isFull()) {
        waits = true
        return
      }
      sendNext()
    }
    if (sent < plan.count) setImmediate(run)
  }

  const out = open(
    wrong => resolve(wrong),
    () => {
      if (waits) run()
    },
  )
  run()
  return promise
}

/** Half the median time of a round trip, in microseconds. */
function wake(plan: RingPlan, open: (onRecord: OnRecord, onRoom: () => void) => Out): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const bytes = new Uint8Array(RECORD_BYTES)
  const times: number[] = []
  let sentAt = 0
  const next = (): void => {
    sentAt = performance.now()
    out.send(0, bytes, RECORD_BYTES)
  }
  const out = open(
    () => {
      times.push((performance.now() - sentAt) * 1000)
      if (times.length === plan.count) resolve(median(times) / 2)
      else setTimeout(next, PAUSE_MS)
    },
    () => {},
  )
  next()
  return promise
}

async function main(): Promise<void> {
  const plan = JSON.parse(process.argv[2]!) as RingPlan
  const [there, back] = [createRingBuffer(limits.ringBytes), createRingBuffer(limits.ringBytes)]
  const worker = new Worker(new URL(import.meta.url), { workerData: { plan, there, back } satisfies Setup })
  await new Promise(resolve => worker.once('message', resolve))
  const open = (onRecord: OnRecord, onRoom: () => void): Out =>
    plan.by === 'ring' ? openRing(there, back, onRecord, onRoom) : openPort(worker, onRecord)
  const startedAt = performance.now()
  const value = await (plan.measure === 'wake' ? wake(plan, open) : feed(plan, open))
  const seconds = (performance.now() - startedAt) / 1000
  console.log(plan.measure === 'rate' ? plan.count / seconds : value)
  process.exit(0)
}

if (isMainThread) await main()
else serve(workerData as Setup)
