/** What a name means to those who ask: a named queue, or a topic with all its queues. */
import type { Lane } from '../../src/storage/queue/message.ts'
import { namedQueue, topicQueue } from './names.ts'
import type { Topics } from './topics.ts'
import type { NamedQueue, Tuning } from './tuning.ts'

export interface Sources {
  /** Settings of a named queue; `undefined`: the name is that of a topic. */
  named(name: string): NamedQueue | undefined
  /** Names of the queues that are kept for it. */
  queuesOf(name: string): readonly string[]
  /** The lane of messages that wait for whoever takes them, and how they are handled. */
  open(name: string): { readonly lane: Lane; readonly tuning: Tuning }
}

const PREFIX = namedQueue('')

export function createSources(
  queues: ReadonlyMap<string, NamedQueue>,
  topics: Topics,
  usual: Tuning,
): Sources {
  /** As it is called by who configures it, or in lists of dead letters. */
  const named = (name: string): NamedQueue | undefined =>
    queues.get(name) ?? (name.startsWith(PREFIX) ? queues.get(name.slice(PREFIX.length)) : undefined)

  return {
    named,
    queuesOf(name) {
      const queue = named(name)
      if (queue !== undefined) return [namedQueue(queue.name)]
      return [topicQueue(name), ...topics.queuesOf(name)]
    },
    open(name) {
      const queue = named(name)
      const kept = queue === undefined ? topicQueue(name) : namedQueue(queue.name)
      return {
        lane: { queue: kept, functionId: undefined, namespace: undefined },
        tuning: queue?.tuning ?? usual,
      }
    },
  }
}
