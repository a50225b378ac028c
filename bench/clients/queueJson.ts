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

const { url, pids, plan, groups, waiting, small } = JSON.parse(process.argv[2]!) as QueueLoad
const run = process.pid
const TOPIC = `bench-${run}`
const FUNCTION = `bench::handle-${run}`
const smallTopic = (number: number): string => `${TOPIC}-small-${number}`
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

const result = await runQueueLoad({ pids, plan, groups, small }, async ({ begins, ended, answered }) => {
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

  const publishSmall = (number: number): void =>
    void publisher.send(
      `{"type":"invokefunction","function_id":"iii::durable::publish","data":{"topic":"${smallTopic(number % small)}","data":{${MARK}${number},${REQUEST.slice(1)}},"action":{"type":"void"}}`,
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
  const subscribe = (topic: string): void =>
    consumer.send(
      JSON.stringify({
        type: 'registertrigger',
        id: topic,
        trigger_type: 'durable:subscriber',
        function_id: FUNCTION,
        config: { topic, queue_config: { concurrency: 256 } },
      }),
    )
  if (groups === 0) subscribe(TOPIC)
  for (let number = 0; number < small; number++) subscribe(smallTopic(number))
  consumer.send(
    `{"type":"invokefunction","invocation_id":"${idPrefix(2)}${idSuffix(0, 0)}","function_id":"engine::queue::topic_stats","data":{"topic":"${TOPIC}"}}`,
  )
  await bound
  return { publish, publishSmall }
})

console.log(JSON.stringify(result))
process.exit(0)
