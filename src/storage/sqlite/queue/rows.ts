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

export const stored = (text: string | undefined): string | null =>
  text === undefined ? null : storable(text)
const read = (text: string | null): string | undefined => (text === null ? undefined : unstorable(text))

export const reportsText = ({ reports }: Message): string | null =>
  reports.length === 0 ? null : JSON.stringify(reports)

/** Told apart by a letter and its length. */
const more = (letter: string, text: string | undefined, checksum: number): number =>
  text === undefined ? checksum : crc32(`${letter}${text.length}${storable(text)}`, checksum)

/** Over all of a row. `reports`: as they are stored. */
export function messageChecksum({ id, queue }: KnownLane, message: Message, reports: string | null): number {
  const { data } = message
  let checksum =
    (mixed(message.number, 0x9e3779b1) ^
      mixed(queue.id, 0x85ebca6b) ^
      mixed(id, 0xc2b2ae35) ^
      mixed(message.priority, 0x27d4eb2f) ^
      mixed(message.isHead ? 1 : 0, 0x165667b1) ^
      mixed(message.failures, 0xd3a2646d) ^
      mixed(message.publishedAtMs, 0xfd7046c5) ^
      mixed(message.dueAtMs ?? -1, 0xb55a4f09) ^
      mixed(message.deadAtMs ?? -1, 0x8da6b343) ^
      mixed(message.keptUntilMs ?? -1, 0xd8163841) ^
      mixed(data.length, 0xcb1ab31f)) >>>
    0
  checksum = more('r', message.receipt, checksum)
  checksum = more('g', message.group, checksum)
  checksum = more('t', message.traceparent, checksum)
  checksum = more('b', message.baggage, checksum)
  checksum = more('m', message.metadata, checksum)
  if (reports !== null) checksum = crc32(`e${reports.length}${reports}`, checksum)
  return crc32(data, checksum)
}

/** Throws `CorruptData` if the row is not what was written. `laneOf` says which lane has a number. */
export function messageOfRow(row: MessageRow, laneOf: (id: number) => KnownLane): Message {
  const lane = laneOf(row.lane)
  const message: Message = {
    number: row.number,
    queue: lane.queue.name,
    receipt: read(row.receipt),
    functionId: lane.functionId,
    namespace: lane.namespace,
    data: row.data as JsonText,
    metadata: row.metadata === null ? undefined : (row.metadata as JsonText),
    group: read(row.group),
    priority: row.rank === 0 ? 0 : -row.rank,
    publishedAtMs: row.published_at_ms,
    dueAtMs: row.due_at_ms ?? undefined,
    failures: row.failures,
    reports: NO_REPORTS,
    isHead: row.is_head !== 0,
    deadAtMs: row.dead_at_ms ?? undefined,
    keptUntilMs: row.kept_until_ms ?? undefined,
    traceparent: read(row.traceparent),
    baggage: read(row.baggage),
  }
  if (messageChecksum(lane, message, row.reports) !== row.checksum || lane.queue.id !== row.queue) {
    throw new CorruptData(
      `Message ${row.number} of a queue is not what was written: its checksum is wrong. Restore a backup, or discard it.`,
    )
  }
  return row.reports === null ? message : { ...message, reports: JSON.parse(row.reports) }
}
