/** Somebody who writes to a group all the time, and knows what was acknowledged. */
import { registerWorker, type WorkerClient } from '../../sdk/typescript/src/mod.ts'
import type { Random } from '../support/random.ts'
import { until } from '../support/waiting.ts'

/** So slow that all of a test is less than what is told again to those who were away (`limits.streamReplayEvents`). */
const PAUSE_MS = 8
const LANES = 2
const ITEMS = 40

export interface Acknowledged {
  /** The sequence number of its event. */
  readonly seq: number
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface Writer {
  readonly worker: WorkerClient
  readonly acknowledged: readonly Acknowledged[]
  /** Resolves when it has written so many more. */
  writes(count: number): Promise<void>
  /** Ends when all calls have ended. */
  stop(): Promise<void>
}

export function startWriter(url: string, address: object, random: Random): Writer {
  // It is back before a page is, which tries again later.
  const worker = registerWorker(url, {
    workerName: 'writer',
    reconnectionConfig: { initialDelayMs: 20, maxDelayMs: 50 },
  })
  const acknowledged: Acknowledged[] = []
  let isOver = false

  async function write(id: string, count: number): Promise<void> {
    const item = { ...address, item_id: id }
    if (random.between(0, 5) === 0) {
      // Whether there was something to delete is not its business.
      await worker.trigger({ function_id: 'stream::delete', payload: item })
      return
    }
    const { version } = await worker.trigger<{ version: number }>({
      function_id: 'stream::set',
      payload: { ...item, data: { count } },
    })
    acknowledged.push({ seq: version, id, at: Date.now() })
  }

  async function lane(number: number): Promise<void> {
    for (let count = 0; !isOver; count++) {
      // What a lost connection has cost is not repeated.
      await write(`${number}-${random.between(0, ITEMS)}`, count).catch(() => {})
      await Bun.sleep(PAUSE_MS)
    }
  }

  const lanes = Array.from({ length: LANES }, (_, number) => lane(number))
  return {
    worker,
    acknowledged,
    async writes(count) {
      const enough = acknowledged.length + count
      await until(`${count} more writes`, () => acknowledged.length >= enough)
    },
    async stop() {
      isOver = true
      await Promise.all(lanes)
    },
  }
}
