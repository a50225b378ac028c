/** A message as it lies in its row. */
import type { JsonText } from '../../../protocol/jsonText.ts'
import type { FailureReport, Message } from '../../queue/message.ts'
import { CorruptData } from '../../storageError.ts'
import { storable, unstorable } from '../../text.ts'
import { mixed } from '../checksums.ts'
import type { KnownLane } from './queues.ts'
import type { MessageRow } from './statements.ts'

const crc32 = Bun.hash.crc32

const NO_REPORTS: readonly FailureReport[] = []

const stored = (text: string | undefined): string | null => (text === undefined ? null : storable(text))
const read = (text: string | null): string | undefined => (text === null ? undefined : unstorable(text))
const readJson = (text: string | null): JsonText | undefined =>
  text === null ? undefined : (text as JsonText)

/** Over all of it. Texts are told apart by a letter and their lengths. */
function checksumOf(row: Omit<MessageRow, 'checksum'>): number {
  const { receipt, group, traceparent, baggage, metadata, reports, data } = row
  let checksum =
    (mixed(row.number, 0x9e3779b1) ^
      mixed(row.queue, 0x85ebca6b) ^
      mixed(row.lane, 0xc2b2ae35) ^
      mixed(row.rank, 0x27d4eb2f) ^
      mixed(row.is_head, 0x165667b1) ^
      mixed(row.failures, 0xd3a2646d) ^
      mixed(row.published_at_ms, 0xfd7046c5) ^
      mixed(row.due_at_ms ?? -1, 0xb55a4f09) ^
      mixed(row.dead_at_ms ?? -1, 0x8da6b343) ^
      mixed(row.kept_until_ms ?? -1, 0xd8163841) ^
      mixed(data.length, 0xcb1ab31f)) >>>
    0
  if (receipt !== null) checksum = crc32(`r${receipt.length}${receipt}`, checksum)
  if (group !== null) checksum = crc32(`g${group.length}${group}`, checksum)
  if (traceparent !== null) checksum = crc32(`t${traceparent.length}${traceparent}`, checksum)
  if (baggage !== null) checksum = crc32(`b${baggage.length}${baggage}`, checksum)
  if (metadata !== null) checksum = crc32(`m${metadata.length}${metadata}`, checksum)
  if (reports !== null) checksum = crc32(`e${reports.length}${reports}`, checksum)
  return crc32(data, checksum)
}

export function rowOf({ id, queue }: KnownLane, message: Message): MessageRow {
  const row = {
    number: message.number,
    queue: queue.id,
    lane: id,
    rank: -message.priority,
    is_head: message.isHead ? 1 : 0,
    failures: message.failures,
    published_at_ms: message.publishedAtMs,
    checksum: 0,
    due_at_ms: message.dueAtMs ?? null,
    dead_at_ms: message.deadAtMs ?? null,
    kept_until_ms: message.keptUntilMs ?? null,
    receipt: stored(message.receipt),
    group: stored(message.group),
    traceparent: stored(message.traceparent),
    baggage: stored(message.baggage),
    metadata: message.metadata ?? null,
    reports: message.reports.length === 0 ? null : JSON.stringify(message.reports),
    data: message.data,
  }
  row.checksum = checksumOf(row)
  return row
}

/** Throws `CorruptData` if the row is not what was written. `laneOf` says which lane has a number. */
export function messageOfRow(row: MessageRow, laneOf: (id: number) => KnownLane): Message {
  const lane = laneOf(row.lane)
  if (checksumOf(row) !== row.checksum || lane.queue.id !== row.queue) {
    throw new CorruptData(
      `Message ${row.number} of a queue is not what was written: its checksum is wrong. Restore a backup, or discard it.`,
    )
  }
  return {
    number: row.number,
    queue: lane.queue.name,
    receipt: read(row.receipt),
    functionId: lane.functionId,
    namespace: lane.namespace,
    data: row.data as JsonText,
    metadata: readJson(row.metadata),
    group: read(row.group),
    priority: row.rank === 0 ? 0 : -row.rank,
    publishedAtMs: row.published_at_ms,
    dueAtMs: row.due_at_ms ?? undefined,
    failures: row.failures,
    reports: row.reports === null ? NO_REPORTS : JSON.parse(row.reports),
    isHead: row.is_head !== 0,
    deadAtMs: row.dead_at_ms ?? undefined,
    keptUntilMs: row.kept_until_ms ?? undefined,
    traceparent: read(row.traceparent),
    baggage: read(row.baggage),
  }
}
