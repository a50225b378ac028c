/** Single msgpack values, each in its shortest form, appended to a buffer. */
import { utf8Length } from '../bytes.ts'
import { appendBytes, appendUtf8, type OutBuffer, reserve } from './outBuffer.ts'

export function writeByte(out: OutBuffer, byte: number): void {
  reserve(out, 1)
  out.bytes[out.length++] = byte
}

export const writeNil = (out: OutBuffer): void => writeByte(out, 0xc0)

/** Appends the lowest `count` bytes of a number, the highest first. `count` is 1 to 4. */
function writeBigEndian(out: OutBuffer, value: number, count: number): void {
  reserve(out, count)
  for (let shift = 8 * (count - 1); shift >= 0; shift -= 8) out.bytes[out.length++] = value >>> shift
}

/** A lead byte and a number of 1, 2 or 4 bytes after it. */
function writeLed(out: OutBuffer, lead: number, value: number, count: number): void {
  writeByte(out, lead)
  writeBigEndian(out, value, count)
}

/** `leads`: the lead bytes for counts that take 1, 2 and 4 bytes. */
function writeCount(out: OutBuffer, count: number, leads: readonly [number, number, number]): void {
  if (count < 0x100) writeLed(out, leads[0], count, 1)
  else if (count < 0x10000) writeLed(out, leads[1], count, 2)
  else writeLed(out, leads[2], count, 4)
}

const TEXT_LEADS = [0xd9, 0xda, 0xdb] as const
const EXT_LEADS = [0xc7, 0xc8, 0xc9] as const

/** The head of an array of `count` elements, which follow: fewer than 16, as in all frames. */
export const writeArrayHead = (out: OutBuffer, count: number): void => writeByte(out, 0x90 | count)

/** The same for any number of elements. */
export function writeLongArrayHead(out: OutBuffer, count: number): void {
  if (count < 16) writeArrayHead(out, count)
  else if (count < 0x10000) writeLed(out, 0xdc, count, 2)
  else writeLed(out, 0xdd, count, 4)
}

export function writeText(out: OutBuffer, text: string): void {
  const bytes = utf8Length(text)
  if (bytes < 32) writeByte(out, 0xa0 | bytes)
  else writeCount(out, bytes, TEXT_LEADS)
  appendUtf8(out, text, bytes)
}

/** The head of an ext of `length` bytes, which follow. */
function writeExtHead(out: OutBuffer, type: number, length: number): void {
  if (length === 1) writeByte(out, 0xd4)
  else if (length === 2) writeByte(out, 0xd5)
  else if (length === 4) writeByte(out, 0xd6)
  else if (length === 8) writeByte(out, 0xd7)
  else if (length === 16) writeByte(out, 0xd8)
  else writeCount(out, length, EXT_LEADS)
  writeByte(out, type)
}

/** An ext whose content is a text. */
export function writeExtText(out: OutBuffer, type: number, text: string): void {
  const bytes = utf8Length(text)
  writeExtHead(out, type, bytes)
  appendUtf8(out, text, bytes)
}

/** An ext whose content is `source[from..to)`. */
export function writeExt(out: OutBuffer, type: number, source: Uint8Array, from: number, to: number): void {
  writeExtHead(out, type, to - from)
  appendBytes(out, source, from, to)
}

const scratch = new DataView(new ArrayBuffer(8))
const scratchBytes = new Uint8Array(scratch.buffer)

export function writeFloat(out: OutBuffer, value: number): void {
  scratch.setFloat64(0, value)
  writeByte(out, 0xcb)
  appendBytes(out, scratchBytes, 0, 8)
}

/** An integer from −2^53 to 2^53. */
export function writeInteger(out: OutBuffer, value: number): void {
  if (value >= 0) {
    if (value < 0x80) writeByte(out, value)
    else if (value < 0x100) writeLed(out, 0xcc, value, 1)
    else if (value < 0x10000) writeLed(out, 0xcd, value, 2)
    else if (value < 0x100000000) writeLed(out, 0xce, value, 4)
    else writeBigInteger(out, BigInt(value))
  } else if (value >= -0x20) writeByte(out, value & 0xff)
  else if (value >= -0x80) writeLed(out, 0xd0, value, 1)
  else if (value >= -0x8000) writeLed(out, 0xd1, value, 2)
  else if (value >= -0x80000000) writeLed(out, 0xd2, value, 4)
  else writeBigInteger(out, BigInt(value))
}

/** An integer beyond 32 bits, from −2^63 to 2^64 − 1, in 8 bytes. */
export function writeBigInteger(out: OutBuffer, value: bigint): void {
  if (value >= 0n) scratch.setBigUint64(0, value)
  else scratch.setBigInt64(0, value)
  writeByte(out, value >= 0n ? 0xcf : 0xd3)
  appendBytes(out, scratchBytes, 0, 8)
}
