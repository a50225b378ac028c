/** Functions that publish: `iii::durable::publish`, `engine::queue::enqueue`, `queue::push`. All answer when it is on disk. */
import { HandlerError } from '../../../sdk/typescript/src/errors.ts'
import { type CallContext, RawJson } from '../../../sdk/typescript/src/worker.ts'
import { asJsonText, type JsonText, quote } from '../../../src/protocol/jsonText.ts'
import { limits } from '../../../src/protocol/limits.ts'
import {
  flag,
  list,
  type Members,
  type Read,
  type Refuse,
  readMembers,
  required,
  shape,
  text,
  value,
  whole,
} from '../../fields.ts'
import type { Publish, Published } from '../backend.ts'
import { createBatch } from '../batch.ts'
import type { Publishing, Push } from '../publishing.ts'
import { type Register, refuseBeside } from './register.ts'

const pushFields = {
  queue: text('a named queue, or a topic'),
  topic: text('the same as `queue`'),
  data: required(value('any value')),
  function_id: text('what is called with it; absent: whoever takes it'),
  namespace: text('of the function'),
  delay_ms: whole('not before so many milliseconds have passed', 0),
  run_at: whole('not before this time, milliseconds since 1970', 0),
  priority: whole('higher ones first; 0 without it', 0, 255),
  group: text('messages of a group are in order'),
  dedupe_key: text('a second message with the same key is the first one, for a time'),
  dedupe_window_ms: whole(`that time; ${limits.queueDedupeMs} without it`, 1),
  debounce_key: text(
    'the message takes the place of the last one with this key, which may not have been handled yet',
  ),
  debounce_ms: whole('with it: not before so many milliseconds without another one', 1),
  metadata: value('delivered beside the data'),
  result: flag('what its handler returns is kept for a time: `queue::result`; of named queues'),
} as const

const pushShape = shape(pushFields, { isExact: true })
/** In a list with other operations. */
const operationShape = shape(pushFields)

type Cause = Pick<CallContext, 'traceparent' | 'baggage'>

/** Reads the input of `queue::push`, for who writes the messages together with something else. */
export type PushReader = (members: Members, refuse: Refuse, cause: Cause) => readonly Publish[]

const receiptAnswer = ({ receipt, isDuplicate }: Published): JsonText =>
  asJsonText(`{"messageReceiptId":${quote(receipt)}${isDuplicate ? ',"duplicate":true' : ''}}`)

export function requireName(name: string | undefined, code: string, message: string): string {
  if (name === undefined || name === '') throw new HandlerError(code, message)
  return name
}

export function registerPublishing(
  register: Register,
  publishing: Publishing,
  wallClock: () => number,
): PushReader {
  const { publish } = publishing

  register({
    id: 'iii::durable::publish',
    description: 'Publishes a message to every function that subscribes to a durable topic',
    fields: { topic: required(text('the topic')), data: required(value('any value')) },
    failure: 'publish_failed',
    run({ topic, data }, { traceparent, baggage }) {
      requireName(topic, 'topic_not_set', 'Topic is not set')
      return publish(publishing.toTopic({ name: topic, data, traceparent, baggage })).then(() => undefined)
    },
  })

  register({
    id: 'engine::queue::enqueue',
    description: 'Puts a call into a named queue: what the action `enqueue` of a call does',
    fields: {
      queue: required(text('a named queue')),
      function_id: required(text('what is called')),
      data: required(value('its input')),
      messageReceiptId: text('made by the engine'),
      traceparent: text('of the caller'),
      baggage: text('of the caller'),
      namespace: text('of the function'),
      metadata: value('of the call'),
    },
    failure: 'enqueue_failed',
    isInternal: true,
    run({ queue, function_id, data, messageReceiptId, traceparent, baggage, namespace, metadata }) {
      requireName(queue, 'queue_not_set', 'Queue name is required')
      const push: Push = {
        name: queue,
        functionId: function_id,
        namespace,
        data,
        receipt: messageReceiptId,
        metadata,
        traceparent,
        baggage,
      }
      return publish(publishing.messagesOf(push)).then(
        ([published]) => new RawJson(receiptAnswer({ receipt: published!.receipt, isDuplicate: false })),
      )
    },
  })

  function pushOf(input: Read<typeof pushFields>, context: Cause, refuse: Refuse): Push {
    const { queue, topic, data, delay_ms, run_at, dedupe_key, metadata } = input
    if (queue !== undefined && topic !== undefined) refuse('give either `queue` or `topic`, not both')
    if (delay_ms !== undefined && run_at !== undefined) refuse('give either `delay_ms` or `run_at`, not both')
    const { debounce_key, debounce_ms } = input
    if ((debounce_key === undefined) !== (debounce_ms === undefined))
      refuse('`debounce_key` and `debounce_ms` go together')
    if (debounce_ms !== undefined && (delay_ms ?? run_at ?? dedupe_key) !== undefined)
      refuse('`debounce_key` goes with none of `delay_ms`, `run_at`, `dedupe_key`')
    if (input.result && debounce_ms !== undefined)
      refuse('`result` does not go with `debounce_key`: its message is replaced')
    const nowMs = Math.floor(wallClock())
    if (run_at !== undefined && run_at > 0 && run_at < nowMs / limits.queueSecondsRatio)
      refuse(
        `field \`run_at\`: ${run_at} milliseconds since 1970 are over long ago; if they are seconds, write ${run_at * 1000}`,
      )
    const waitMs = debounce_ms ?? delay_ms
    return {
      name: requireName(queue ?? topic, 'queue_not_set', 'Queue name is required'),
      data,
      functionId: input.function_id,
      namespace: input.namespace,
      dueAtMs: run_at ?? (waitMs === undefined ? undefined : nowMs + waitMs),
      replaces: debounce_key,
      priority: input.priority,
      group: input.group,
      dedupe:
        dedupe_key === undefined
          ? undefined
          : { key: dedupe_key, windowMs: input.dedupe_window_ms ?? limits.queueDedupeMs },
      metadata,
      wantsResult: input.result,
      traceparent: context.traceparent,
      baggage: context.baggage,
    }
  }

  register({
    id: 'queue::push',
    description: 'Pushes a message, or many, to a named queue or a topic',
    fields: {
      ...pushFields,
      data: value('any value'),
      messages: list('instead of `data`: many messages, each as the input of `queue::push`', {
        type: 'object',
      }),
    },
    failure: 'push_failed',
    async run(input, context, refuse) {
      if (input.messages === undefined) {
        if (input.data === undefined) refuse('missing field `data`')
        const push = pushOf({ ...input, data: input.data! }, context, refuse)
        const [published] = await publish(publishing.messagesOf(push))
        return new RawJson(receiptAnswer(published!))
      }
      refuseBeside(input, ['messages', 'queue', 'topic'], refuse)
      if (input.messages.length === 0) return new RawJson(asJsonText('{"receipts":[]}'))
      if (input.messages.length > limits.queueBatch)
        refuse(`field \`messages\` has ${input.messages.length} messages, the most are ${limits.queueBatch}`)
      const batch = createBatch()
      const counts = input.messages.map((given, index) => {
        const refuseOne: Refuse = why => refuse(`messages[${index}]: ${why}`)
        const read = pushShape.read(readMembers(given, refuseOne), refuseOne)
        const named = {
          ...read,
          queue: read.queue ?? read.topic ?? input.queue ?? input.topic,
          topic: undefined,
        }
        const messages = publishing.messagesOf(pushOf(named, context, refuseOne))
        batch.add(messages)
        return messages.length
      })
      const published = await publish(batch.messages())
      let at = 0
      const receipts = counts.map(count => {
        const first = published[at]!
        at += count
        return receiptAnswer(first)
      })
      return new RawJson(asJsonText(`{"receipts":[${receipts.join(',')}]}`))
    },
  })

  return (members, refuse, context) =>
    publishing.messagesOf(pushOf(operationShape.read(members, refuse), context, refuse))
}
