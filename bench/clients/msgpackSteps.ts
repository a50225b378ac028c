/** Steps of the msgpack framing for `micro.ts`. A step is a message of many frames; its value is per frame or call. */
import { do_not_optimize } from 'mitata'
import { readName } from '../../src/protocol/bytes.ts'
import type { Frame } from '../../src/protocol/frames.ts'
import { decodeMsgpack } from '../../src/protocol/msgpack/decode.ts'
import { encodeMsgpack } from '../../src/protocol/msgpack/encode.ts'
import { CODEC_JSON, RESULT } from '../../src/protocol/msgpack/layout.ts'
import { clear, createOutBuffer, type OutBuffer } from '../../src/protocol/msgpack/outBuffer.ts'
import { createFrameReader, nextFrame, openMessage } from '../../src/protocol/msgpack/reader.ts'
import { copyFrame, FIRST_CALL_ID, writeAnswer, writeCall } from '../../src/protocol/msgpack/writeCall.ts'

interface Step {
  run(): unknown
  readonly per: number
}

export function msgpackSteps(functionId: string, request: string, result: string, batch: number) {
  const reader = createFrameReader()
  const data = payloadOf(request)
  const answer = payloadOf(result)

  const calls = createOutBuffer()
  for (let i = 0; i < batch; i++) writeCall(calls, FIRST_CALL_ID + i, functionId, undefined, data)

  function forEachFrame(message: OutBuffer, act: () => void): void {
    openMessage(reader, message.bytes, 0, message.length)
    let frames = 0
    for (; nextFrame(reader); frames++) act()
    if (frames !== batch) throw new Error(`${frames} frames came instead of ${batch}`)
  }

  const step =
    (run: () => void): (() => Step) =>
    () => ({ run, per: batch })
  const out = createOutBuffer()

  return {
    'msgpack-walk-small': step(() => forEachFrame(calls, () => do_not_optimize(reader.payloadStart))),
    'msgpack-decode-small': step(() =>
      forEachFrame(calls, () => do_not_optimize(decodeMsgpack(reader, 'kept'))),
    ),
    'msgpack-encode-small': () => {
      openMessage(reader, calls.bytes, 0, calls.length)
      nextFrame(reader)
      const frame = decodeMsgpack(reader, 'kept') as Frame
      return {
        per: batch,
        run() {
          clear(out)
          for (let i = 0; i < batch; i++) encodeMsgpack(out, frame)
        },
      }
    },
    'msgpack-route-call': () => routeCalls(forEachFrame, reader, calls, functionId, answer, batch),
  }
}

function payloadOf(text: string) {
  const bytes = new TextEncoder().encode(text)
  return { codec: CODEC_JSON, bytes, start: 0, end: bytes.length } as const
}

/** Caller's message → worker's message → answers → caller's message. Making the answers is not timed. */
function routeCalls(
  forEachFrame: (message: OutBuffer, act: () => void) => void,
  reader: ReturnType<typeof createFrameReader>,
  calls: OutBuffer,
  functionId: string,
  answer: ReturnType<typeof payloadOf>,
  batch: number,
): Step {
  const [toWorker, toCaller, answers] = [createOutBuffer(), createOutBuffer(), createOutBuffer()]
  const functions = new Map([
    [functionId, toWorker],
    ['bench::other', toCaller],
  ])
  const callerIds = new Uint32Array(batch)
  const free = Array.from({ length: batch }, (_, slot) => slot)
  // Slots are handed out and given back in the same order in each run, so one set of answers serves them all.
  for (let slot = batch - 1; slot >= 0; slot--) writeAnswer(answers, RESULT, FIRST_CALL_ID + slot, answer)

  return {
    per: batch,
    run() {
      clear(toWorker)
      clear(toCaller)
      forEachFrame(calls, () => {
        const target = functions.get(readName(reader.bytes, reader.nameStart, reader.nameEnd)!)!
        const slot = free.pop()!
        callerIds[slot] = reader.callId
        copyFrame(reader, target, FIRST_CALL_ID + slot)
      })
      forEachFrame(answers, () => {
        const slot = reader.callId - FIRST_CALL_ID
        free.push(slot)
        copyFrame(reader, toCaller, callerIds[slot]!)
      })
    },
  }
}
