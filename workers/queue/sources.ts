/** What a name means to those who ask: a named queue, or a topic with all its queues. */
import type { Lane } from '../../src/storage/queue/message.ts'
import { namedQueue, topicQueue } from './names.ts'
import type { CurrentSettings } from './settings.ts'
import type { Topics } from './topics.ts'
import type { NamedQueue, Tuning } from './tuning.ts'

export interface Sources {
  /** Settings of a named queue; `undefined`: the name is that of a topic. */
  named(name: string): NamedQueue | undefined
  /** Names of the queues that are kept for it. */
  queuesOf(name: string): readonly string[]
  /** As a topic, also where a named queue has its name: `iii::durable::publish` and `durable:subscriber` mean that one. */
  topicQueuesOf(name: string): readonly string[]
  /** The lane of messages that wait for whoever takes them, and how they are handled. */
  open(name: string): { readonly lane: Lane; readonly tuning: Tuning }
}

const PREFIX = namedQueue('')

export function createSources(
  current: CurrentSettings,
  topics: Topics,
  unconfigured: ReadonlySet<string>,
): Sources {
  /** As it is called by who configures it, or in lists of dead letters. */
  function named(name: string): NamedQueue | undefined {
    const { named: queues, byQueue } = current()
    return queues.get(name) ?? byQueue.get(name)
  }

  /** Of the name of a named queue that was configured. */
  function left(name: string): string[] {
    const plain = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name
    return unconfigured.has(plain) ? [namedQueue(plain)] : []
  }

  const topicQueuesOf = (name: string): string[] => [topicQueue(name), ...topics.queuesOf(name)]

  return {
    named,
    topicQueuesOf,
    queuesOf(name) {
      const queue = named(name)
      return queue === undefined ? [...topicQueuesOf(name), ...left(name)] : [namedQueue(queue.name)]
    },
    open(name) {
      const queue = named(name)
      const kept = queue === undefined ? topicQueue(name) : namedQueue(queue.name)
      return {
        lane: { queue: kept, functionId: undefined, namespace: undefined },
        tuning: queue?.tuning ?? current().usual.tuning,
      }
    },
  }
}
