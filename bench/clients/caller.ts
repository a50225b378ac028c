/**
 * Calls a function of an engine in a closed loop over raw sockets.
 *
 *     bun caller.ts '{"url":"ws://…","functionId":"…","connections":1,"pid":123,"plan":{…}}'
 *
 * Progress goes to stderr (the number of answers, one line each); the result, a `LoopResult`, is one line of JSON on
 * stdout.
 */
import { cpuSeconds, threadSeconds } from '../procfs.ts'
import { createLoop, type LoopPlan } from './closedLoop.ts'
import { callOf, connectAnnounced, idPrefix, idSuffix, MOST_PLACES, placeOf, suffixOf } from './wire.ts'
import { type WorkName, workOf } from './works.ts'

export interface CallerOptions {
  url: string
  functionId: string
  /** Places are spread over this many connections. */
  connections: number
  /** Process whose CPU time is read. */
  pid: number
  plan: LoopPlan
  /** What is asked for; `functionId` with a small order if absent. */
  work?: WorkName
  /** The thread of the engine it connects to; any if absent. */
  thread?: number
  /** Codes of errors that are no fault of the engine here. */
  reckonsWith?: readonly string[]
}

const {
  url,
  functionId,
  connections,
  pid,
  plan,
  work,
  thread,
  reckonsWith = [],
} = JSON.parse(process.argv[2]!) as CallerOptions
if (plan.inFlight > MOST_PLACES) throw new Error(`at most ${MOST_PLACES} calls in flight`)

const sockets = await Promise.all(
  Array.from({ length: connections }, (_, at) =>
    connectAnnounced(url, `bench-caller-${process.pid}-${at}`, thread),
  ),
)
const heads = sockets.map((_, at) => `{"type":"invokefunction","invocation_id":"${idPrefix(at)}`)
const asked = workOf(work, functionId)
const tails = asked.inputs.map(input => `","function_id":"${asked.functionId}","data":${input}}`)

const loop = createLoop(plan, {
  send(place, call) {
    const at = place % connections
    sockets[at]!.send(heads[at]! + idSuffix(call, place) + tails[call % tails.length]!)
  },
  cpuSeconds: () => cpuSeconds(pid),
  threadSeconds: () => threadSeconds(pid),
  onProgress: answers => void process.stderr.write(`${answers}\n`),
})

for (const socket of sockets) {
  socket.onclose = () => {
    console.error('the engine closed the connection')
    process.exit(1)
  }
  socket.onmessage = ({ data }) => {
    const frame = data as string
    if (!frame.includes('"invocationresult"')) return
    const suffix = suffixOf(frame)
    const isGood = frame.includes(asked.expects)
    const code = isGood ? undefined : reckonsWith.find(code => frame.includes(`"${code}"`))
    if (code === undefined) loop.answered(placeOf(suffix), callOf(suffix), isGood)
    else loop.told(placeOf(suffix), callOf(suffix), code)
  }
}

console.log(JSON.stringify(await loop.run()))
process.exit(0)
