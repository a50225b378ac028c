/**
 * A buffer that frames are appended to until they leave together: as one WebSocket message or one record of a ring.
 * It grows as needed and never shrinks by itself; appending allocates nothing otherwise.
 */
import { copyBytes, utf8Length } from '../bytes.ts'
import { limits } from '../limits.ts'

export interface OutBuffer {
  /** Only the first `length` bytes count. Replaced when it grows: do not keep it. */
  bytes: Uint8Array
  length: number
}

const NO_BYTES = new Uint8Array(0)
const LEAST_BYTES = 1024

/** Takes no memory until something is appended. */
export function createOutBuffer(): OutBuffer {
  return { bytes: NO_BYTES, length: 0 }
}

/** Makes room for `more` bytes after those that are there. */
export function reserve(out: OutBuffer, more: number): void {
  if (out.length + more > out.bytes.length) grow(out, out.length + more)
}

function grow(out: OutBuffer, needed: number): void {
  const bytes = new Uint8Array(Math.max(LEAST_BYTES, out.bytes.length * 2, needed))
  copyBytes(out.bytes, 0, out.length, bytes, 0)
  out.bytes = bytes
}

/** Forgets the content; memory above `limits.outBufferKeptBytes` is given back. */
export function clear(out: OutBuffer): void {
  out.length = 0
  if (out.bytes.length > limits.outBufferKeptBytes) out.bytes = NO_BYTES
}

/** Appends `source[from..to)` as it is. */
export function appendBytes(out: OutBuffer, source: Uint8Array, from: number, to: number): void {
  reserve(out, to - from)
  copyBytes(source, from, to, out.bytes, out.length)
  out.length += to - from
}

const encoder = new TextEncoder()

type WriteUtf8 = (text: string, target: Uint8Array, at: number, bytes: number) => void

// Browsers have no Buffer. Where it exists its write needs no view of the target, and takes less than half the time.
const nativeWrite =
  typeof Buffer === 'undefined'
    ? undefined
    : (Buffer.prototype as unknown as { utf8Write(text: string, at: number, bytes: number): number })
        .utf8Write

const writeUtf8: WriteUtf8 =
  nativeWrite === undefined
    ? (text, target, at) => void encoder.encodeInto(text, target.subarray(at))
    : (text, target, at, bytes) => void nativeWrite.call(target as never, text, at, bytes)

/** Texts up to this length are written character by character as long as they are ASCII. */
const SHORT = 64

/** Appends a text of `bytes` bytes in UTF-8. */
export function appendUtf8(out: OutBuffer, text: string, bytes = utf8Length(text)): void {
  reserve(out, bytes)
  if (bytes === text.length && bytes <= SHORT) {
    const target = out.bytes
    let at = out.length
    for (let i = 0; i < bytes; i++) target[at++] = text.charCodeAt(i)
  } else {
    writeUtf8(text, out.bytes, out.length, bytes)
  }
  out.length += bytes
}
