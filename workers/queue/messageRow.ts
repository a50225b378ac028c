/** A message as functions and listings show it. */
import { asJsonText, type JsonText, quote } from '../../src/protocol/jsonText.ts'
import type { FailureReport, Message } from '../../src/storage/queue/message.ts'
import { receiptOfNumber } from '../../src/storage/queue/receipt.ts'
import type { Lease, Reason } from './core/lease.ts'
import { shownName } from './names.ts'

export const receiptOf = ({ receipt, number }: Message): string => receipt ?? receiptOfNumber(number)

function reportText({ atMs, code, message, stack, worker }: FailureReport): string {
  return JSON.stringify({ at: atMs, code, message, stack, worker })
}

/** Row of `engine::queue::dlq_messages`; `failed_at` in seconds. */
export function deadRow(message: Message): JsonText {
  const { data, reports, deadAtMs, failures } = message
  const last = reports.at(-1)
  const error = last === undefined ? '' : `${last.code}: ${last.message}`
  const size = Buffer.byteLength(data) + (message.group?.length ?? 0) + (message.functionId?.length ?? 0)
  return asJsonText(
    `{"id":${quote(receiptOf(message))},"payload":${data},"error":${quote(error)}` +
      `,"failed_at":${Math.floor((deadAtMs ?? 0) / 1000)},"retries":${failures},"size_bytes":${size}` +
      `,"stack":${last?.stack === undefined ? 'null' : quote(last.stack)}` +
      `,"attempts":[${reports.map(reportText).join(',')}]}`,
  )
}

/** Everything that is known of a message. Times in milliseconds since 1970. */
export function messageRow(
  message: Message,
  reason: Reason,
  { withData, lease }: { readonly withData: boolean; readonly lease?: Lease | undefined },
): JsonText {
  const about = {
    id: receiptOf(message),
    queue: shownName(message.queue),
    reason,
    state: stateOf(message, reason),
    function_id: message.functionId,
    namespace: message.functionId === undefined ? undefined : (message.namespace ?? 'default'),
    attempt: message.failures + (reason === 'leased' ? 1 : 0),
    group: message.group,
    priority: message.priority,
    enqueued_at: message.publishedAtMs,
    due_at: message.dueAtMs,
    dead_at: message.deadAtMs,
    lease_until: lease?.untilMs,
    holder: lease?.holder,
    traceparent: message.traceparent,
  }
  const attempts = `,"attempts":[${message.reports.map(reportText).join(',')}]`
  const data = withData ? `,"data":${message.data}` : ''
  return asJsonText(`${JSON.stringify(about).slice(0, -1)}${attempts}${data}}`)
}

/** The state that stands behind a reason. */
function stateOf({ failures, dueAtMs }: Message, reason: Reason): string {
  switch (reason) {
    case 'dead':
      return 'dead'
    case 'leased':
    case 'ending':
      return 'leased'
    case 'scheduled':
    case 'backing_off':
      return 'delayed'
    case 'predecessor':
      return dueAtMs !== undefined && failures === 0 ? 'delayed' : 'parked'
    case 'ready':
    case 'no_capacity':
      return 'ready'
    default:
      return 'parked'
  }
}
