/** A message as it lies in its row. */
import type { JsonText } from '../../../protocol/jsonText.ts'
import type { FailureReport, Message } from '../../queue/message.ts'
import { CorruptData } from '../../storageError.ts'
import { storable, unstorable } from '../../text.ts'
import type { MessageRow } from './statements.ts'

const crc32 = Bun.hash.crc32

const NO_REPORTS: readonly FailureReport[] = []

const stored = (text: string | undefined): string | null => (text === undefined ? null : storable(text))
const read = (text: string | null): string | undefined => (text === null ? undefined : unstorable(text))

/** Over all of it. Texts are told apart by a character that stands in no number, and their lengths. */
function checksumOf(row: Omit<MessageRow, 'checksum'>): number {
  const { receipt, group, function_id, namespace, traceparent, baggage, reports } = row
  let checksum = crc32(
    `${row.number},${row.queue},${row.rank},${row.due_at_ms},${row.dead_at_ms},${row.is_head},${row.failures},${row.published_at_ms}`,
  )
  if (receipt !== null) checksum = crc32(`r${receipt}`, checksum)
  if (group !== null) checksum = crc32(`g${group}`, checksum)
  if (function_id !== null) checksum = crc32(`f${function_id}`, checksum)
  if (namespace !== null) checksum = crc32(`n${namespace}`, checksum)
  if (traceparent !== null) checksum = crc32(`t${traceparent}`, checksum)
  if (baggage !== null) checksum = crc32(`b${baggage}`, checksum)
  if (reports !== null) checksum = crc32(`e${reports}`, checksum)
  return crc32(row.data, checksum ^ row.data.length)
}

export function rowOf(queue: number, message: Message): MessageRow {
  const row = {
    number: message.number,
    queue,
    rank: -message.priority,
    due_at_ms: message.dueAtMs ?? null,
    dead_at_ms: message.deadAtMs ?? null,
    is_head: message.isHead ? 1 : 0,
    failures: message.failures,
    published_at_ms: message.publishedAtMs,
    receipt: stored(message.receipt),
    group: stored(message.group),
    function_id: stored(message.functionId),
    namespace: stored(message.namespace),
    traceparent: stored(message.traceparent),
    baggage: stored(message.baggage),
    reports: message.reports.length === 0 ? null : JSON.stringify(message.reports),
    data: message.data,
  }
  return { ...row, checksum: checksumOf(row) }
}

/** Throws `CorruptData` if the row is not what was written. `nameOf` says which queue has a number. */
export function messageOfRow(row: MessageRow, nameOf: (queue: number) => string): Message {
  if (checksumOf(row) !== row.checksum) {
    throw new CorruptData(
      `Message ${row.number} of a queue is not what was written: its checksum is wrong. Restore a backup, or discard it.`,
    )
  }
  return {
    number: row.number,
    queue: nameOf(row.queue),
    receipt: read(row.receipt),
    functionId: read(row.function_id),
    namespace: read(row.namespace),
    data: row.data as JsonText,
    group: read(row.group),
    priority: row.rank === 0 ? 0 : -row.rank,
    publishedAtMs: row.published_at_ms,
    dueAtMs: row.due_at_ms ?? undefined,
    failures: row.failures,
    reports: row.reports === null ? NO_REPORTS : JSON.parse(row.reports),
    isHead: row.is_head !== 0,
    deadAtMs: row.dead_at_ms ?? undefined,
    traceparent: read(row.traceparent),
    baggage: read(row.baggage),
  }
}
