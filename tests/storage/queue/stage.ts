/** A queue's tables and the commands on them, as a transaction of the partition would do them. */
import { asJsonText } from '../../../src/protocol/jsonText.ts'
import { applyToQueue } from '../../../src/storage/queue/apply.ts'
import type { EnqueueCommand, QueueAnswer, QueueCommand } from '../../../src/storage/queue/command.ts'
import type {
  FailureReport,
  Lane,
  Message,
  MessageChange,
  QueueChange,
} from '../../../src/storage/queue/message.ts'
import { numberOfReceipt } from '../../../src/storage/queue/receipt.ts'
import type { QueueTables } from '../../../src/storage/queue/tables.ts'

/** Of messages without a function, which wait for whoever takes them. */
export const laneOf = (queue: string, functionId?: string, namespace?: string): Lane => ({
  queue,
  functionId,
  namespace,
})

export interface Stage {
  readonly tables: QueueTables
  /** Wall clock. */
  nowMs: number
  /** What was told, in order. */
  readonly told: MessageChange[]
  readonly toldQueues: QueueChange[]
  readonly expiries: number[]
  run(command: QueueCommand): QueueAnswer
  /** Publishes to the queue `q`; returns the number. */
  publish(data: string, more?: Partial<EnqueueCommand>): number
  fail(number: number, next: number | 'now' | 'never'): QueueAnswer
  finish(number: number): QueueAnswer
  /** Data of what may be leased now, in order. */
  ready(queue?: string): string[]
}

export const report = (atMs: number): FailureReport => ({ atMs, code: 'TEST', message: `failed at ${atMs}` })

export const dataOf = (messages: readonly Message[]): string[] => messages.map(({ data }) => JSON.parse(data))

export function setQueueStage(tables: QueueTables): Stage {
  const told: MessageChange[] = []
  const toldQueues: QueueChange[] = []
  const expiries: number[] = []
  const stage: Stage = {
    tables,
    nowMs: 1000,
    told,
    toldQueues,
    expiries,
    run: command =>
      applyToQueue(command, {
        nowMs: stage.nowMs,
        tables,
        emit: change => void told.push(change),
        expires: atMs => void expiries.push(atMs),
        tell: change => void toldQueues.push(change),
      }),
    publish(data, more = {}) {
      const { receipt } = stage.run({
        command: 'enqueue',
        queue: 'q',
        data: asJsonText(JSON.stringify(data)),
        ...more,
      })
      return numberOfReceipt(receipt!) ?? tables.byReceipt(receipt!)!.number
    },
    fail: (number, next) => stage.run({ command: 'fail', number, report: report(stage.nowMs), next }),
    finish: number => stage.run({ command: 'finish', number }),
    ready: (queue = 'q') => dataOf(tables.ready(laneOf(queue), undefined, 100)),
  }
  return stage
}
