import { limits } from '../../protocol/limits.ts'
import { StorageError } from '../storageError.ts'
import { storableJson } from '../text.ts'
import { requireRoom } from './bounds.ts'
import type { EnqueueCommand, QueueAnswer } from './command.ts'
import type { QueueContext } from './context.ts'
import { forgetIdle } from './forget.ts'
import { canBeLeased, type Message } from './message.ts'
import { receiptOfNumber } from './receipt.ts'
import { storableMs } from './tables.ts'

export function enqueue(command: EnqueueCommand, context: QueueContext): QueueAnswer {
  const { tables, nowMs } = context
  const { queue, group, dedupe, dueAtMs } = command
  const known = dedupe === undefined ? undefined : tables.dedupe(queue, dedupe.key)
  if (known !== undefined && known.untilMs > nowMs) {
    return { count: 0, receipt: known.receipt, isDuplicate: true }
  }
  // A publisher that asks again, because it has not heard the answer.
  const { receipt: given } = command
  if (given !== undefined && tables.byReceipt(given) !== undefined) {
    return { count: 0, receipt: given, isDuplicate: true }
  }
  const data = storableJson(command.data)
  const bytes = Buffer.byteLength(data)
  requireSize(bytes)
  if (command.metadata !== undefined)
    requireSize(Buffer.byteLength(command.metadata), 'metadata of the message')
  const dropped = requireRoom(context, queue, bytes)
  const message: Message = {
    number: tables.nextNumber(),
    queue,
    receipt: given,
    functionId: command.functionId,
    namespace: command.namespace,
    data,
    metadata: command.metadata === undefined ? undefined : storableJson(command.metadata),
    group,
    priority: command.priority ?? 0,
    publishedAtMs: nowMs,
    dueAtMs: dueAtMs === undefined || dueAtMs <= nowMs ? undefined : storableMs(dueAtMs),
    failures: 0,
    reports: [],
    isHead: group === undefined || !tables.hasGroup(queue, group),
    deadAtMs: undefined,
    keptUntilMs: undefined,
    traceparent: command.traceparent,
    baggage: command.baggage,
  }
  const receipt = message.receipt ?? receiptOfNumber(message.number)
  if (tables.add(message)) forgetIdle(context, queue)
  if (dedupe !== undefined) {
    const untilMs = storableMs(nowMs + dedupe.windowMs)
    tables.keepDedupe({ queue, key: dedupe.key, receipt, untilMs })
    context.expires(untilMs)
  }
  if (canBeLeased(message)) context.emit({ event: 'placed', message })
  return { count: 1, receipt, isDuplicate: false, ...(dropped > 0 && { dropped }) }
}

function requireSize(bytes: number, what = 'message'): void {
  if (bytes <= limits.valueBytes) return
  throw new StorageError(
    'VALUE_TOO_LARGE',
    `The ${what} has ${bytes} bytes, the most are ${limits.valueBytes}. Keep the value elsewhere, and send its name.`,
  )
}
