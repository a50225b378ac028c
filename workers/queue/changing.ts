/**
 * What becomes of queues when the settings are others. Messages stay where they are: a queue that is not configured any more hands
 * out nothing until it is again, and one that is new takes over what has waited in the topic of its name.
 */
import { isDeepStrictEqual } from 'node:util'
import type { QueueBackend } from './backend.ts'
import { namedQueue, topicQueue } from './names.ts'
import type { QueueSettings } from './settings.ts'
import type { NamedQueue } from './tuning.ts'

export interface ChangingParts {
  readonly backend: Pick<QueueBackend, 'configure' | 'adopt' | 'park' | 'unpark'>
  /** Whoever serves a queue looks at its settings, and at what it has to hand out. */
  readonly changed: (queue: string) => void
  /** Queues that are kept and not configured, by the names they had. */
  readonly unconfigured: Set<string>
}

export interface ChangingQueues {
  /** Writes what a queue has to bear, and what has waited for it. Rejects with nothing in force. */
  prepare(before: QueueSettings, after: QueueSettings): Promise<void>
  /** The settings are in force. */
  follow(before: QueueSettings, after: QueueSettings): Promise<void>
}

export async function configureQueue(
  backend: Pick<QueueBackend, 'configure'>,
  { name, config }: NamedQueue,
): Promise<void> {
  await backend.configure(namedQueue(name), undefined, {
    messages: config.max_messages,
    bytes: config.max_bytes,
    isLossy: config.lossy,
    dead: config.max_dead,
    deadMs: config.dead_ms,
  })
}

/** Nothing of it is handed out, and nobody forgets it. */
export function leaveAlone({ backend, unconfigured }: Omit<ChangingParts, 'changed'>, name: string): void {
  unconfigured.add(name)
  backend.park(namedQueue(name), 'not_configured')
}

export function createChangingQueues(parts: ChangingParts): ChangingQueues {
  const { backend, changed: tellChanged, unconfigured } = parts
  /** New ones for which that is not done yet: it is tried again with the settings. */
  const taking = new Set<string>()

  const changedIn = (one: QueueSettings, other: QueueSettings): NamedQueue[] =>
    [...one.named.values()].filter(
      ({ name, config }) => !isDeepStrictEqual(config, other.named.get(name)?.config),
    )

  return {
    async prepare(before, after) {
      await Promise.all(changedIn(after, before).map(queue => configureQueue(backend, queue)))
    },

    async follow(before, after) {
      for (const name of before.named.keys()) if (!after.named.has(name)) leaveAlone(parts, name)
      const changed = changedIn(after, before)
      for (const { name } of changed) {
        if (unconfigured.delete(name)) backend.unpark(namedQueue(name), 'not_configured')
        tellChanged(namedQueue(name))
      }
      for (const { name } of changed) if (!before.named.has(name)) taking.add(name)
      for (const name of taking) {
        if (after.named.has(name)) await takeOver(backend, name)
        taking.delete(name)
      }
    },
  }
}

/** What was published to the topic of its name before anybody had subscribed waits in the queue from now on. */
export async function takeOver(backend: Pick<QueueBackend, 'adopt'>, name: string): Promise<void> {
  const lane = { queue: namedQueue(name), functionId: undefined, namespace: undefined }
  await backend.adopt(topicQueue(name), lane)
}
