/**
 * Publishes to a durable topic, and answers its messages, over raw sockets in JSON.
 *
 *     bun queueJson.ts '{"url":"ws://…","pids":[123],"groups":0,"waiting":0,"plan":{…}}'
 *
 * With groups the messages go to the named queue `ordered`, by its group field.
 */
import { type QueueLoad, runQueueLoad } from './queueLoad.ts'
import {
  callOf,
  connectAnnounced,
  functionIdOf,
  idPrefix,
  idSuffix,
  invocationIdOf,
  REQUEST,
  suffixOf,
} from './wire.ts'

const { url, pids, plan, groups, waiting } = JSON.parse(process.argv[2]!) as QueueLoad
const run = process.pid
const TOPIC = `bench-${run}`
const FUNCTION = `bench::handle-${run}`
const MARK = '"m":'
const FILL_IN_FLIGHT = 256

const dataOf = (number: number): string =>
  groups === 0
    ? `{${MARK}${number},${REQUEST.slice(1)}`
    : `{${MARK}${number},"group":"g${number % groups}",${REQUEST.slice(1)}`
const numberIn = (text: string): number => Number.parseInt(text.slice(text.indexOf(MARK) + MARK.length), 10)
const inputOf = (number: number): string =>
  groups === 0
    ? `"function_id":"iii::durable::publish","data":{"topic":"${TOPIC}","data":${dataOf(number)}}}`
    : `"function_id":"${FUNCTION}","data":${dataOf(number)},"action":{"type":"enqueue","queue":"ordered"}}`

/** Messages of the topic before anybody has subscribed. They are numbered from -1 down. */
async function fill(publisher: WebSocket, count: number): Promise<void> {
  let sent = 0
  let answers = 0
  const send = (): void => {
    sent++
    publisher.send(
      `{"type":"invokefunction","invocation_id":"${idPrefix(3)}${idSuffix(sent, 0)}",${inputOf(-sent)}`,
    )
  }
  await new Promise<void>(resolve => {
    if (count === 0) resolve()
    publisher.onmessage = ({ data }) => {
      if (!(data as string).includes('"invocationresult"')) return
      if (++answers === count) resolve()
      else if (sent < count) send()
    }
    while (sent < Math.min(count, FILL_IN_FLIGHT)) send()
  })
}

const result = await runQueueLoad({ pids, plan, groups }, async ({ begins, ended, answered }) => {
  const consumer = await connectAnnounced(url, `bench-consumer-${run}`)
  const publisher = await connectAnnounced(url, `bench-publisher-${run}`)
  let whenBound = (): void => {}
  consumer.onmessage = ({ data }) => {
    const frame = data as string
    if (frame.includes('"invokefunction"')) {
      begins(numberIn(frame))
      consumer.send(
        `{"type":"invocationresult","invocation_id":"${invocationIdOf(frame)}","function_id":"${functionIdOf(frame)}","result":null}`,
      )
      ended()
    } else if (frame.includes('"invocationresult"')) whenBound()
  }
  const publish = (number: number): void =>
    void publisher.send(
      `{"type":"invokefunction","invocation_id":"${idPrefix(1)}${idSuffix(number, 0)}",${inputOf(number)}`,
    )

  await fill(publisher, waiting)
  publisher.onmessage = ({ data }) => {
    const frame = data as string
    if (!frame.includes('"invocationresult"')) return
    answered(callOf(suffixOf(frame)), !frame.includes('"error":{'))
  }

  const bound = new Promise<void>(resolve => {
    whenBound = resolve
  })
  consumer.send(JSON.stringify({ type: 'registerfunction', id: FUNCTION }))
  if (groups === 0) {
    consumer.send(
      JSON.stringify({
        type: 'registertrigger',
        id: `bench-${run}`,
        trigger_type: 'durable:subscriber',
        function_id: FUNCTION,
        config: { topic: TOPIC, queue_config: { concurrency: 256 } },
      }),
    )
  }
  consumer.send(
    `{"type":"invokefunction","invocation_id":"${idPrefix(2)}${idSuffix(0, 0)}","function_id":"engine::queue::topic_stats","data":{"topic":"${TOPIC}"}}`,
  )
  await bound
  return { publish }
})

console.log(JSON.stringify(result))
process.exit(0)
