import { addExtension, Packr } from 'msgpackr'
import type { Frame, FrameProblem } from '../../../src/protocol/frames.ts'
import { decodeMsgpack } from '../../../src/protocol/msgpack/decode.ts'
import type { Fault } from '../../../src/protocol/msgpack/faults.ts'
import { createOutBuffer, type OutBuffer } from '../../../src/protocol/msgpack/outBuffer.ts'
import {
  createFrameReader,
  type FrameReader,
  nextFrame,
  openMessage,
} from '../../../src/protocol/msgpack/reader.ts'

export const fromHex = (hex: string): Uint8Array => Uint8Array.fromHex(hex)
export const toHex = (bytes: Uint8Array): string => bytes.toHex()

/** What was appended to a fresh buffer. */
export function written(write: (out: OutBuffer) => void): Uint8Array {
  const out = createOutBuffer()
  write(out)
  return out.bytes.slice(0, out.length)
}

/** A reader that stands on the first frame. */
export function readerOn(bytes: Uint8Array): FrameReader {
  const reader = createFrameReader()
  openMessage(reader, bytes, 0, bytes.length)
  if (!nextFrame(reader)) throw new Error(reader.fault?.detail ?? 'no frame')
  return reader
}

export interface Walked {
  frames: (Frame | FrameProblem)[]
  fault: Fault | undefined
}

/** All frames of `bytes[from..to)`, decoded. */
export function walk(bytes: Uint8Array, from = 0, to = bytes.length): Walked {
  const reader = createFrameReader()
  const frames: (Frame | FrameProblem)[] = []
  openMessage(reader, bytes, from, to)
  while (nextFrame(reader)) frames.push(decodeMsgpack(reader, 'json'))
  return { frames, fault: reader.fault }
}

// msgpackr, the independent witness: payload exts as classes of their own.

abstract class PayloadExt {
  readonly content: Uint8Array
  constructor(content: Uint8Array) {
    this.content = content
  }
}
class JsonExt extends PayloadExt {}
class MsgpackExt extends PayloadExt {}
class RawExt extends PayloadExt {}

for (const [type, Class] of [
  [1, JsonExt],
  [2, MsgpackExt],
  [3, RawExt],
] as const) {
  addExtension({
    type,
    Class,
    pack: (ext: PayloadExt) => ext.content,
    unpack: content => new Class(new Uint8Array(content)),
  })
}

export const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'number' })
/** The same, but integers of 64 bits stay exact. */
export const exactPackr = new Packr({ useRecords: false, variableMapSize: true })

/** A value of the vectors as msgpackr takes it: `{json}`, `{msgpack}` and `{raw}` stand for payloads. */
export function packable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(packable)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value as Record<string, unknown>)
  if (entries.length === 1) {
    const [name, content] = entries[0] as [string, string]
    if (name === 'json') return new JsonExt(new TextEncoder().encode(content))
    if (name === 'msgpack') return new MsgpackExt(fromHex(content))
    if (name === 'raw') return new RawExt(fromHex(content))
  }
  return Object.fromEntries(entries.map(([name, member]) => [name, packable(member)]))
}
