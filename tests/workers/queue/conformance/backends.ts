/** The ways to keep queues, each behind the same seam; every one has to pass all of this folder. */

import { asJsonText } from '../../../../src/protocol/jsonText.ts'
import { createMemoryPartition, openPartition } from '../../../../src/storage/mod.ts'
import type { Partition } from '../../../../src/storage/partition.ts'
import type { FailureReport, Lane } from '../../../../src/storage/queue/message.ts'
import { createPartitionBackend } from '../../../../workers/queue/adapters/partition.ts'
import type { Publish, QueueBackend } from '../../../../workers/queue/backend.ts'
import type { Lease, TakeRequest } from '../../../../workers/queue/core/lease.ts'
import type { RetryPolicy } from '../../../../workers/queue/core/verdict.ts'
import { temporaryFolder } from '../../../storage/stores.ts'
import { createRecordingLog, createVirtualClock, type VirtualClock } from '../../../support/fakes.ts'

interface Kept {
  readonly partition: Partition
  [Symbol.asyncDispose](): Promise<void>
}

type Open = (clock: VirtualClock, wallClock: () => number) => Kept

function openMemory(clock: VirtualClock, wallClock: () => number): Kept {
  const partition = createMemoryPartition({ clock, log: createRecordingLog(), wallClock }, 0)
  return { partition, [Symbol.asyncDispose]: () => partition.close() }
}

function openSqlite(clock: VirtualClock, wallClock: () => number): Kept {
  const temporary = temporaryFolder()
  const partition = openPartition(temporary.folder, {
    clock,
    log: createRecordingLog(),
    wallClock,
  })
  return {
    partition,
    async [Symbol.asyncDispose]() {
      await partition.close()
      temporary[Symbol.dispose]()
    },
  }
}

export const backends: readonly (readonly [string, Open])[] = [
  ['memory', openMemory],
  ['sqlite', openSqlite],
]

export const retry: RetryPolicy = {
  maxAttempts: 3,
  backoff: { type: 'exponential', baseMs: 50, maxMs: 60_000, jitter: 0 },
}

export interface Stage extends AsyncDisposable {
  readonly clock: VirtualClock
  backend: QueueBackend
  /** Lanes that were told to be ready, by the ids of their queues. */
  readonly told: string[]
  readonly expired: Lease[]
  /** Data of messages that are dead or gone. */
  readonly gone: string[]
  /** Queues of lanes that may be forgotten. */
  readonly idle: string[]
  nowMs(): number
  /** Publishes to the queue `q`; resolves with the receipt. */
  publish(data: unknown, more?: Partial<Publish>): Promise<string>
  take(max?: number, more?: Partial<TakeRequest>): Promise<readonly Lease[]>
  /** The data of what can be taken now. */
  data(max?: number, more?: Partial<TakeRequest>): Promise<unknown[]>
  fail(lease: Lease | undefined, delayMs?: number): Promise<string>
  finish(lease: Lease | undefined): Promise<string>
  pass(ms: number): Promise<void>
  /** The clock on the wall is set, so much later or earlier. */
  setWall(byMs: number): void
  settled(): Promise<void>
  reason(receipt: string): Promise<string | undefined>
  /** The engine is killed and starts anew. */
  restart(): Promise<void>
}

/** For how long results are kept. */
export const RESULT_MS = 5000

export const lane: Lane = { queue: 'q', functionId: undefined, namespace: undefined }
export const dataOf = (leases: readonly Lease[]): unknown[] =>
  leases.map(({ message }) => JSON.parse(message.data))

export const report = (atMs: number, code = 'TEST'): FailureReport => ({
  atMs,
  code,
  message: `failed at ${atMs}`,
})

export interface StageOptions {
  readonly concurrency?: number
  readonly random?: () => number
  /** Of all results together. */
  readonly resultsBytes?: number
}

export function setStage(
  open: Open,
  { concurrency = 10, random = () => 0, resultsBytes }: StageOptions = {},
): Stage {
  const clock = createVirtualClock()
  let skewMs = 0
  const nowMs = (): number => Math.floor(clock.now() + skewMs)
  const kept = open(clock, nowMs)
  let starts = 0
  const told: string[] = []
  const expired: Lease[] = []
  const gone: string[] = []
  const idle: string[] = []

  function start(): QueueBackend {
    const backend = createPartitionBackend({
      partition: kept.partition,
      clock,
      log: createRecordingLog(),
      wallClock: nowMs,
      random,
      epoch: `e${++starts}`,
      concurrencyOf: () => concurrency,
      resultMsOf: () => RESULT_MS,
      ...(resultsBytes !== undefined && { resultsBytes }),
    })
    backend.follow({
      ready: lanes => void told.push(...[...lanes].map(({ queue }) => queue)),
      expired: lease => void expired.push(lease),
      gone: ({ data }) => void gone.push(data),
      idle: lanes => void idle.push(...lanes.map(({ queue }) => queue)),
    })
    return backend
  }

  async function settled(): Promise<void> {
    for (let turn = 0; turn < 6; turn++) await new Promise(resolve => setImmediate(resolve))
  }

  const stage: Stage = {
    clock,
    backend: start(),
    told,
    expired,
    gone,
    idle,
    nowMs,
    settled,
    async publish(data, more = {}) {
      const [published] = await stage.backend.publish([
        { ...lane, data: asJsonText(JSON.stringify(data)), ...more },
      ])
      return published!.receipt
    },
    take: async (max = 100, more = {}) =>
      await stage.backend.take({ lane, holder: 'w', max, leaseMs: 1000, retry, hasPlace: true, ...more }),
    data: async (max, more) => dataOf(await stage.take(max, more)),
    fail: (lease, delayMs) => stage.backend.fail(lease!.token, { report: report(nowMs()), delayMs }),
    finish: lease => stage.backend.finish(lease!.token),
    async pass(ms) {
      clock.advance(ms)
      await settled()
    },
    reason: async receipt => (await stage.backend.find(receipt))?.reason,
    setWall(byMs) {
      skewMs += byMs
    },
    async restart() {
      stage.backend.stop()
      await settled()
      stage.backend = start()
    },
    async [Symbol.asyncDispose]() {
      stage.backend.stop()
      await kept[Symbol.asyncDispose]()
    },
  }
  return stage
}
