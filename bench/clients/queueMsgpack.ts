/**
 * The same as `queueJson.ts` in the msgpack framing, without groups: what becomes possible while a message is read leaves together.
 *
 *     bun queueMsgpack.ts '{"url":"ws://…","pids":[123],"groups":0,"waiting":0,"plan":{…}}'
 */
import { toJsonText } from '../../src/protocol/jsonText.ts'
import { encodeMsgpack } from '../../src/protocol/msgpack/encode.ts'
import { CALL, RESULT } from '../../src/protocol/msgpack/layout.ts'
import { FIRST_CALL_ID, writeAnswer, writeCall } from '../../src/protocol/msgpack/writeCall.ts'
import { appendFrame, connectAnnouncedMsgpack, frameOf, payloadOf } from './msgpackWire.ts'
import { type QueueLoad, runQueueLoad } from './queueLoad.ts'
import { REQUEST } from './wire.ts'

const { url, pids, plan } = JSON.parse(process.argv[2]!) as QueueLoad
const run = process.pid
const TOPIC = `bench-${run}`
const FUNCTION = `bench::handle-${run}`
const MARK = '"m":"'
const DIGITS = 10
const MARK_BYTES = Buffer.from(MARK)
/** Call ids come again after so many messages: more than are ever under way. */
const CALL_IDS = 2 ** 20

const done = frameOf(out => writeAnswer(out, RESULT, 0, payloadOf('null')))

const result = await runQueueLoad(
  { pids, plan, groups: 0, small: 0 },
  async ({ begins, ended, answered }) => {
    function numberIn(bytes: Buffer, from: number): number {
      let value = 0
      const at = bytes.indexOf(MARK_BYTES, from) + MARK_BYTES.length
      for (let digit = at; digit < at + DIGITS; digit++) value = value * 10 + bytes[digit]! - 48
      return value
    }
    const bound = Promise.withResolvers<void>()
    const consumer = await connectAnnouncedMsgpack(
      url,
      `bench-consumer-${run}`,
      undefined,
      ({ kind, callId, bytes, payloadStart }) => {
        if (kind === RESULT) bound.resolve()
        if (kind !== CALL) return
        begins(numberIn(bytes as Buffer, payloadStart))
        appendFrame(consumer.out, done, callId)
        ended()
      },
    )
    const numbers = new Map<number, number>()
    const publisher = await connectAnnouncedMsgpack(
      url,
      `bench-publisher-${run}`,
      undefined,
      ({ kind, callId }) => {
        const number = numbers.get(callId)
        if (number === undefined) return
        numbers.delete(callId)
        answered(number, kind === RESULT)
      },
    )
    encodeMsgpack(consumer.out, {
      type: 'registerfunction',
      id: FUNCTION,
      description: undefined,
      requestFormat: undefined,
      responseFormat: undefined,
      metadata: undefined,
      invocation: undefined,
    })
    encodeMsgpack(consumer.out, {
      type: 'registertrigger',
      id: `bench-${run}`,
      triggerType: 'durable:subscriber',
      functionId: FUNCTION,
      config: toJsonText({ topic: TOPIC, queue_config: { concurrency: 256 } }),
      metadata: undefined,
      namespace: undefined,
      triggerNamespace: undefined,
    })
    // Answered behind the trigger.
    writeCall(
      consumer.out,
      FIRST_CALL_ID,
      'engine::queue::topic_stats',
      undefined,
      payloadOf(`{"topic":"${TOPIC}"}`),
    )
    consumer.flush()
    await bound.promise
    return {
      publish(number) {
        const callId = FIRST_CALL_ID + (number % CALL_IDS)
        numbers.set(callId, number)
        const data = `{${MARK}${String(number).padStart(DIGITS, '0')}",${REQUEST.slice(1)}`
        writeCall(
          publisher.out,
          callId,
          'iii::durable::publish',
          undefined,
          payloadOf(`{"topic":"${TOPIC}","data":${data}}`),
        )
        queueMicrotask(publisher.flush)
      },
    }
  },
)

console.log(JSON.stringify(result))
process.exit(0)
