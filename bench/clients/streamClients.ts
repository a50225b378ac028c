/**
 * Writes items of a stream in a closed loop: the next one is written when all clients have been told of the one before.
 * The latency is that of the last client.
 *
 *     bun streamClients.ts '{"url":"ws://…","streamUrl":"ws://…","sockets":200,"stuck":0,"pid":123,"plan":{…}}'
 */
import { cpuSeconds, threadSeconds } from '../procfs.ts'
import { createLoop, type LoopPlan } from './closedLoop.ts'
import { createCopyCounter, createTagReader, taggedMessage } from './tagged.ts'
import { openWebSocket } from './webSockets.ts'
import { connectAnnounced, idPrefix, idSuffix } from './wire.ts'

export interface StreamOptions {
  url: string
  streamUrl: string
  sockets: number
  /** Further clients, which take nothing after they have joined. */
  stuck: number
  /** Process whose CPU time is read. */
  pid: number
  plan: LoopPlan
}

const { url, streamUrl, sockets, stuck, pid, plan } = JSON.parse(process.argv[2]!) as StreamOptions
const STREAM = 'bench'
const GROUP = `group-${process.pid}`
const SYNC = Buffer.from('"type":"sync"')
const LOST = Buffer.from('"type":"lost"')

const counter = createCopyCounter(plan.inFlight, sockets, (place, call) => loop.answered(place, call, true))
const tags = createTagReader(counter.came)

function fail(why: string): never {
  console.error(why)
  process.exit(1)
}

/** Resolves when it has its sync: from then on it is told of everything. */
async function join(number: number): Promise<() => void> {
  const synced = Promise.withResolvers<void>()
  let isSynced = false
  const socket = await openWebSocket(
    streamUrl,
    (bytes, from, to) => {
      if (isSynced) {
        if (!tags.read(bytes, from, to)) strange(bytes, from, to)
      } else if (bytes.subarray(from, to).includes(SYNC)) {
        isSynced = true
        synced.resolve()
      }
    },
    () => fail(`client ${number} was cut off`),
  )
  const data = { subscriptionId: `s${number}`, streamName: STREAM, groupId: GROUP }
  socket.send(JSON.stringify({ type: 'join', data }))
  await synced.promise
  return socket.stopReading
}

/** A client that was too slow is told so; nothing of the kind may happen here. */
let notices = 0
function strange(bytes: Buffer, from: number, to: number): void {
  const message = bytes.subarray(from, to)
  if (message.includes(LOST) || message.includes(SYNC)) notices++
}

/** Opened in portions: the backlog of a listener is small. */
const PORTION = 100
for (let from = 0; from < sockets; from += PORTION) {
  const portion = Array.from({ length: Math.min(PORTION, sockets - from) }, (_, at) => join(from + at))
  await Promise.all(portion)
}
for (let at = 0; at < stuck; at++) {
  const { promise, resolve } = Promise.withResolvers<void>()
  const socket = await openWebSocket(
    streamUrl,
    () => resolve(),
    () => {},
  )
  const data = { subscriptionId: 'stuck', streamName: STREAM, groupId: GROUP }
  socket.send(JSON.stringify({ type: 'join', data }))
  await promise
  socket.stopReading()
}

const writer = await connectAnnounced(url, `bench-writer-${process.pid}`)
let refused = 0
writer.onmessage = ({ data }) => {
  if ((data as string).includes('"error":')) refused++
}

const loop = createLoop(plan, {
  send(place, call) {
    counter.sent(place, call)
    const id = idPrefix(1) + idSuffix(call, place)
    writer.send(
      `{"type":"invokefunction","invocation_id":"${id}","function_id":"stream::set","data":{"stream_name":"${STREAM}","group_id":"${GROUP}","item_id":"item-${place}","data":${taggedMessage(call, place)}}}`,
    )
  },
  cpuSeconds: () => cpuSeconds(pid),
  threadSeconds: () => threadSeconds(pid),
})

const result = await loop.run()
const unexpected = result.unexpected + counter.strange() + notices
console.log(JSON.stringify({ ...result, unexpected, wrong: result.wrong + refused }))
process.exit(0)
