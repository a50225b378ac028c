/** Where a message goes: what is pushed to a name becomes messages of queues, each with its place in it. */
import { HandlerError } from '../../sdk/typescript/src/errors.ts'
import { depthOf } from '../../src/protocol/json/split.ts'
import type { JsonText } from '../../src/protocol/jsonText.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { Lane } from '../../src/storage/queue/message.ts'
import type { Publish, Published, QueueBackend } from './backend.ts'
import { createBatch } from './batch.ts'
import { receiptWithResult } from './keptResult.ts'
import { namedQueue, topicQueue } from './names.ts'
import { placeOf } from './place.ts'
import type { Topics } from './topics.ts'
import type { NamedQueue } from './tuning.ts'

/** What a publisher says of a message. */
export interface Push {
  /** A named queue, or a topic. */
  readonly name: string
  readonly functionId?: string | undefined
  readonly namespace?: string | undefined
  readonly data: JsonText
  readonly receipt?: string | undefined
  readonly group?: string | undefined
  readonly priority?: number | undefined
  /** Wall clock, milliseconds. */
  readonly dueAtMs?: number | undefined
  readonly dedupe?: { readonly key: string; readonly windowMs: number } | undefined
  /** It takes the place of the last message of the same key in its queue. */
  readonly replaces?: string | undefined
  readonly metadata?: JsonText | undefined
  /** What its handler returns is kept: of named queues only. */
  readonly wantsResult?: boolean | undefined
  readonly traceparent?: string | undefined
  readonly baggage?: string | undefined
}

export interface Publishing {
  /** The messages that a push becomes. Throws a `HandlerError` if there is no place for it, or too many of them. */
  messagesOf(push: Push): Publish[]
  /** To every subscription of a topic, whatever queues are configured. */
  toTopic(push: Push): Publish[]
  publish(messages: readonly Publish[]): Promise<readonly Published[]>
}

export interface PublishingParts {
  readonly backend: Pick<QueueBackend, 'publish'>
  /** Settings of a named queue; `undefined`: the name is that of a topic. */
  readonly named: (name: string) => NamedQueue | undefined
  readonly topics: Topics
  readonly wallClock: () => number
  /** A UUID that was never there before. */
  readonly newId: () => string
}

function checked(data: JsonText): JsonText {
  if (data.length > 2 * limits.valueDepth && depthOf(data) > limits.valueDepth) {
    throw new HandlerError(
      'VALUE_TOO_DEEP',
      `the data is nested ${depthOf(data)} levels deep, the maximum is ${limits.valueDepth}`,
    )
  }
  return data
}

export function createPublishing({ backend, named, topics, wallClock, newId }: PublishingParts): Publishing {
  function messageOf(push: Push, lane: Lane, place: ReturnType<typeof placeOf>, delayMs = 0): Publish {
    const { data, replaces, dedupe, metadata, traceparent, baggage } = push
    const receipt = replaces === undefined ? push.receipt : `latest:${lane.queue}:${replaces}`
    const dueAtMs = push.dueAtMs ?? (delayMs === 0 ? undefined : Math.floor(wallClock()) + delayMs)
    const { queue, functionId, namespace } = lane
    const { group, priority } = place
    checked(data)
    return {
      queue,
      functionId,
      namespace,
      data,
      receipt,
      replaces: replaces !== undefined,
      group,
      priority,
      dueAtMs,
      dedupe,
      metadata,
      traceparent,
      baggage,
    }
  }

  function toTopic(push: Push): Publish[] {
    const { name, data } = push
    const subscriptions = topics.of(name)
    if (subscriptions.length === 0) {
      const lane = { queue: topicQueue(name), functionId: undefined, namespace: undefined }
      return [messageOf(push, lane, { group: push.group, priority: push.priority })]
    }
    // One receipt is one message.
    const given = subscriptions.length === 1 ? push : { ...push, receipt: undefined }
    const copies = subscriptions.map(({ lane, ordering, delayMs }) =>
      messageOf(given, lane, placeOf(ordering, data, push, name), delayMs),
    )
    if (copies.length > 1) createBatch().add(copies)
    return copies
  }

  return {
    toTopic,
    messagesOf(push) {
      const { name, functionId, namespace, data } = push
      const queue = named(name)
      if (queue === undefined) {
        if (functionId !== undefined) throw new HandlerError('queue_not_found', `Queue '${name}' not found`)
        if (push.wantsResult)
          throw new HandlerError(
            'queue_not_found',
            `Queue '${name}' not found: \`result\` is for messages of named queues, a topic has as many results as subscribers`,
          )
        return toTopic(push)
      }
      const lane = { queue: namedQueue(queue.name), functionId, namespace }
      const given = push.wantsResult ? { ...push, receipt: receiptWithResult(newId()) } : push
      return [messageOf(given, lane, placeOf(queue.ordering, data, push, name))]
    },
    publish: messages => backend.publish(messages),
  }
}
