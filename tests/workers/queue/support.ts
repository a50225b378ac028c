/** A queue and whoever hands its messages out: what a lease ends with is written at once, as a turn would do it. */
import type { Message } from '../../../src/storage/queue/message.ts'
import { createDispatch, type Dispatch } from '../../../workers/queue/core/dispatch.ts'
import type { PerKey } from '../../../workers/queue/core/keys.ts'
import type { Lease } from '../../../workers/queue/core/lease.ts'
import { type Ending, type RetryPolicy, verdict } from '../../../workers/queue/core/verdict.ts'
import { report, type Stage, setQueueStage } from '../../storage/queue/stage.ts'
import { queueTables } from '../../storage/queue/tables.ts'

export const retries: RetryPolicy = {
  maxAttempts: 3,
  backoff: { type: 'exponential', baseMs: 50, maxMs: 60_000, jitter: 0 },
}

export interface DispatchStage extends Disposable {
  readonly queue: Stage
  dispatch: Dispatch
  /** Tells of everything that was committed. */
  commit(): void
  /** Nobody is told of what was committed. */
  skip(): void
  /** Data of what is leased now. */
  take(max?: number, holder?: string, queue?: string): Lease[]
  end(lease: Lease, ending: Ending, policy?: RetryPolicy): boolean
  fail(lease: Lease): boolean
  /** The engine is killed and starts again. */
  restart(): void
}

export const dataOf = (leases: readonly { readonly message: Message }[]): string[] =>
  leases.map(({ message }) => JSON.parse(message.data))

export function setDispatchStage(
  options: {
    concurrency?: number
    leaseMs?: number
    windowSize?: number
    mostCharacters?: number
    perKey?: PerKey
    lanesRemembered?: number
  } = {},
): DispatchStage {
  const {
    concurrency = 10,
    leaseMs = 1000,
    windowSize = 4,
    mostCharacters = Number.POSITIVE_INFINITY,
    perKey,
    lanesRemembered = 100,
  } = options
  const opened = queueTables.find(([name]) => name === 'sqlite')![1]()
  const queue = setQueueStage(opened.tables)
  let epoch = 0
  let told = 0
  const start = (): Dispatch =>
    createDispatch({
      tables: opened.tables,
      concurrencyOf: () => concurrency,
      epoch: `e${++epoch}`,
      windowSize,
      mostSetAside: 4 * windowSize,
      mostCharacters,
      lanesRemembered,
    })
  const stage: DispatchStage = {
    queue,
    dispatch: start(),
    commit() {
      stage.dispatch.changed(queue.told.slice(told))
      told = queue.told.length
    },
    skip() {
      told = queue.told.length
    },
    take(max = 100, holder = 'w', name = 'q') {
      stage.commit()
      const lane = { queue: name, functionId: undefined, namespace: undefined }
      return stage.dispatch.take(
        { lane, holder, max, leaseMs, retry: retries, hasPlace: true, perKey },
        queue.nowMs,
      )
    },
    end({ token }, ending, policy = retries) {
      const lease = stage.dispatch.end(token)
      if (lease === undefined) return false
      queue.run(verdict(lease, ending, policy, { nowMs: queue.nowMs, chance: 0 }))
      stage.commit()
      return true
    },
    fail: lease => stage.end(lease, { kind: 'failed', report: report(queue.nowMs) }),
    restart() {
      stage.commit()
      stage.dispatch = start()
    },
    [Symbol.dispose]: () => opened[Symbol.dispose](),
  }
  return stage
}
