/** Queues of subscriptions that last no longer are dropped when they are empty: a topic does not keep the names of all who ever came. */
import type { Clock } from '../../src/clock/clock.ts'
import { limits } from '../../src/protocol/limits.ts'
import type { QueueBackend } from './backend.ts'
import type { Topics } from './topics.ts'

export interface LapsedParts {
  readonly topics: Pick<Topics, 'lapsed' | 'forget'>
  readonly backend: Pick<QueueBackend, 'drop'>
  readonly clock: Clock
}

/** Looks now and then. Returns how to stop it. */
export function dropLapsed({ topics, backend, clock }: LapsedParts): () => void {
  let isStopped = false
  let cancel = clock.after(limits.queueSweepMs, sweep)

  function sweep(): void {
    dropAll().then(again, again)
  }

  async function dropAll(): Promise<void> {
    // Those with messages stay, for whoever looks into them.
    for (const queue of topics.lapsed()) if (await backend.drop(queue)) topics.forget(queue)
  }

  /** What could not be dropped is tried again. */
  function again(): void {
    if (!isStopped) cancel = clock.after(limits.queueSweepMs, sweep)
  }

  return () => {
    isStopped = true
    cancel()
  }
}
