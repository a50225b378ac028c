/** The pool of threads that shards run on: one long-lived task each. */
import { MessageChannel } from 'node:worker_threads'
import Piscina from 'piscina'
import { systemClock } from '../clock/clock.ts'
import type { Place } from '../engine/routes.ts'
import { limits } from '../protocol/limits.ts'
import type { ThreadAccount } from './account.ts'
import type { FromShard, RingPair, ShardTask, ToShard } from './shardTask.ts'

export interface ShardHandle {
  /** Resolves when the task has ended: with the reason if nobody asked it to. */
  readonly over: Promise<Error | undefined>
  say(message: ToShard): void
  /** An answer of the shard has come. */
  answered(message: Extract<FromShard, { say: 'connected' | 'drained' | 'status' }>): void
  /** Tells of another thread; resolves when the way there is known, or the shard is no more. */
  connect(place: Place, rings: RingPair): Promise<void>
  /** What the shard says of itself and of these workers; `undefined` if it does not within `limits.threadAnswerMs`. */
  ask(workers: readonly string[]): Promise<ThreadAccount | undefined>
  /** Resolves when calls under way have ended, or the shard is no more. */
  drain(ms: number): Promise<void>
  /** Ends the task; resolves when it has ended. */
  stop(): Promise<void>
  /** Ends the thread, whatever it does. */
  kill(reason: Error): void
}

export interface Pool {
  run(task: Omit<ShardTask, 'port'>, heard: (message: FromShard) => void): ShardHandle
  destroy(): Promise<void>
}

/** The types of Bun and Node disagree about what can be transferred. */
type TransferList = NonNullable<NonNullable<Parameters<Piscina['run']>[1]>['transferList']>

/** Every layout has room: the shards, an acceptor, the durable thread. */
const MOST_THREADS = limits.shards + 2

/** `least`: threads that load their code at once, before there is anything to run. */
export function createPool(least: number): Pool {
  const pool = new Piscina({
    filename: new URL('./shard.ts', import.meta.url).href,
    minThreads: least,
    maxThreads: MOST_THREADS,
    concurrentTasksPerWorker: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    // Tasks live as long as their threads; nothing is gained by waiting for the next one synchronously.
    atomics: 'disabled',
  })
  // A thread that dies is told of by its task.
  pool.on('error', () => {})

  return {
    run(task, heard) {
      const { port1: port, port2: theirs } = new MessageChannel()
      const abort = new AbortController()
      let drained = Promise.withResolvers<void>()
      const connecting = new Map<Place, PromiseWithResolvers<void>>()
      const asked = new Map<number, (account: ThreadAccount | undefined) => void>()
      let questions = 0
      let isOver = false
      let killed: Error | undefined
      port.on('message', heard)
      const over = pool
        .run(
          { ...task, port: theirs },
          { transferList: [theirs] as unknown as TransferList, signal: abort.signal },
        )
        .then(
          () => undefined,
          (error: unknown) => killed ?? (error instanceof Error ? error : new Error(String(error))),
        )
        .finally(() => {
          port.close()
          drained.resolve()
          for (const { resolve } of connecting.values()) resolve()
          isOver = true
          for (const settle of asked.values()) settle(undefined)
        })
      const say = (message: ToShard): void => port.postMessage(message)

      return {
        over,
        say,
        answered(message) {
          if (message.say === 'drained') drained.resolve()
          if (message.say === 'connected') connecting.get(message.place)?.resolve()
          if (message.say === 'status') asked.get(message.id)?.(message.account)
        },
        connect(place, rings) {
          const connected = Promise.withResolvers<void>()
          connecting.set(place, connected)
          say({ say: 'peer', place, rings })
          return connected.promise
        },
        ask(workers) {
          if (isOver) return Promise.resolve(undefined)
          const id = questions++
          const { promise, resolve } = Promise.withResolvers<ThreadAccount | undefined>()
          const cancel = systemClock.after(limits.threadAnswerMs, () => resolve(undefined))
          asked.set(id, resolve)
          say({ say: 'status', id, workers })
          return promise.finally(() => {
            cancel()
            asked.delete(id)
          })
        },
        drain(ms) {
          if (isOver) return Promise.resolve()
          drained = Promise.withResolvers<void>()
          say({ say: 'drain', ms })
          return drained.promise
        },
        async stop() {
          say({ say: 'stop' })
          const cancel = systemClock.after(limits.shardStopMs, () => abort.abort())
          await over
          cancel()
        },
        kill(reason) {
          killed = reason
          abort.abort()
        },
      }
    },
    destroy: () => pool.destroy(),
  }
}
