/**
 * The same as `caller.ts` in the msgpack framing: calls that become possible while a message is read leave together.
 *
 *     bun msgpackCaller.ts '{"url":"ws://…","functionId":"…","connections":1,"pid":123,"plan":{…}}'
 */
import { CODEC_JSON, RESULT as RESULT_KIND } from '../../src/protocol/msgpack/layout.ts'
import type { FrameReader } from '../../src/protocol/msgpack/reader.ts'
import { writeCall } from '../../src/protocol/msgpack/writeCall.ts'
import { cpuSeconds, threadSeconds } from '../procfs.ts'
import type { CallerOptions } from './caller.ts'
import { createLoop } from './closedLoop.ts'
import { appendFrame, connectAnnouncedMsgpack, frameOf, payloadOf } from './msgpackWire.ts'
import { MOST_PLACES } from './wire.ts'
import { workOf } from './works.ts'

const { url, functionId, connections, pid, plan, thread, work } = JSON.parse(
  process.argv[2]!,
) as CallerOptions
if (plan.inFlight > MOST_PLACES) throw new Error(`at most ${MOST_PLACES} calls in flight`)

const asked = workOf(work, functionId)
const frames = asked.inputs.map(input =>
  frameOf(out => writeCall(out, 0, asked.functionId, undefined, payloadOf(input))),
)
const expected = Buffer.from(asked.expects)

/** A call id is the lower 20 bits of the call's number and its place, 12 bits. */
const NUMBERS = 2 ** 20
const underWay = new Float64Array(MOST_PLACES).fill(-1)

let now = performance.now()
let isReading = false

function isGood({ kind, codec, bytes, payloadStart, payloadEnd }: FrameReader): boolean {
  if (kind !== RESULT_KIND || codec !== CODEC_JSON) return false
  const at = (bytes as Buffer).indexOf(expected, payloadStart)
  return at >= 0 && at + expected.length <= payloadEnd
}

function answered(reader: FrameReader): void {
  if (reader.kind !== RESULT_KIND && reader.kind !== RESULT_KIND + 1) return
  const place = reader.callId % MOST_PLACES
  const number = underWay[place]!
  const isIts = number % NUMBERS === Math.floor(reader.callId / MOST_PLACES)
  loop.answered(place, isIts ? number : -2, isGood(reader))
}

const sockets = await Promise.all(
  Array.from({ length: connections }, (_, at) =>
    connectAnnouncedMsgpack(
      url,
      `bench-msgpack-caller-${process.pid}-${at}`,
      thread,
      reader => {
        isReading = true
        answered(reader)
        isReading = false
      },
      () => {
        now = performance.now()
      },
    ),
  ),
)

const loop = createLoop(plan, {
  send(place, number) {
    underWay[place] = number
    const socket = sockets[place % connections]!
    appendFrame(socket.out, frames[number % frames.length]!, (number % NUMBERS) * MOST_PLACES + place)
    if (!isReading) queueMicrotask(socket.flush)
  },
  cpuSeconds: () => cpuSeconds(pid),
  threadSeconds: () => threadSeconds(pid),
  onProgress: answers => void process.stderr.write(`${answers}\n`),
  now: () => (isReading ? now : performance.now()),
})

console.log(JSON.stringify(await loop.run()))
process.exit(0)
