/**
 * Names of queues as they are kept. A named queue: `__fn_queue::{name}`. Of a topic: a queue for each subscribed function,
 * `{topic}::{function}@{namespace}`, and `{topic}` for what is published before anybody subscribes; a `\` in front of a
 * separator in a topic keeps them apart.
 */
import { NAMED_QUEUE } from '../../src/protocol/queueNames.ts'

export const namedQueue = (name: string): string => NAMED_QUEUE + name

const escaped = (topic: string): string => topic.replace(/\\|::/g, found => `\\${found}`)

export const topicQueue = escaped

export const subscriberQueue = (topic: string, functionId: string, namespace: string | undefined): string =>
  `${escaped(topic)}::${functionId}@${namespace ?? 'default'}`

export type QueueName =
  | { readonly kind: 'named'; readonly name: string }
  | { readonly kind: 'topic'; readonly topic: string }
  | {
      readonly kind: 'subscriber'
      readonly topic: string
      readonly functionId: string
      /** `undefined`: the default one. */
      readonly namespace: string | undefined
    }

/** What is behind a name that one of the functions above has made. */
export function parseQueue(queue: string): QueueName {
  if (queue.startsWith(NAMED_QUEUE)) return { kind: 'named', name: queue.slice(NAMED_QUEUE.length) }
  const separator = /^(?:[^\\:]|\\::|\\\\|:(?!:))*/.exec(queue)![0].length
  const topic = queue.slice(0, separator).replace(/\\(\\|::)/g, '$1')
  if (separator === queue.length) return { kind: 'topic', topic }
  const at = queue.lastIndexOf('@')
  const namespace = queue.slice(at + 1)
  return {
    kind: 'subscriber',
    topic,
    functionId: queue.slice(separator + 2, at),
    namespace: namespace === 'default' ? undefined : namespace,
  }
}

/** As it is called outside: a named queue by its name, all queues of a topic by the topic. */
export function shownName(queue: string): string {
  const parsed = parseQueue(queue)
  return parsed.kind === 'named' ? parsed.name : parsed.topic
}
