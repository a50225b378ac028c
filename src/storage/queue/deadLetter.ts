/** The dead message of a queue with a receipt, in one step. */
import type { Message } from './message.ts'
import { numberOfReceipt } from './receipt.ts'
import type { ReadQueueTables } from './tables.ts'

export function deadLetter(tables: ReadQueueTables, queue: string, receipt: string): Message | undefined {
  const message = messageOf(tables, receipt)
  return message?.queue === queue && message.deadAtMs !== undefined ? message : undefined
}

/** Whoever gave it: the publisher, or the partition. */
export function messageOf(tables: ReadQueueTables, receipt: string): Message | undefined {
  const given = tables.byReceipt(receipt)
  if (given !== undefined) return given
  const number = numberOfReceipt(receipt)
  const message = number === undefined ? undefined : tables.get(number)
  return message?.receipt === undefined ? message : undefined
}
