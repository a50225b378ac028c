/**
 * The memory two threads share for one ring, and what may be done with it.
 *
 *     byte 0        128       256            384            512
 *     │ HEAD … │ TAIL … │ READER_BELL … │ WRITER_BELL … │ data, `capacity` bytes │
 *
 * The ring itself (`ring.ts`) touches memory only through this interface, so that a test can put a model in its
 * place and try every order in which the steps of two threads can happen.
 */
import { copyBytes } from '../protocol/bytes.ts'

/** The control words. Each has a cache line pair of its own: what one side writes does not slow the other. */
export const HEAD = 0
export const TAIL = 32
export const READER_BELL = 64
export const WRITER_BELL = 96
export type ControlWord = typeof HEAD | typeof TAIL | typeof READER_BELL | typeof WRITER_BELL

export type Bell = typeof READER_BELL | typeof WRITER_BELL

const CONTROL_BYTES = 512

/** Below this a record could not be cut into parts. */
const LEAST_CAPACITY = 64

export interface RingMemory {
  /** Bytes of the data area: a power of two. */
  readonly capacity: number
  /** The data area. */
  readonly bytes: Uint8Array
  /** Control words: every thread sees all loads and stores of them in one and the same order. */
  load(word: ControlWord): number
  store(word: ControlWord, value: number): void
  /** The data area, plainly: ordered only by the loads and stores of control words round it. `at` is a byte offset. */
  getWord(at: number): number
  setWord(at: number, value: number): void
  copyIn(source: Uint8Array, from: number, to: number, at: number): void
  copyOut(at: number, length: number, target: Uint8Array, to: number): void
  /** Ends the waiting on a bell, if anyone waits. */
  notify(bell: Bell): void
  /** Waits for `notify` if the bell holds `value` at this moment; `undefined` if it does not. Does not block. */
  wait(bell: Bell, value: number): Promise<unknown> | undefined
  /** A moment of a loop that waits. */
  pause(): void
}

/** Makes the memory of a ring. `capacity`: bytes, a power of two, at least 64. */
export function createRingBuffer(capacity: number): SharedArrayBuffer {
  checkCapacity(capacity)
  return new SharedArrayBuffer(CONTROL_BYTES + capacity)
}

function checkCapacity(capacity: number): void {
  const isPowerOfTwo = Number.isInteger(Math.log2(capacity))
  if (!isPowerOfTwo || capacity < LEAST_CAPACITY || capacity > 2 ** 30) {
    throw new RangeError(
      `A ring of ${capacity} bytes is not possible: the size must be a power of two from ${LEAST_CAPACITY} to 2^30.`,
    )
  }
}

const pause: () => void = typeof Atomics.pause === 'function' ? () => Atomics.pause() : () => {}

/** One thread's view of a ring's memory. */
export function openRingMemory(shared: SharedArrayBuffer): RingMemory {
  const capacity = shared.byteLength - CONTROL_BYTES
  checkCapacity(capacity)
  const control = new Int32Array(shared, 0, CONTROL_BYTES / 4)
  const words = new Int32Array(shared, CONTROL_BYTES)
  const bytes = new Uint8Array(shared, CONTROL_BYTES)
  return {
    capacity,
    bytes,
    load: word => Atomics.load(control, word),
    store: (word, value) => void Atomics.store(control, word, value),
    getWord: at => words[at >> 2]!,
    setWord(at, value) {
      words[at >> 2] = value
    },
    copyIn: (source, from, to, at) => copyBytes(source, from, to, bytes, at),
    copyOut: (at, length, target, to) => copyBytes(bytes, at, at + length, target, to),
    notify: bell => void Atomics.notify(control, bell),
    wait(bell, value) {
      const waiting = Atomics.waitAsync(control, bell, value)
      return waiting.async ? waiting.value : undefined
    },
    pause,
  }
}
