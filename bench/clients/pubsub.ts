/**
 * Publishes in a closed loop: the next message leaves when all subscribers have the one before. Publisher and
 * subscribers are two connections of this process; the latency is that of the last subscriber.
 *
 *     bun pubsub.ts '{"url":"ws://…","framing":"json","subscribers":32,"pid":123,"plan":{…}}'
 */
import { newCall } from '../../src/protocol/frames.ts'
import { asJsonText, toJsonText } from '../../src/protocol/jsonText.ts'
import { encodeMsgpack } from '../../src/protocol/msgpack/encode.ts'
import { CALL } from '../../src/protocol/msgpack/layout.ts'
import { cpuSeconds, threadSeconds } from '../procfs.ts'
import { createLoop, type LoopPlan } from './closedLoop.ts'
import { connectAnnouncedMsgpack } from './msgpackWire.ts'
import { createCopyCounter, createTagReader, taggedMessage } from './tagged.ts'
import { connectAnnounced, idPrefix, idSuffix } from './wire.ts'

export interface PubsubOptions {
  url: string
  framing: 'json' | 'msgpack'
  subscribers: number
  /** Process whose CPU time is read. */
  pid: number
  plan: LoopPlan
}

const TOPIC = 'bench.topic'
const { url, framing, subscribers, pid, plan } = JSON.parse(process.argv[2]!) as PubsubOptions

const counter = createCopyCounter(plan.inFlight, subscribers, (place, call) =>
  loop.answered(place, call, true),
)
const tags = createTagReader(counter.came)
const functionOf = (number: number): string => `bench::subscriber-${number}`
const bindingOf = (number: number) => ({
  id: `bench-subscription-${process.pid}-${number}`,
  type: 'subscribe',
  functionId: functionOf(number),
  config: toJsonText({ topic: TOPIC }),
})
const numbers = Array.from({ length: subscribers }, (_, number) => number)

/** Both return how a message is published. */
async function overJson(): Promise<(data: string) => void> {
  const socket = await connectAnnounced(url, `bench-subscriber-${process.pid}`, undefined)
  socket.onmessage = ({ data }) => {
    if ((data as string).includes('"invokefunction"')) tags.readText(data as string)
  }
  for (const number of numbers) {
    const { id, type, functionId, config } = bindingOf(number)
    socket.send(JSON.stringify({ type: 'registerfunction', id: functionId }))
    socket.send(
      `{"type":"registertrigger","id":"${id}","trigger_type":"${type}","function_id":"${functionId}","config":${config}}`,
    )
  }
  const publisher = await connectAnnounced(url, `bench-publisher-${process.pid}`, undefined)
  let sent = 0
  await subscribed()
  return data => {
    const id = idPrefix(1) + idSuffix(sent++, 0)
    publisher.send(
      `{"type":"invokefunction","invocation_id":"${id}","function_id":"publish","data":{"topic":"${TOPIC}","data":${data}}}`,
    )
  }
}

async function overMsgpack(): Promise<(data: string) => void> {
  const socket = await connectAnnouncedMsgpack(
    url,
    `bench-subscriber-${process.pid}`,
    undefined,
    ({ kind, bytes, payloadStart, payloadEnd }) => {
      if (kind === CALL) tags.read(bytes as Buffer, payloadStart, payloadEnd)
    },
  )
  for (const number of numbers) {
    const { id, type, functionId, config } = bindingOf(number)
    encodeMsgpack(socket.out, {
      type: 'registerfunction',
      id: functionId,
      description: undefined,
      requestFormat: undefined,
      responseFormat: undefined,
      metadata: undefined,
      invocation: undefined,
    })
    encodeMsgpack(socket.out, {
      type: 'registertrigger',
      id,
      triggerType: type,
      functionId,
      config,
      metadata: undefined,
      namespace: undefined,
      triggerNamespace: undefined,
    })
  }
  socket.flush()
  const publisher = await connectAnnouncedMsgpack(url, `bench-publisher-${process.pid}`, undefined, () => {})
  await subscribed()
  let isFlushing = false
  return data => {
    encodeMsgpack(publisher.out, newCall('publish', asJsonText(`{"topic":"${TOPIC}","data":${data}}`)))
    if (isFlushing) return
    isFlushing = true
    queueMicrotask(() => {
      isFlushing = false
      publisher.flush()
    })
  }
}

/** All of them are there when a list of them says so. */
async function subscribed(): Promise<void> {
  const socket = await connectAnnounced(url, `bench-subscriptions-${process.pid}`, undefined)
  let asked = 0
  for (;;) {
    const answer = new Promise<string>(resolve => {
      socket.onmessage = ({ data }) => {
        if ((data as string).includes('"invocationresult"')) resolve(data as string)
      }
    })
    const id = idPrefix(2) + idSuffix(asked++, 0)
    socket.send(
      `{"type":"invokefunction","invocation_id":"${id}","function_id":"iii-pubsub::subscriptions","data":{"topic":"${TOPIC}","limit":1000}}`,
    )
    const own = (await answer).split(`bench-subscription-${process.pid}-`).length - 1
    if (own >= subscribers) break
    await Bun.sleep(20)
  }
  socket.close()
}

const publish = await (framing === 'json' ? overJson() : overMsgpack())

const loop = createLoop(plan, {
  send(place, call) {
    counter.sent(place, call)
    publish(taggedMessage(call, place))
  },
  cpuSeconds: () => cpuSeconds(pid),
  threadSeconds: () => threadSeconds(pid),
})

const result = await loop.run()
console.log(JSON.stringify({ ...result, unexpected: result.unexpected + counter.strange() }))
process.exit(0)
