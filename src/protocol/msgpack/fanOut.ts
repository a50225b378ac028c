/**
 * One payload for many functions, on its way from one thread to another:
 *
 *     [41, [[function id, namespace or nil, metadata or nil], …], payload, traceparent or nil, baggage or nil]
 */
import { readName, readText } from '../bytes.ts'
import type { FanOutFrame, Target } from '../frames.ts'
import { CODEC_CHECKED, FAN_OUT } from './layout.ts'
import type { OutBuffer } from './outBuffer.ts'
import { payloadToJson } from './payload.ts'
import type { FrameReader } from './reader.ts'
import { findArray, findExt, findText, found, skipValue } from './walk.ts'
import {
  writeArrayHead,
  writeExtText,
  writeInteger,
  writeLongArrayHead,
  writeNil,
  writeText,
} from './writeValue.ts'

export function writeFanOut(out: OutBuffer, { targets, data, traceparent, baggage }: FanOutFrame): void {
  writeArrayHead(out, 5)
  writeInteger(out, FAN_OUT)
  writeLongArrayHead(out, targets.length)
  for (const { functionId, namespace, metadata } of targets) {
    writeArrayHead(out, 3)
    writeText(out, functionId)
    writeTextOrNil(out, namespace)
    if (metadata === undefined) writeNil(out)
    else writeExtText(out, CODEC_CHECKED, metadata)
  }
  writeExtText(out, CODEC_CHECKED, data)
  writeTextOrNil(out, traceparent)
  writeTextOrNil(out, baggage)
}

function writeTextOrNil(out: OutBuffer, text: string | undefined): void {
  if (text === undefined) writeNil(out)
  else writeText(out, text)
}

/** Reads the current frame, which a thread of this process has written. */
export function readFanOut({ bytes, elements, end }: FrameReader): FanOutFrame {
  findArray(bytes, elements[1]!)
  const { count } = found
  const targets: Target[] = []
  let at = found.start
  for (let index = 0; index < count; index++) {
    targets.push(readTarget(bytes, at, end))
    at = skipValue(bytes, at, end)
  }
  findExt(bytes, elements[2]!)
  const data = payloadToJson(CODEC_CHECKED, bytes, found.start, found.end)
  const traceparent = textAt(bytes, elements[3]!)
  const baggage = textAt(bytes, elements[4]!)
  return { type: 'fanout', targets, data, traceparent, baggage }
}

function textAt(bytes: Uint8Array, at: number): string | undefined {
  return findText(bytes, at) ? readText(bytes, found.start, found.end) : undefined
}

function readTarget(bytes: Uint8Array, from: number, to: number): Target {
  findArray(bytes, from)
  const idAt = found.start
  const namespaceAt = skipValue(bytes, idAt, to)
  const metadataAt = skipValue(bytes, namespaceAt, to)
  const nameAt = (at: number): string | undefined =>
    findText(bytes, at) ? readName(bytes, found.start, found.end) : undefined
  const metadata = findExt(bytes, metadataAt)
    ? payloadToJson(CODEC_CHECKED, bytes, found.start, found.end)
    : undefined
  return { functionId: nameAt(idAt) ?? '', namespace: nameAt(namespaceAt), metadata }
}
